#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What `rrsoft record` costs: CPU and wall time against native, paired run by run; what a trace grows by per second of the
native run; how often the program is stopped, and what a stop costs beside a stop of a tracer that does nothing.

  record.py [--rrsoft PATH] [--quick] [--only NAME,...] [--runs N] [--timeout S] [--no-table] [--list]

Writes the table into docs/BENCHMARKS.md between the markers <!-- record --> and <!-- /record --> unless
--no-table. --quick makes the work a fifth and the runs three. Exit: 1 if an output differs or a run fails.
"""
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile

from paired import Row, Workload, geometric_mean, make_program, parse_arguments, run_all, table, write_table
from workloads import WORKLOADS

REDIS = """"$@" redis-server --port 0 --unixsocket $PWD/redis.sock --save "" --appendonly no > redis.log &
for i in $(seq 300); do [ -S redis.sock ] && break; sleep 0.1; done
redis-benchmark -s redis.sock -q -n %d -c 20 -t set,get > /dev/null
redis-cli -s redis.sock shutdown nosave; wait $!"""

MORE = [
    Workload("cp -r /usr/include", lambda n: ["sh", "-c", "cp -r /usr/include copy && find copy | cksum"], cpu_bound=False,
             leaves="copy"),
    Workload("make -j2, 13 files", lambda n: ["sh", "-c", "make -s -B -j2 -C project && project/program"], cpu_bound=False,
             needs=["make", "gcc"], inputs=["project"]),
    Workload("200,000 system calls", lambda n: ["./calls", str(n)], 200000, cpu_bound=False, inputs=["calls"]),
    Workload("redis-benchmark, server recorded", lambda n: ["sh", "-c", REDIS % n, "sh"], 20000, cpu_bound=False,
             needs=["redis-server", "redis-benchmark"], takes_prefix=True),
]
ALL = WORKLOADS + MORE
HEADINGS = ["workload", "native CPU", "recorded CPU", "CPU ratio (range)", "native wall", "recorded wall",
            "wall ratio (range)", "trace per native s", "stops per s"]


class Look:
    """Notes the size of each trace and the number of its stops, and removes it."""

    def __init__(self, trace):
        self.trace = trace

    def __call__(self, row, run):
        notes = row.__dict__.setdefault("notes", [])
        size = int(subprocess.run(["du", "-sB1", self.trace], stdout=subprocess.PIPE, check=True).stdout.split()[0])
        stops = int(re.search(r"(\d+)  stops, whatever for", run.errors).group(1))
        notes.append((size, stops / run.wall))
        shutil.rmtree(self.trace)


def cells(row):
    if row.problem:
        return row.cells() + ["", ""]
    size = statistics.median(note[0] for note in row.notes)
    return row.cells() + [f"{size / row.median(0, 0) / 1e6:.1f} MB", f"{statistics.median(note[1] for note in row.notes):,.0f}"]


def stop_costs(arguments, directory, trace):
    """Nanoseconds of (a bare stop, a stop in a recording), taken in turns."""
    program = os.path.join(directory, "stop")
    make_program("stop", program)
    count = "20000" if arguments.quick else "100000"
    record = [arguments.rrsoft, "record", "-q", "-o", trace, "--", program, "call", count]

    def run(command):
        return float(subprocess.run(command, stdout=subprocess.PIPE, check=True, timeout=arguments.timeout).stdout)

    bare, recorded = [], []
    for _ in range(arguments.runs):
        call = run([program, "call", count])
        bare.append((run([program, "bare", count]) - call) / 2)
        recorded.append((run(record) - call) / 2)
        shutil.rmtree(trace)
    return statistics.median(bare), statistics.median(recorded)


def summary(rows, costs):
    mean = geometric_mean([row for row in rows if row.pairs and not row.problem])
    notes = []
    if mean:
        notes.append(f"Geometric mean of the CPU ratios of the {mean[2]} CPU-bound workloads: **{mean[0]:.2f}** "
                     f"(aim: at most 1.5); the largest: {mean[1]:.2f}.")
    notes.append(f"A stop costs {costs[1] / 1000:.2f} µs; one of a tracer on the same CPU that does nothing "
                 f"{costs[0] / 1000:.2f} µs: {costs[1] / costs[0]:.2f} times as much (aim: at most 1.3).")
    notes.append("The CPU time of redis-benchmark includes the client, which is not recorded.")
    return notes


def main():
    arguments = parse_arguments(__doc__, ALL)
    with tempfile.TemporaryDirectory(prefix="rrsoft-bench-") as directory:
        trace = os.path.join(directory, "trace")
        prefix = [arguments.rrsoft, "record", "--stats", "-o", trace, "--"]
        rows = run_all(ALL, prefix, arguments, directory, cells, Look(trace))
        notes = summary(rows, stop_costs(arguments, directory, trace))
    print("\n".join(notes))
    if rows and not arguments.no_table:
        write_table("record", table("record.py", HEADINGS, [cells(row) for row in rows], notes, arguments))
    return 1 if any(row.problem for row in rows) else 0


if __name__ == "__main__":
    sys.exit(main())
