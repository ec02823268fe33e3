#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What `rrsoft count` costs: CPU and wall time against native, paired run by run.

  translate.py [--rrsoft PATH] [--quick] [--only NAME,...] [--runs N] [--timeout S] [--no-table] [--list]

CPU time is user + system of the whole tree, the tracer included. Each pair runs natively and counted, one right after
the other, in an order that alternates; the ratio is taken per pair, and the table shows the median and the range.
Writes the table into docs/BENCHMARKS.md between the markers <!-- translate --> and <!-- /translate --> unless
--no-table. --quick makes the work a fifth and the runs three. Exit: 1 if an output differs or a run fails.
"""
import argparse
import math
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time

from report import TOP, machine, seconds, write_table

HERE = os.path.dirname(os.path.abspath(__file__))
PROGRAMS = os.path.join(TOP, "tests", "real", "programs")


class Workload:
    """`cpu_bound` rows enter the geometric mean. `size` is what a full run takes; --quick takes a fifth."""

    def __init__(self, name, command, size=1, needs=(), cpu_bound=True, inputs=()):
        self.name, self.command, self.size = name, command, size
        self.needs, self.cpu_bound, self.inputs = needs, cpu_bound, inputs


LUA = """local function fib(n) if n < 2 then return n end return fib(n - 1) + fib(n - 2) end
local sum = 0
for i = 1, %d do
  sum = sum + fib(24)
  local t, s = {}, i
  for j = 1, 40000 do s = s * 16807 %% 2147483647; t[j] = s end
  table.sort(t)
  sum = sum + t[20000]
end
print(sum)"""
PYTHON = """def fib(n): return n if n < 2 else fib(n - 1) + fib(n - 2)
total = 0
for i in range(%d):
    total += fib(20)
    t, s = [], i + 1
    for j in range(20000):
        s = s * 16807 %% 2147483647
        t.append(str(s))
    t.sort()
    total += int(t[10000])
