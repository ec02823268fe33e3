#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Test that `rrsoft record --chaos` finds a race that a plain recording almost never shows, and that the seed repeats it.

How often it shows natively is said, too, but that is the machine's affair: under load it may.

  chaos_finds_race.py RRSOFT PROGRAM
"""
import os
import re
import shutil
import subprocess
import sys
import tempfile

RUNS, SHOWN_MAX, TRIES = 20, 2, 60


def run(*words, exits=(0, 1)):
    done = subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=100)
    assert done.returncode in exits, (words, done)
    return done.returncode, done.stderr.decode()


def count_failures(directory, *words):
    """How many of RUNS runs show the race."""
    failures = 0
    for _ in range(RUNS):
        failures += run(*words)[0]
        shutil.rmtree(os.path.join(directory, "trace"), ignore_errors=True)
    return failures


def check(rrsoft, program, directory):
    trace = os.path.join(directory, "trace")
    os.environ["RRSOFT_TRACE_DIR"] = os.path.join(directory, "traces")
    native = count_failures(directory, program)
    plain = count_failures(directory, rrsoft, "record", "-o", trace, "--", program)
    assert plain <= SHOWN_MAX, (native, plain)

    _, said = run(rrsoft, "record", "--chaos", f"--until-failure={TRIES}", "--", program, exits=[1])
    seeds = re.findall(r"--chaos=(\d+) repeats", said)
    assert len(set(seeds)) == len(seeds) == said.count("rrsoft: run "), said
    run(rrsoft, "replay", exits=[1])
    for _ in range(3):
        run(rrsoft, "record", f"--chaos={seeds[-1]}", "-o", trace, "--", program, exits=[1])
        run(rrsoft, "replay", trace, exits=[1])
        shutil.rmtree(trace)
    print(f"natively {native} of {RUNS}, recorded {plain}, with chaos at run {len(seeds)}")


with tempfile.TemporaryDirectory(prefix="rrsoft-chaos-") as top:
    check(os.path.abspath(sys.argv[1]), os.path.abspath(sys.argv[2]), top)
