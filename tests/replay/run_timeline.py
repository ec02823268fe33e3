#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Test a recorded program's timeline: records it, then visits the recording in every direction.

  run_timeline.py RRSOFT TIMELINE_TEST PLACES|"PLACES EVERY" PROGRAM [ARGUMENT...]

With EVERY, a copy of the trace gets stored checkpoints so many ticks apart, and is visited. The seed of the places is printed; $SEED repeats it.
"""
import os
import random
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir))
import children  # noqa: E402

TIMEOUT = 1100  # ctest has limits of its own


def main():
    rrsoft, timeline_test, places, *program = sys.argv[1:]
    seed = os.environ.get("SEED", str(random.randrange(1 << 31)))
    with tempfile.TemporaryDirectory(prefix="rrsoft-timeline-") as directory:
        trace = os.path.join(directory, "trace")
        children.run([rrsoft, "record", "--quiet", "--output", trace, "--"] + program, TIMEOUT,
                     stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        number, *every = places.split()
        arguments = [trace, seed, number]
        if every:
            indexed = shutil.copytree(trace, os.path.join(directory, "indexed"))
            if children.run([rrsoft, "index", "--every", every[0], indexed], TIMEOUT) != 0:
                print("FAILED: rrsoft index")
            arguments.append(indexed)
        status = children.run([timeline_test, *arguments], TIMEOUT)
    if status != 0:
        print(f"FAILED: status {status}, seed {seed}")
    return 0 if status == 0 else 1


if __name__ == "__main__":
    sys.exit(main())
