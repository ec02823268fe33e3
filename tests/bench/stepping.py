#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""How long gdb takes for one step backward, as its user feels it: from the command to the prompt.

  stepping.py [--build DIRECTORY] [--runs N] [--no-table]

Records the programs of tests/gdb, opens each with `rrsoft gdb`, and times commands in the bodies of their loops. Writes the
table into docs/BENCHMARKS.md between the markers <!-- stepping --> and <!-- /stepping --> unless --no-table. The aim is 50 ms for
the median of reverse-next. Exit: 1 if gdb fails, whatever the times.
"""
import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile

import benchmarks_page

TOP = pathlib.Path(__file__).resolve().parents[2]

# What, the program, where to begin (backward from the end), the command.
ROWS = (
    ("`reverse-next`, loop over an array", "crash", "busy", "reverse-next"),
    ("`reverse-next` over calls, loop that calls functions", "crash", "deposit", "reverse-next"),
    ("`reverse-step` through the same, into the calls", "crash", "deposit", "reverse-step"),
    ("`reverse-stepi`", "crash", "busy", "reverse-stepi"),
    ("`reverse-next`, threads under a lock", "threads", "count", "reverse-next"),
    ("`reverse-finish` out of a function", "freestanding", "triple", "reverse-finish"),
    ("`next`, for comparison", "crash", "busy", "next"),
    ("`stepi`, for comparison", "crash", "busy", "stepi"),
)

IN_GDB = """
import gdb, json, time
times = []
for command in ("set pagination off", "set width 0", "break FUNCTION", "reverse-continue", "delete"):
    gdb.execute(command, to_string=True)
if "COMMAND" != "reverse-finish":
    gdb.execute("finish" if "FUNCTION" != "busy" else "next", to_string=True)
for i in range(RUNS):
    if "COMMAND" == "reverse-finish":
        gdb.execute("tbreak FUNCTION", to_string=True)
        gdb.execute("reverse-continue", to_string=True)
    begin = time.monotonic()
    gdb.execute("COMMAND", to_string=True)
    times.append(time.monotonic() - begin)
print("TIMES", json.dumps(times))
"""


def measure(build, folder, program, function, command, runs):
    """The times in seconds, or None if gdb failed."""
    script = pathlib.Path(folder, "script.py")
    text = IN_GDB.replace("FUNCTION", function).replace("COMMAND", command)
    script.write_text(text.replace("RUNS", str(7 if command == "reverse-finish" else runs)))
    env = {**os.environ, "HOME": folder, "RRSOFT_TRACE_DIR": f"{folder}/traces", "LC_ALL": "C"}
    words = [f"{build}/cli/rrsoft", "gdb", "-x", str(script), "-ex", "set confirm off", "-ex", "quit", "--",
             f"{build}/tests/gdb/{program}"]
    done = subprocess.run(words, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True, timeout=200)
    found = [line for line in done.stdout.splitlines() if line.startswith("TIMES ")]
    if not found:
        print(done.stdout)
        return None
    return json.loads(found[0].removeprefix("TIMES "))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", default=str(TOP / "build" / "release"))
    parser.add_argument("--runs", type=int, default=40)
    parser.add_argument("--no-table", action="store_true")
    arguments = parser.parse_args()
    lines = [benchmarks_page.machine(), "Times of one command in gdb, over a recording.", "",
             "| command | median | slowest |", "|---|---|---|"]
    failed = False
    with tempfile.TemporaryDirectory(prefix="rrsoft-bench-") as folder:
        for what, program, function, command in ROWS:
            times = measure(arguments.build, folder, program, function, command, arguments.runs)
            failed |= times is None
            if times:
                lines.append(f"| {what} | {1000 * statistics.median(times):.1f} ms | {1000 * max(times):.1f} ms |")
                print(lines[-1], flush=True)
    if not failed and not arguments.no_table:
        benchmarks_page.write("stepping", "\n".join(lines))
    return failed


if __name__ == "__main__":
    sys.exit(main())
