# SPDX-License-Identifier: MIT
"""What the benchmark programs share: figures for people, and tables in docs/BENCHMARKS.md."""
import os
import platform
import subprocess

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def seconds(value):
    return f"{value * 1000:.0f} ms" if value < 1 else f"{value:.2f} s"


def cpu_model():
    with open("/proc/cpuinfo") as file:
        return next((line.split(":")[1].strip() for line in file if line.startswith("model name")), platform.machine())


def machine():
    """What was measured on what: 'at commit .., on ..'."""
    commit = subprocess.run(["git", "-C", TOP, "rev-parse", "--short", "HEAD"], stdout=subprocess.PIPE, text=True,
                            stderr=subprocess.DEVNULL).stdout.strip()
    return f"at commit {commit or 'unknown'}, on {cpu_model()}, {os.cpu_count()} CPUs, Linux {platform.release()}"


def write_table(name, text):
    """Replaces what stands between the markers <!-- NAME --> and <!-- /NAME -->; adds them if they are missing."""
    path = os.path.join(TOP, "docs", "BENCHMARKS.md")
    begin, end = f"<!-- {name} -->", f"<!-- /{name} -->"
    with open(path) as file:
        old = file.read()
    if begin not in old or end not in old:
        old += f"{begin}\n{end}\n"
    before, rest = old.split(begin, 1)
    after = rest.split(end, 1)[1]
    with open(path, "w") as file:
        file.write(f"{before}{begin}\n{text}\n{end}{after}")
