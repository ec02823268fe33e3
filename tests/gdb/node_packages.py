# SPDX-License-Identifier: MIT
"""The debug adapter with its packages, in a folder of the build: what the tests of front ends share."""
import fcntl
import filecmp
import pathlib
import shutil
import subprocess
import sys

SOURCE = pathlib.Path(__file__).resolve().parents[2] / "gdbserver" / "dap"


def skip_without(*programs):
    """Ends the test as skipped, loudly, if one of these programs is not there."""
    for program in programs:
        if not shutil.which(program):
            print(f"SKIPPED: {program} is not installed, so NOTHING of this test was run", flush=True)
            sys.exit(77)


def install(folder):
    """Copies the adapter into a folder and installs its packages there, by the lock file, unless that was done."""
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / "lock", "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        installed = folder / "installed-lock.json"
        for path in SOURCE.glob("*.*"):
            shutil.copy(path, folder)
        if not installed.exists() or not filecmp.cmp(installed, SOURCE / "package-lock.json", shallow=False):
            words = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
            done = subprocess.run(words, cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                  stderr=subprocess.STDOUT, timeout=180)
            if done.returncode != 0:
                raise SystemExit(f"'npm ci' failed:\n{done.stdout.decode()}")
            shutil.copy(SOURCE / "package-lock.json", installed)
    return folder
