#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What `rrsoft count` costs: CPU and wall time against native, paired run by run.

  translate.py [--rrsoft PATH] [--quick] [--only NAME,...] [--runs N] [--timeout S] [--no-table] [--list]

Writes the table into docs/BENCHMARKS.md between the markers <!-- translate --> and <!-- /translate --> unless
--no-table. --quick makes the work a fifth and the runs three. Exit: 1 if an output differs or a run fails.
"""
import statistics
import sys
import tempfile

from paired import Row, geometric_mean, parse_arguments, run_all, table, write_table
from workloads import WORKLOADS

HEADINGS = ["workload", "native CPU", "counted CPU", "CPU ratio (range)", "native wall", "counted wall", "wall ratio (range)"]


def summary(rows):
    good = [row for row in rows if row.pairs and not row.problem]
    lines = []
    mean = geometric_mean(good)
    if mean:
        lines.append(f"Geometric mean of the CPU ratios of the {mean[2]} CPU-bound workloads: **{mean[0]:.2f}** "
                     f"(aim: at most 1.4); the largest: {mean[1]:.2f} (aim: at most 2).")
    for row in good:
        if row.workload.name == "true":
            lines.append(f"`true` takes {row.median(1, 0) * 1000:.0f} ms (aim: at most 60 ms).")
        if row.workload.name.startswith("200 times"):
            lines.append(f"200 times `true` in one session: {row.median(1, 0) * 1000 / 200:.1f} ms each (aim: at most "
                         f"10 ms), {statistics.median(row.ratios(0)):.1f} times native (aim: at most 20).")
    return lines


def main():
    arguments = parse_arguments(__doc__, WORKLOADS)
    with tempfile.TemporaryDirectory(prefix="rrsoft-bench-") as directory:
        rows = run_all(WORKLOADS, [arguments.rrsoft, "count", "--"], arguments, directory, Row.cells)
    notes = summary(rows)
    print("\n".join(notes))
    if rows and not arguments.no_table:
        write_table("translate", table("translate.py", HEADINGS, [row.cells() for row in rows], notes, arguments))
    return 1 if any(row.problem for row in rows) else 0


if __name__ == "__main__":
    sys.exit(main())
