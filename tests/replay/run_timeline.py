#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Test a recorded program's timeline: records it, then visits the recording in every direction.

  run_timeline.py RRSOFT TIMELINE_TEST PLACES PROGRAM [ARGUMENT...]

The seed of the places is printed; $SEED repeats it.
"""
import os
import random
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir))
import children  # noqa: E402

TIMEOUT = 250


def main():
    rrsoft, timeline_test, places, *program = sys.argv[1:]
    seed = os.environ.get("SEED", str(random.randrange(1 << 31)))
    with tempfile.TemporaryDirectory(prefix="rrsoft-timeline-") as directory:
        trace = os.path.join(directory, "trace")
        children.run([rrsoft, "record", "--quiet", "--output", trace, "--"] + program, TIMEOUT,
                     stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        status = children.run([timeline_test, trace, seed, places], TIMEOUT)
    if status != 0:
        print(f"FAILED: status {status}, seed {seed}")
    return 0 if status == 0 else 1


if __name__ == "__main__":
    sys.exit(main())
