# SPDX-License-Identifier: MIT
"""Writes the table of a benchmark into docs/BENCHMARKS.md, between the markers <!-- NAME --> and <!-- /NAME -->."""
import datetime
import os
import pathlib
import platform

PAGE = pathlib.Path(__file__).resolve().parents[2] / "docs" / "BENCHMARKS.md"


def machine():
    """One sentence on what was measured where."""
    model = next((line.split(":", 1)[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")),
                 platform.machine())
    load = open("/proc/loadavg").read().split()[0]
    return (f"Measured {datetime.datetime.now(datetime.timezone.utc):%Y-%m-%d} on: {model}, {os.cpu_count()} cores, "
            f"Linux {platform.release()}, load before: {load}.")


def write(name, text):
    """Replaces what stands between the markers, and makes the page and the markers if they are missing."""
    begin, end = f"<!-- {name} -->", f"<!-- /{name} -->"
    page = PAGE.read_text() if PAGE.exists() else "# Benchmarks\n\n"
    if begin not in page or end not in page:
        page += f"{begin}\n{end}\n"
    before, rest = page.split(begin, 1)
    PAGE.write_text(f"{before}{begin}\n{text}\n{end}{rest.split(end, 1)[1]}")
