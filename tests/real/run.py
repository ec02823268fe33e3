#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Test that real programs do under rrsoft what they do natively.

  run.py [--mode native|count|replay] [--rrsoft PATH] [--timeout S] [--jobs-dir DIR] [--list] [--short]
         [--install] [CASE...]

Runs each case of cases.py natively and, with --mode count, a second time under `rrsoft count --`, in an equally fresh
directory, and compares exit status, standard output and the files that the case names. With --mode replay the second
run is under `rrsoft record`, and its replay is compared with it: exit status and standard output. One line per case
with wall and CPU seconds (of the whole tree, tracer included), and the first difference where there is one. A case
whose programs are missing is skipped. Exit: 0 all right, 1 a difference or failure, 77 everything skipped. --install
installs the Debian packages of packages.txt.
"""
import argparse
import difflib
import hashlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time

from cases import CASES

HERE = os.path.dirname(os.path.abspath(__file__))
SKIPPED = 77
COUNT_SLOWDOWN = 20  # how much longer than natively a counted run may take before it is given up


class Outcome:
    """How one run of a case ended: status None after a timeout."""

    def __init__(self, status, out, err, wall, cpu, files):
        self.status, self.out, self.err = status, out, err
        self.wall, self.cpu, self.files = wall, cpu, files

    def times(self):
        return f"{self.wall:7.2f} wall {self.cpu:7.2f} cpu"


def environment(directory):
    return {"PATH": "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin", "HOME": directory, "LC_ALL": "C.UTF-8",
            "TZ": "UTC", "TERM": "xterm", "HERE": os.path.join(HERE, "programs"),
            "IN": os.path.join(directory, "in"), "GOCACHE": os.path.join(directory, "gocache")}


def shell(script, directory, cwd, prefix, timeout):
    """Runs `prefix... /bin/bash -c script` to its end or to the timeout; never touches another process group."""
    command = prefix + ["/bin/bash", "-c", "set -e\n" + script]
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        start = time.monotonic()
        child = subprocess.Popen(command, cwd=cwd, env=environment(directory), stdin=subprocess.DEVNULL,
                                 stdout=out, stderr=err, start_new_session=True)
        status, usage = wait(child, start + timeout)
        wall = time.monotonic() - start
        out.seek(0)
        err.seek(0)
        return Outcome(status, out.read(), err.read(), wall, usage.ru_utime + usage.ru_stime, {})


def wait(child, deadline):
    """(exit status as a shell says it or None, the tree's rusage); kills the group at the deadline and at the end."""
    status = None
    while time.monotonic() < deadline:
        pid, word, usage = os.wait4(child.pid, os.WNOHANG)
        if pid:
            status = os.waitstatus_to_exitcode(word)
            break
        time.sleep(0.01)
    try:
        os.killpg(child.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    if status is None:
        _, _, usage = os.wait4(child.pid, 0)
    child.returncode = status if status is not None else -signal.SIGKILL
    return (128 - status if status is not None and status < 0 else status), usage


def run_case(case, directory, prefix, timeout):
    """Runs the case's command in a fresh directory of one name: no path in an output tells the runs apart."""
    cwd = os.path.join(directory, "run")
    shutil.rmtree(cwd, ignore_errors=True)
    os.mkdir(cwd)
    outcome = shell(case.command, directory, cwd, prefix, timeout)
    for name in case.files:
        path = os.path.join(cwd, name)
        if os.path.exists(path):
            with open(path, "rb") as file:
                outcome.files[name] = hashlib.sha256(file.read()).hexdigest()
        else:
            outcome.files[name] = "missing"
    return outcome


def replay(directory, trace, rrsoft, timeout):
    """Replays a recording in an empty directory: nothing but the trace is needed."""
    cwd = os.path.join(directory, "replayed")
    os.mkdir(cwd)
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        start = time.monotonic()
        child = subprocess.Popen([rrsoft, "replay", "--auto", trace], cwd=cwd, stdin=subprocess.DEVNULL, stdout=out, stderr=err,
                                 start_new_session=True)
        status, usage = wait(child, start + timeout)
        out.seek(0)
        err.seek(0)
        return Outcome(status, out.read(), err.read(), time.monotonic() - start, usage.ru_utime + usage.ru_stime, {})


def replay_difference(recorded, replayed):
    """What tells a replay from its recording, or None."""
    if replayed.status is None:
        return "replay not done in time"
    if replayed.status != recorded.status:
        return f"replay: status {replayed.status}, recorded {recorded.status}"
    if replayed.out != recorded.out:
        return "replayed output differs\n" + first_difference(recorded.out, replayed.out)
    return None


def missing_program(case):
    for program in case.needs:
        if not (os.path.exists(program) if program.startswith("/") else shutil.which(program)):
            return program
    return None


def first_difference(native, other):
    left = native.decode(errors="replace").splitlines()
    right = other.decode(errors="replace").splitlines()
    lines = [line for line in difflib.unified_diff(left, right, "native", "count", lineterm="", n=1)]
    return "\n".join("    " + line[:300] for line in lines[:12])


def difference(case, native, other):
    """What tells the two runs apart, or None."""
    if other.status is None:
        return "not done in time"
    if other.status != native.status:
        return f"status {other.status}, natively {native.status}\n" + first_difference(case.compare(native.out),
                                                                                      case.compare(other.out))
    left, right = case.compare(native.out), case.compare(other.out)
    if left != right:
        return "output differs\n" + first_difference(left, right)
    for name, digest in native.files.items():
        if other.files[name] != digest:
            return f"file {name} differs"
    return None


def tail(data):
    """The last lines, without the report of ticks that every counted run ends with."""
    lines = [line for line in data.decode(errors="replace").splitlines()
             if not line.startswith(("rrsoft: process ", "rrsoft: total: "))]
    return "".join("    " + line + "\n" for line in lines[-8:])


def do_case(case, mode, rrsoft, timeout, directory):
    """Prints the case's line; returns 0, 1 or 77."""
    missing = missing_program(case)
    if missing:
        print(f"{case.name:24} skipped: no {missing} (package {' '.join(case.packages)})", flush=True)
        return SKIPPED
    os.makedirs(os.path.join(directory, "in"))
    if case.setup:
        made = shell(case.setup, directory, os.path.join(directory, "in"), [], 300)
        if made.status != 0:
            print(f"{case.name:24} SET-UP FAILED: status {made.status}\n{tail(made.err)}", flush=True)
            return 1
    native = run_case(case, directory, [], 2 * case.timeout)
    line = f"{case.name:24} native {native.times()}"
    if native.status != case.status:
        print(f"{line}  NATIVE RUN FAILED: status {native.status}\n{tail(native.out)}{tail(native.err)}", flush=True)
        return 1
    if mode == "native":
        print(line, flush=True)
        return 0
    timeout = timeout or COUNT_SLOWDOWN * case.timeout
    trace = os.path.join(directory, "trace")
    prefix = ["count", "--"] if mode == "count" else ["record", "-q", "-o", trace, "--"]
    other = run_case(case, directory, [rrsoft] + prefix, timeout)
    why = difference(case, native, other)
    line += second_half("record" if mode == "replay" else mode, native, other)
    if mode == "replay" and not why:
        recorded, other = other, replay(directory, trace, rrsoft, timeout)
        why = replay_difference(recorded, other)
        line += second_half("replay", native, other)
    print(line + ("" if not why else f"  DIFFERS: {why}\n{tail(other.err)}"), flush=True)
    return 1 if why else 0


def second_half(mode, native, other):
    ratio = other.cpu / native.cpu if native.cpu > 0.05 else 0
    return f"   {mode} {other.times()}" + (f"  x{ratio:.2f}" if ratio else "")


def install():
    with open(os.path.join(HERE, "packages.txt")) as file:
        names = [line.strip() for line in file if line.strip() and not line.startswith("#")]
    return subprocess.call(["apt-get", "install", "-y", "--no-install-recommends"] + names)


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mode", choices=["native", "count", "replay"], default="native")
    parser.add_argument("--rrsoft", default="rrsoft")
    parser.add_argument("--timeout", type=float, help="seconds after which a counted run is given up")
    parser.add_argument("--jobs-dir", default=None, help="where the scratch directory is made")
    parser.add_argument("--list", action="store_true", help="the names; \"long\" stands behind the slow ones")
    parser.add_argument("--install", action="store_true")
    parser.add_argument("--short", action="store_true", help="leave out the slow cases")
    parser.add_argument("cases", nargs="*")
    return parser.parse_args()


def chosen_cases(names, short):
    known = {case.name: case for case in CASES}
    unknown = [name for name in names if name not in known]
    if unknown:
        sys.exit(f"no such case: {' '.join(unknown)}")
    if names:
        return [known[name] for name in names]
    return [case for case in CASES if not (short and case.long)]


def main():
    arguments = parse_arguments()
    if arguments.list:
        print("\n".join(case.name + (" long" if case.long else "") for case in CASES))
        return 0
    if arguments.install:
        return install()
    results = []
    for case in chosen_cases(arguments.cases, arguments.short):
        directory = tempfile.mkdtemp(prefix="rrsoft-real-", dir=arguments.jobs_dir)
        try:
            results.append(do_case(case, arguments.mode, arguments.rrsoft, arguments.timeout, directory))
        finally:
            shutil.rmtree(directory, ignore_errors=True)
    if 1 in results:
        print(f"{results.count(1)} of {len(results)} wrong")
        return 1
    return SKIPPED if all(result == SKIPPED for result in results) else 0


if __name__ == "__main__":
    sys.exit(main())
