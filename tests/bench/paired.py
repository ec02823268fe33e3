# SPDX-License-Identifier: MIT
"""Paired measurements: a workload natively and under rrsoft, one right after the other, again and again.

CPU time is user + system of the whole tree, the tracer included. The order within a pair alternates; the ratio is taken
per pair, and tables show the median and the range.
"""
import argparse
import collections
import os
import platform
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
PROGRAMS = os.path.join(TOP, "tests", "real", "programs")
BENCHMARKS = os.path.join(TOP, "docs", "BENCHMARKS.md")


class Workload:
    """`cpu_bound` rows enter the geometric mean. `size` is what a full run takes; --quick takes a fifth. `leaves` is a
    directory that a run makes. If `takes_prefix`, the command puts what stands behind it in front of a part of itself."""

    def __init__(self, name, command, size=1, needs=(), cpu_bound=True, inputs=(), leaves=None, takes_prefix=False):
        self.name, self.command, self.size = name, command, size
        self.needs, self.cpu_bound, self.inputs = needs, cpu_bound, inputs
        self.leaves, self.takes_prefix = leaves, takes_prefix

    def under(self, prefix, quick):
        command = self.command(max(1, self.size // 5) if quick else self.size)
        return command + prefix if self.takes_prefix else prefix + command


def make_text(path, megabytes):
    """Headers, again and again: text that every machine with a compiler has."""
    sources = sorted(os.path.join("/usr/include", name) for name in os.listdir("/usr/include") if name.endswith(".h"))
    with open(path, "wb") as out:
        while out.tell() < megabytes << 20:
            for source in sources:
                with open(source, "rb") as file:
                    out.write(file.read())


def make_project(path):
    """A small C project: a program of a dozen files."""
    os.mkdir(path)
    names = [f"part{number}" for number in range(12)]
    for name in names:
        with open(os.path.join(path, name + ".c"), "w") as file:
            file.write(f"#include <stdio.h>\n#include <stdlib.h>\nint {name}(int x)\n{{\n    printf(\"{name} %d\\n\", abs(x));\n"
                       "    return x + 1;\n}\n")
    with open(os.path.join(path, "main.c"), "w") as file:
        file.write("".join(f"int {name}(int);\n" for name in names) + "int main(void)\n{\n    int x = 0;\n"
                   + "".join(f"    x = {name}(x);\n" for name in names) + "    return x != 12;\n}\n")
    with open(os.path.join(path, "Makefile"), "w") as file:
        objects = " ".join(name + ".o" for name in ["main", *names])
        file.write(f"program: {objects}\n\t$(CC) -o $@ {objects}\n%.o: %.c\n\t$(CC) -O1 -c -o $@ $<\n")


def make_program(name, path):
    source = next(os.path.join(HERE, file) for file in sorted(os.listdir(HERE))
                  if os.path.splitext(file)[0] in (f"translate_{name}", f"record_{name}"))
    compiler = "g++" if source.endswith(".cc") else "gcc"
    subprocess.run([compiler, "-O2", "-o", path, source, "-pthread"], check=True)


def make_input(name, directory):
    path = os.path.join(directory, name)
    if os.path.exists(path):
        return
    if name == "text" or name.startswith("data"):
        make_text(path, int(name.removeprefix("data")) if name != "text" else 1)
    elif name.startswith("big"):
        with open(path, "w") as file:
            subprocess.run([sys.executable, os.path.join(PROGRAMS, "generate_c.py"), f"{name[3]}000"], stdout=file, check=True)
    elif name == "project":
        make_project(path)
    else:
        make_program(name, path)


Run = collections.namedtuple("Run", "wall cpu output errors")  # seconds, seconds, bytes, text


def measure(command, directory, timeout):
    """The Run of a command, None if it failed. Kills its own process group only."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as errors:
        start = time.monotonic()
        child = subprocess.Popen(command, cwd=directory, stdin=subprocess.DEVNULL, stdout=out, stderr=errors,
                                 start_new_session=True, env=dict(os.environ, LC_ALL="C"))
        status, usage = wait(child, start + timeout)
        wall = time.monotonic() - start
        out.seek(0)
        errors.seek(0)
        if status != 0:
            return None
        return Run(wall, usage.ru_utime + usage.ru_stime, out.read(), errors.read().decode(errors="replace"))


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
        return [ours[index] / max(native[index], 1e-4) for native, ours in self.pairs]

    def median(self, side, index):
        return statistics.median(pair[side][index] for pair in self.pairs)

    def cells(self):
        """Name, then for CPU and for wall time: native, ours, ratio."""
        if self.problem:
            return [self.workload.name, self.problem, "", "", "", "", ""]
        cells = [self.workload.name]
        for index in (1, 0):
            ratios = self.ratios(index)
            cells += [seconds(self.median(0, index)), seconds(self.median(1, index)),
                      f"**{statistics.median(ratios):.2f}** ({min(ratios):.2f}–{max(ratios):.2f})"]
        return cells


def seconds(value):
    return f"{value * 1000:.0f} ms" if value < 1 else f"{value:.2f} s"


def run_workload(workload, prefix, arguments, directory, look=None):
    """The Row of a workload. `prefix` goes in front of it; `look` is called with each Run under it, and its native one."""
    row = Row(workload)
    for name in workload.inputs:
        make_input(name, directory)
    for pair in range(arguments.runs):
        runs = {}
        for ours in (False, True) if pair % 2 == 0 else (True, False):
            runs[ours] = measure(workload.under(prefix if ours else [], arguments.quick), directory, arguments.timeout)
            if workload.leaves:
                shutil.rmtree(os.path.join(directory, workload.leaves), ignore_errors=True)
            if ours and look and runs[ours]:
                look(row, runs[ours])
        if runs[False] is None or runs[True] is None:
            row.problem = "native run failed" if runs[False] is None else "run under rrsoft failed"
            break
        if runs[False].output != runs[True].output:
            row.problem = "output differs"
            break
        row.pairs.append((runs[False], runs[True]))
    return row


def run_all(workloads, prefix, arguments, directory, cells, look=None):
    """The rows of all workloads that can run here; prints each as it comes."""
    rows = []
    for workload in chosen(workloads, arguments.only):
        missing = [program for program in workload.needs if not shutil.which(program)]
        if missing:
            print(f"{workload.name}: skipped, no {missing[0]}", flush=True)
            continue
        rows.append(run_workload(workload, prefix, arguments, directory, look))
        print("  ".join(cells(rows[-1])).replace("*", ""), flush=True)
    return rows


def geometric_mean(rows):
    """(mean, largest) of the CPU ratios of those that are CPU-bound; None without any."""
    bound = [statistics.median(row.ratios(1)) for row in rows if row.workload.cpu_bound]
    return (statistics.geometric_mean(bound), max(bound), len(bound)) if bound else None


def cpu_model():
    with open("/proc/cpuinfo") as file:
        return next((line.split(":")[1].strip() for line in file if line.startswith("model name")), platform.machine())


def machine():
    """What was measured, on what."""
    commit = subprocess.run(["git", "-C", TOP, "rev-parse", "--short", "HEAD"], stdout=subprocess.PIPE, text=True,
                            stderr=subprocess.DEVNULL).stdout.strip()
    return f"at commit {commit or 'unknown'}, on {cpu_model()}, {os.cpu_count()} CPUs, Linux {platform.release()}"


def table(program, headings, rows, notes, arguments):
    """The table in Markdown. `rows` are lists of cells; `notes` are the lines under it."""
    lines = [f"`tests/bench/{program}{' --quick' if arguments.quick else ''}`, {arguments.runs} pairs of runs each, {machine()}. "
             "Ratios: median and range of the pairs.", "", "| " + " | ".join(headings) + " |", "|---|" + "---:|" * (len(headings) - 1)]
    lines += ["| " + " | ".join(cells) + " |" for cells in rows]
    return "\n".join(lines + [""] + ["- " + line for line in notes])


def write_table(mark, text):
    """Replaces what stands between <!-- mark --> and <!-- /mark --> in docs/BENCHMARKS.md, or puts it at the end."""
    begin, end = f"<!-- {mark} -->", f"<!-- /{mark} -->"
    with open(BENCHMARKS) as file:
        old = file.read()
    if begin not in old or end not in old:
        old += f"{begin}\n{end}\n"
    before, rest = old.split(begin, 1)
    after = rest.split(end, 1)[1]
    with open(BENCHMARKS, "w") as file:
        file.write(f"{before}{begin}\n{text}\n{end}{after}")


def parse_arguments(description, workloads):
    """The options that all paired benchmarks have; --list is carried out."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rrsoft", default=os.path.join(TOP, "build", "release", "cli", "rrsoft"), type=os.path.abspath)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--only", default="", help="names, or beginnings of names, with commas between")
    parser.add_argument("--runs", type=int, default=0)
    parser.add_argument("--timeout", type=float, default=120, help="seconds that one run may take")
    parser.add_argument("--no-table", action="store_true")
    parser.add_argument("--list", action="store_true")
    arguments = parser.parse_args()
    arguments.runs = arguments.runs or (3 if arguments.quick else 7)
    if arguments.list:
        print("\n".join(workload.name for workload in workloads))
        sys.exit(0)
    return arguments


def chosen(workloads, only):
    wanted = [name for name in only.split(",") if name]
    return [w for w in workloads if not wanted or any(w.name.startswith(name) for name in wanted)]
