#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Records one guest, replays the recording, and compares both with what the guest does natively.

  run_replayed.py --rrsoft PATH [--expect STATUS] [--slice TICKS] [--chaos] [--replays N] [--rounds N] [--gone] [--refused]
                  [--go] [--timeout S] PROG ARGS...

With --gone a copy of the guest is recorded, and deleted before the replay: a replay needs no file but the trace.
--rounds repeats all of it. Otherwise as run_guest.py. Exit: 0 right, 1 wrong, 77 skipped by the guest.
"""
import os
import shutil
import sys
import tempfile

from run_guest import (SKIPPED, check_output, check_refused, check_status, make_parser, parse_arguments, prepare_go, run,
                       show, status_number, wrong)


def own_parser():
    parser = make_parser(__doc__)
    parser.add_argument("--rrsoft", required=True)
    parser.add_argument("--slice", type=int)
    parser.add_argument("--chaos", action="store_true")
    parser.add_argument("--replays", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--gone", action="store_true")
    return parser


def programs_own(err):
    """What the program wrote to its standard error, without the engine's remarks."""
    return b"".join(line for line in err.splitlines(keepends=True) if not line.startswith(b"rrsoft:"))


def check_replay(recorded, replayed, mode, timeout):
    if replayed[0] == 3 and recorded[0] != 3:
        return wrong("the replay diverged", mode, replayed[2])
    failed = check_status(replayed, recorded[0], mode, timeout)
    if failed:
        return failed
    if recorded[1] != replayed[1]:
        return check_output(recorded[1], replayed[1], mode)
    if programs_own(recorded[2]) != programs_own(replayed[2]):
        print(f"{mode}: stderr differs from the recording's")
        show("stderr, recorded", recorded[2][-4000:])
        show(f"stderr, {mode}", replayed[2][-4000:])
        return 1
    return 0


def record(arguments, trace, native):
    """(whether it failed, the recorded run)"""
    command = [arguments.rrsoft, "record", "-q", "-o", trace]
    if arguments.slice:
        command += ["--slice", str(arguments.slice)]
    if arguments.chaos:
        seed = str(int.from_bytes(os.urandom(4), "big"))
        print(f"--chaos={seed}")
        command += [f"--chaos={seed}"]
    result = run(command + ["--"] + arguments.command, arguments.timeout)
    if arguments.refused:
        return check_refused(result, "record", arguments.timeout), result
    failed = check_status(result, status_number(arguments.expect), "record", arguments.timeout)
    return failed or check_output(native[1], result[1], "record"), result


def do_round(arguments, directory, native):
    trace = os.path.join(directory, "trace")
    failed, recorded = record(arguments, trace, native)
    if failed or arguments.refused:
        return failed
    if arguments.gone:
        os.unlink(arguments.command[0])
    for number in range(arguments.replays):
        replayed = run([arguments.rrsoft, "replay", "--auto", trace], arguments.timeout)
        failed = check_replay(recorded, replayed, f"replay {number + 1}", arguments.timeout)
        if failed:
            return failed
    shutil.rmtree(trace)
    return 0


def compare(arguments, directory):
    native = run(arguments.command, arguments.timeout)
    if native[0] == SKIPPED:
        show("skipped", native[2])
        return SKIPPED
    failed = check_status(native, status_number(arguments.expect), "native", arguments.timeout)
    original = arguments.command[0]
    for number in range(arguments.rounds):
        if arguments.gone:
            arguments.command[0] = shutil.copy(original, os.path.join(directory, "guest"))
        failed = failed or do_round(arguments, directory, native)
        if failed:
            print(f"round {number + 1} of {arguments.rounds}")
            return failed
    return 0


def main():
    arguments = parse_arguments(own_parser())
    with tempfile.TemporaryDirectory(prefix="rrsoft-guest-") as directory:
        return compare(arguments, directory) if prepare_go(arguments, directory) else SKIPPED


if __name__ == "__main__":
    sys.exit(main())
