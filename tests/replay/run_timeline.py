#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Test a recorded program's timeline: records it, then visits the recording in every direction.

  run_timeline.py RRSOFT TIMELINE_TEST PLACES PROGRAM [ARGUMENT...]

The seed of the places is printed; $SEED repeats it.
"""
import os
import random
import signal
import subprocess
import sys
import tempfile

TIMEOUT = 250


def run(command, **how):
    """Its exit status; the process group is gone afterwards."""
    child = subprocess.Popen(command, start_new_session=True, **how)
    try:
        return child.wait(TIMEOUT)
    except subprocess.TimeoutExpired:
        return "not done in time"
    finally:
        try:
            os.killpg(child.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass


def main():
    rrsoft, timeline_test, places, *program = sys.argv[1:]
    seed = os.environ.get("SEED", str(random.randrange(1 << 31)))
    with tempfile.TemporaryDirectory(prefix="rrsoft-timeline-") as directory:
        trace = os.path.join(directory, "trace")
        run([rrsoft, "record", "--quiet", "--output", trace, "--"] + program,
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        status = run([timeline_test, trace, seed, places])
    if status != 0:
        print(f"FAILED: status {status}, seed {seed}")
    return 0 if status == 0 else 1


if __name__ == "__main__":
    sys.exit(main())