print(total)"""
PERL = """my %%w; my $n = 0; my @l = <STDIN>;
for my $round (1 .. %d) { for (@l) { $n++ while /\\b[a-z_]{3,}\\b/g; $w{lc $1}++ if /(\\w+)\\s*\\(/; tr/a-z/A-Z/ if $round == 1; } }
print "$n ", scalar(keys %%w), "\\n";"""
SQL = """with recursive n(i) as (select 1 union all select i + 1 from n where i < %d)
select count(*), sum((i * 7919) %% 10007), max(printf('%%x', i)) from n;
create table t(a integer, b text); create index tb on t(b);
with recursive n(i) as (select 1 union all select i + 1 from n where i < %d)
insert into t select (i * 7919) %% 10007, 'text' || (i %% 1009) from n;
select b, count(*), sum(a) from t group by b order by 3 desc limit 3;"""
NODE = """function fib(n) { return n < 2 ? n : fib(n - 1) + fib(n - 2); }
let h = 0; for (let i = 0; i < %d * 1e6; i++) { h ^= i & 255; h = Math.imul(h, 16777619); }
const m = new Map(); for (let i = 0; i < %d * 1e4; i++) m.set('k' + i %% 997, i);
console.log(h, fib(20 + Math.min(10, %d)), m.size);"""

WORKLOADS = [
    Workload("lua: fib and sort", lambda n: ["lua5.4", "-e", LUA % n], 30, ["lua5.4"]),
    Workload("python: fib and sort", lambda n: ["/usr/bin/python3", "-S", "-c", PYTHON % n], 60, ["/usr/bin/python3"]),
    Workload("perl: text", lambda n: ["sh", "-c", "exec perl -e \"$0\" < text", PERL % n], 5, ["perl"], inputs=["text"]),
    Workload("sqlite3 in memory", lambda n: ["sqlite3", ":memory:", SQL % (n * 40000, n * 20000)], 15, ["sqlite3"]),
    Workload("bzip2 -9", lambda n: ["sh", "-c", f"head -c {n}000000 data | bzip2 -9 -c | cksum"], 10, ["bzip2"], inputs=["data"]),
    Workload("gzip", lambda n: ["sh", "-c", f"head -c {n}000000 data | gzip -n -c | cksum"], 15, ["gzip"], inputs=["data"]),
    Workload("xz", lambda n: ["sh", "-c", f"head -c {n}00000 data | xz -6 -c | cksum"], 20, ["xz"], inputs=["data"]),
    Workload("zstd", lambda n: ["sh", "-c", f"head -c {n}000000 data | zstd -9 -q -c | cksum"], 30, ["zstd"], inputs=["data"]),
    Workload("gcc -O2", lambda n: ["sh", "-c", f"gcc -O2 -S -o - big{min(n, 5)}.c | cksum"], 5, ["gcc"], inputs=["big1.c", "big5.c"]),
    Workload("node: hot loop", lambda n: ["node", "-e", NODE % (n * 5, n * 5, n)], 40, ["node"]),
    Workload("C++ virtual calls", lambda n: ["./virtual_calls", str(n * 4000)], 80, inputs=["virtual_calls"]),
    Workload("deep recursion", lambda n: ["./recursion", str(34 if n < 5 else 39), str(n * 400)], 5, inputs=["recursion"]),
    Workload("two-thread ping-pong", lambda n: ["./ping_pong", str(n * 2000)], 20, cpu_bound=False, inputs=["ping_pong"]),
    Workload("ls -lR /usr/include", lambda n: ["sh", "-c", "ls -lR /usr/include | cksum"], cpu_bound=False),
    Workload("true", lambda n: ["/bin/true"], cpu_bound=False),
    Workload("200 times true in bash", lambda n: ["bash", "-c", "for i in {1..200}; do /bin/true; done"], cpu_bound=False,
             needs=["bash"]),
]


def make_text(path, megabytes):
    """Headers, again and again: text that every machine with a compiler has."""
    sources = sorted(os.path.join("/usr/include", name) for name in os.listdir("/usr/include") if name.endswith(".h"))
    with open(path, "wb") as out:
        while out.tell() < megabytes << 20:
            for source in sources:
                with open(source, "rb") as file:
                    out.write(file.read())


def make_input(name, directory):
    path = os.path.join(directory, name)
    if os.path.exists(path):
        return
    if name in ("text", "data"):
        make_text(path, 1 if name == "text" else 32)
    elif name.startswith("big"):
        with open(path, "w") as file:
            subprocess.run([sys.executable, os.path.join(PROGRAMS, "generate_c.py"), f"{name[3]}000"], stdout=file, check=True)
    else:
        source = os.path.join(HERE, f"translate_{name}")
        compiler, suffix = ("g++", ".cc") if os.path.exists(source + ".cc") else ("gcc", ".c")
        subprocess.run([compiler, "-O2", "-o", path, source + suffix, "-pthread"], check=True)


def measure(command, directory, timeout):
    """(wall seconds, CPU seconds, output) of one run, None if it failed. Kills its own process group only."""
    with tempfile.TemporaryFile() as out:
        start = time.monotonic()
        child = subprocess.Popen(command, cwd=directory, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.DEVNULL,
                                 start_new_session=True, env=dict(os.environ, LC_ALL="C"))
        status, usage = wait(child, start + timeout)
        wall = time.monotonic() - start
        out.seek(0)
        return (wall, usage.ru_utime + usage.ru_stime, out.read()) if status == 0 else None


def wait(child, deadline):
    """(wait status or None, rusage): blocks in wait4, so that short runs are timed right; an alarm ends it."""
    def expired(_number, _frame):
        os.killpg(child.pid, signal.SIGKILL)
    signal.signal(signal.SIGALRM, expired)
    signal.setitimer(signal.ITIMER_REAL, max(0.1, deadline - time.monotonic()))
    _, word, usage = os.wait4(child.pid, 0)
    signal.setitimer(signal.ITIMER_REAL, 0)
    try:
        os.killpg(child.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    child.returncode = word
    return word, usage


class Row:
    """The pairs of one workload."""

    def __init__(self, workload):
        self.workload, self.pairs, self.problem = workload, [], None

    def ratios(self, index):
        return [counted[index] / max(native[index], 1e-4) for native, counted in self.pairs]

    def median(self, side, index):
        return statistics.median(pair[side][index] for pair in self.pairs)

    def cells(self):
        if self.problem:
            return [self.workload.name, self.problem, "", "", "", "", ""]
        cells = [self.workload.name]
        for index in (1, 0):
            ratios = self.ratios(index)
            cells += [seconds(self.median(0, index)), seconds(self.median(1, index)),
                      f"**{statistics.median(ratios):.2f}** ({min(ratios):.2f}–{max(ratios):.2f})"]
        return cells


def run_workload(workload, prefix, runs, quick, timeout, directory):
    row = Row(workload)
    for name in workload.inputs:
        make_input(name, directory)
    command = workload.command(max(1, workload.size // 5) if quick else workload.size)
    for pair in range(runs):
        order = [command, prefix + command] if pair % 2 == 0 else [prefix + command, command]
        results = [measure(each, directory, timeout) for each in order]
        native, counted = results if pair % 2 == 0 else reversed(results)
        if native is None or counted is None:
            row.problem = "native run failed" if native is None else "counted run failed"
            break
        if native[2] != counted[2]:
            row.problem = "output differs"
            break
        row.pairs.append((native, counted))
    return row


HEADINGS = ["workload", "native CPU", "counted CPU", "CPU ratio (range)", "native wall", "counted wall", "wall ratio (range)"]


def summary(rows):
    good = [row for row in rows if row.pairs and not row.problem]
    lines = []
    bound = [statistics.median(row.ratios(1)) for row in good if row.workload.cpu_bound]
    if bound:
        mean = math.exp(statistics.fmean(math.log(ratio) for ratio in bound))
        lines.append(f"Geometric mean of the CPU ratios of the {len(bound)} CPU-bound workloads: **{mean:.2f}** "
                     f"(aim: at most 1.4); the largest: {max(bound):.2f} (aim: at most 2).")
    for row in good:
        if row.workload.name == "true":
            lines.append(f"`true` takes {row.median(1, 0) * 1000:.0f} ms (aim: at most 60 ms).")
        if row.workload.name.startswith("200 times"):
            lines.append(f"200 times `true` in one session: {row.median(1, 0) * 1000 / 200:.1f} ms each (aim: at most "
                         f"10 ms), {statistics.median(row.ratios(0)):.1f} times native (aim: at most 20).")
    return lines


def table(rows, runs, quick):
    lines = [f"`tests/bench/translate.py{' --quick' if quick else ''}`, {runs} pairs of runs each, {machine()}. "
             "Ratios: median and range of the pairs.", "", "| " + " | ".join(HEADINGS) + " |", "|---|" + "---:|" * (len(HEADINGS) - 1)]
    lines += ["| " + " | ".join(row.cells()) + " |" for row in rows]
    return "\n".join(lines + [""] + ["- " + line for line in summary(rows)])


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rrsoft", default=os.path.join(TOP, "build", "release", "cli", "rrsoft"))
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--only", default="", help="names, or beginnings of names, with commas between")
    parser.add_argument("--runs", type=int, default=0)
    parser.add_argument("--timeout", type=float, default=120, help="seconds that one run may take")
    parser.add_argument("--no-table", action="store_true")
    parser.add_argument("--list", action="store_true")
    arguments = parser.parse_args()
    arguments.runs = arguments.runs or (3 if arguments.quick else 7)
    return arguments


def chosen(only):
    wanted = [name for name in only.split(",") if name]
    return [w for w in WORKLOADS if not wanted or any(w.name.startswith(name) for name in wanted)]


def main():
    arguments = parse_arguments()
    if arguments.list:
        print("\n".join(workload.name for workload in WORKLOADS))
        return 0
    prefix, rows = [os.path.abspath(arguments.rrsoft), "count", "--"], []
    with tempfile.TemporaryDirectory(prefix="rrsoft-bench-") as directory:
        for workload in chosen(arguments.only):
            missing = [program for program in workload.needs if not shutil.which(program)]
            if missing:
                print(f"{workload.name}: skipped, no {missing[0]}", flush=True)
                continue
            row = run_workload(workload, prefix, arguments.runs, arguments.quick, arguments.timeout, directory)
            print("  ".join(row.cells()).replace("*", ""), flush=True)
            rows.append(row)
    print("\n".join(summary(rows)))
    if rows and not arguments.no_table:
        write_table("translate", table(rows, arguments.runs, arguments.quick))
    return 1 if any(row.problem for row in rows) else 0


if __name__ == "__main__":
    sys.exit(main())
