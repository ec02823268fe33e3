#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Runs one guest, and compares what it does under a mode with what it does natively.

  run_guest.py [--expect STATUS] [--under 'rrsoft count --'] [--refused] [--go] [--timeout S] PROG ARGS...

STATUS is a number or a signal's name; a death by signal N is 128+N in the eyes of a shell and of a mode.
Without --under the guest runs natively only. With --refused the mode must end the guest with a status other
than 0 and a line on stderr that starts with "rrsoft:". With --go PROG is a Go source, built first. Exit: 0 right, 1 wrong, 77 skipped by the guest.
"""
import argparse
import difflib
import os
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir))
import children  # noqa: E402

SKIPPED = 77


def make_parser(usage):
    """The options that all runners of guests have."""
    parser = argparse.ArgumentParser(usage=usage)
    parser.add_argument("--expect", default="0")
    parser.add_argument("--refused", action="store_true")
    parser.add_argument("--go", action="store_true")
    parser.add_argument("--timeout", type=float, default=100)
    parser.add_argument("command", nargs=argparse.REMAINDER)
    return parser


def parse_arguments(parser):
    arguments = parser.parse_args()
    if not arguments.command:
        parser.error("no guest named")
    return arguments


def status_number(text):
    return 128 + getattr(signal, text) if text.startswith("SIG") else int(text)


def run(command, timeout):
    """(status or None after a timeout, stdout, stderr). Output goes to files: a grandchild that outlives
    the guest cannot hold up the reader of a file. Kills the guest's own process group and no other."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        status = children.run(command, timeout, stdin=subprocess.DEVNULL, stdout=out, stderr=err)
        out.seek(0)
        err.seek(0)
        if status is not None and status < 0:
            status = 128 - status
        return status, out.read(), err.read()


def show(title, data):
    if data:
        print(f"--- {title}", data.decode(errors="replace"), sep="\n")


def wrong(why, mode, err):
    print(f"{mode}: {why}")
    show(f"stderr, {mode}", err[-8000:])
    return 1


def check_status(result, expected, mode, timeout):
    status, _, err = result
    if status is None:
        return wrong(f"not done after {timeout:g} s", mode, err)
    if status != expected:
        return wrong(f"exit status {status}, expected {expected}", mode, err)
    return 0


def check_refused(result, mode, timeout):
    status, _, err = result
    if status is None:
        return wrong(f"not done after {timeout:g} s", mode, err)
    named = any(line.startswith(b"rrsoft:") for line in err.splitlines())
    if status == 0 or not named:
        return wrong(f"exit status {status}, expected a refusal with a line 'rrsoft: ...'", mode, err)
    return 0


def check_output(native, other, mode):
    if native == other:
        return 0
    print(f"{mode}: stdout differs from the native run's")
    sys.stdout.writelines(line.rstrip("\n") + "\n" for line in difflib.unified_diff(
        native.decode(errors="replace").splitlines(), other.decode(errors="replace").splitlines(),
        "native", mode, lineterm=""))
    return 1


def build_go(source, directory):
    """The program built from one Go source file without cgo, or None where there is no Go."""
    if not shutil.which("go"):
        return None
    program = os.path.join(directory, os.path.splitext(os.path.basename(source))[0])
    subprocess.run(["go", "build", "-o", program, source], check=True, timeout=300,
                   env=dict(os.environ, CGO_ENABLED="0", GOFLAGS="-p=2", GOCACHE=directory + "/cache"))
    return program


def prepare_go(arguments, directory):
    """With --go, the program to be run is built first. False: it cannot be."""
    if not arguments.go:
        return True
    program = build_go(arguments.command[0], directory)
    if program:
        arguments.command[0] = program
    else:
        print("skipped: no go command")
    return program is not None


def main():
    parser = make_parser(__doc__)
    parser.add_argument("--under", default="")
    arguments = parse_arguments(parser)
    with tempfile.TemporaryDirectory() as directory:
        return compare(arguments) if prepare_go(arguments, directory) else SKIPPED


def compare(arguments):
    expected = status_number(arguments.expect)
    native = run(arguments.command, arguments.timeout)
    if native[0] == SKIPPED:
        show("skipped", native[2])
        return SKIPPED
    failed = check_status(native, expected, "native", arguments.timeout)
    if failed or not arguments.under:
        return failed
    result = run(shlex.split(arguments.under) + arguments.command, arguments.timeout)
    if arguments.refused:
        return check_refused(result, arguments.under, arguments.timeout)
    failed = check_status(result, expected, arguments.under, arguments.timeout)
    differs = check_output(native[1], result[1], arguments.under)
    if differs and not failed:
        show(f"stderr, {arguments.under}", result[2][-8000:])
    return failed or differs


if __name__ == "__main__":
    sys.exit(main())
