#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What replay and time travel cost.

  replay.py [--rrsoft PATH] [--timeline PATH] [--quick] [--seconds S,...] [--hits N,...] [--no-table]

Records programs that run for 1, 10 and 60 seconds (--seconds) and measures: replay against native and against the
recording; opening, and seeks to random ticks, in a recording just opened, again in a new opening, and again with stored
checkpoints (`rrsoft index`, where there is that command). Then reverse-continue to a breakpoint that was hit 10, 10^4
and 10^7 times (--hits), and to a write to a variable written as often, against a forward run of the same stretch.
Writes the table into docs/BENCHMARKS.md unless --no-table. --quick: one small size of each, to see that it works.
"""
import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

from paired import TOP, machine, seconds, write_table

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, os.pardir))
import children  # noqa: E402

BUILD = os.path.join(TOP, "build", "release")
SEEKS = 40


class Bench:
    def __init__(self, arguments, directory):
        self.rrsoft, self.timeline = os.path.abspath(arguments.rrsoft), os.path.abspath(arguments.timeline)
        self.directory, self.timeout = directory, arguments.timeout

    def path(self, name):
        return os.path.join(self.directory, name)

    def build(self, name):
        subprocess.run(["gcc", "-O1", "-no-pie", "-o", self.path(name), os.path.join(HERE, name + ".c")], check=True)

    def timed(self, command):
        """Wall seconds of a run that has to end well."""
        start = time.monotonic()
        status = children.run(command, self.timeout, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        if status != 0:
            raise SystemExit(f"status {status}: {' '.join(command)}")
        return time.monotonic() - start

    def record(self, trace, *command):
        shutil.rmtree(self.path(trace), ignore_errors=True)
        return self.timed([self.rrsoft, "record", "--quiet", "--output", self.path(trace), "--", *command])

    def measure(self, trace, *words):
        """The figures that replay_timeline prints: name to list."""
        with tempfile.TemporaryFile("w+") as out:
            status = children.run([self.timeline, self.path(trace), *words], self.timeout, stdin=subprocess.DEVNULL, stdout=out)
            if status != 0:
                raise SystemExit(f"status {status}: replay_timeline {' '.join(words)}")
            out.seek(0)
            figures = {}
            for line in out:
                name, value = line.split()
                figures.setdefault(name, []).append(int(value))
            return figures

    def can_index(self):
        return subprocess.run([self.rrsoft, "index", "--help"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode == 0

    def index(self, trace):
        """(seconds, bytes that the trace grew by)"""
        before = size_of(self.path(trace))
        took = self.timed([self.rrsoft, "index", self.path(trace)])
        return took, size_of(self.path(trace)) - before


def size_of(folder):
    """Room on the disk: a file may have holes."""
    return sum(os.stat(os.path.join(folder, name)).st_blocks * 512 for name in os.listdir(folder))


def latency(figures):
    ns = sorted(figures["seek"])
    return f"{seconds(figures['open'][0] / 1e9)}; {seconds(statistics.median(ns) / 1e9)}, at most {seconds(ns[-1] / 1e9)}"


def megabytes(value):
    return f"{value / 1e6:.1f} MB"


def measure_length(bench, wanted):
    """One row of the table of recordings, for a program that records for about `wanted` seconds."""
    program, trace = bench.path("replay_rounds"), "rounds"
    short = max(bench.record(trace, program, "100") - bench.record(trace, program, "1"), 0.01) / 99
    rounds = str(max(1, round(wanted / short)))
    recorded = bench.record(trace, program, rounds)
    native = bench.timed([program, rounds])
    replayed = bench.timed([bench.rrsoft, "replay", bench.path(trace)])
    first, second = (bench.measure(trace, "seek", str(SEEKS), str(seed)) for seed in (1, 2))
    cells = [f"of about {recorded:.2g} s", seconds(native), f"{seconds(recorded)} ({recorded / native:.2f})",
             f"{seconds(replayed)} ({replayed / native:.2f})", latency(first), latency(second)]
    indexed, cost = "no `rrsoft index`", ""
    if bench.can_index():
        took, grown = bench.index(trace)
        indexed, cost = latency(bench.measure(trace, "seek", str(SEEKS), "3")), f"{seconds(took)}, {megabytes(grown)}"
    return cells + [indexed, cost, megabytes(first["memory"][0])]


def symbol(program, name):
    for line in subprocess.run(["nm", program], stdout=subprocess.PIPE, text=True, check=True).stdout.splitlines():
        if line.split()[-1] == name:
            return line.split()[0]
    raise SystemExit(f"no symbol {name}")


def measure_hits(bench, count):
    """Two rows of the table of searches: a breakpoint, and a write."""
    program, trace = bench.path("replay_hits"), "hits"
    bench.record(trace, program, str(count))
    rows = []
    for kind, name, what in (("break", "hit", "breakpoint hit"), ("watch", "counter", "variable written")):
        figures = bench.measure(trace, kind, symbol(program, name))
        forward, backward = figures["forward"][0], figures["backward"]
        rows.append([f"{what} {count:,} times", seconds(forward / 1e9), f"{seconds(backward[0] / 1e9)} ({backward[0] / forward:.2f})",
                     seconds(statistics.median(backward[1:]) / 1e9), megabytes(figures["memory"][0])])
    return rows


def table(headings, rows):
    return "\n".join(["| " + " | ".join(cells) + " |" for cells in
                      (headings, ["---"] + ["---:"] * (len(headings) - 1), *rows)])


LENGTHS = ["recording", "native", "recorded (ratio)", "replayed (ratio)", "first opening; seeks", "second opening; seeks",
           "indexed: opening; seeks", "index: time, room", "memory"]
SEARCHES = ["from the end back to a", "forward", "to the last one (ratio)", "to the one before", "memory"]


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rrsoft", default=os.path.join(BUILD, "cli", "rrsoft"))
    parser.add_argument("--timeline", default=os.path.join(BUILD, "tests", "bench", "replay_timeline"))
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--seconds", default="")
    parser.add_argument("--hits", default="")
    parser.add_argument("--timeout", type=float, default=600, help="seconds that one measurement may take")
    parser.add_argument("--no-table", action="store_true")
    arguments = parser.parse_args()
    arguments.seconds = [float(s) for s in (arguments.seconds or ("0.2" if arguments.quick else "1,10,60")).split(",")]
    arguments.hits = [int(n) for n in (arguments.hits or ("1000" if arguments.quick else "10,10000,10000000")).split(",")]
    return arguments


def main():
    arguments = parse_arguments()
    with tempfile.TemporaryDirectory(prefix="rrsoft-bench-") as directory:
        bench = Bench(arguments, directory)
        for name in ("replay_rounds", "replay_hits"):
            bench.build(name)
        lengths = table(LENGTHS, [measure_length(bench, wanted) for wanted in arguments.seconds])
        print(lengths, flush=True)
        searches = table(SEARCHES, [row for count in arguments.hits for row in measure_hits(bench, count)])
        print(searches)
    text = (f"`tests/bench/replay.py`, {machine()}. Seeks: to {SEEKS} random ticks, median and longest; memory: of the "
            f"replaying processes and their checkpoints.\n\n{lengths}\n\n{searches}\n\n- Aims: replay takes no longer than recording; a seek in "
            "an indexed recording of 60 s takes at most 2 s;\n  back over 10,000,000 hits at most 3 times the forward run.")
    if not arguments.no_table:
        write_table("replay", text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
