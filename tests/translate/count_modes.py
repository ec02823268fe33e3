#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Test that the ticks of a program do not depend on how blocks are formed or how long slices are.

  count_modes.py RRSOFT [--long]

Each program is deterministic: fixed input, one process, no clock. Every mode must count the same.
"""
import os
import random
import re
import subprocess
import sys
import tempfile

SORT_INPUT = "\n".join(str((i * 7919) % 10007) for i in range(3000)) + "\n"
TEXT = " ".join(f"word{(i * 31) % 977}" for i in range(4000)) + "\n"
PYTHON = "import re,json;x=[i*i%97 for i in range(3000)];print(len(json.dumps(x)),len(re.findall('9.',str(x))))"

PROGRAMS = [
    (["true"], ""),
    (["sort", "-n"], SORT_INPUT),
    (["md5sum"], TEXT),
    (["sed", "-E", "s/([a-z]+)([0-9])/\\2\\1/g"], TEXT),
    (["awk", "{for(i=1;i<=NF;i++)n[$i]++}END{for(i in n)s+=n[i];print s}"], TEXT),
    (["bzip2", "-c"], TEXT),
    (["gzip", "-nc"], TEXT),
    (["perl", "-e", "$s=0;$s+=$_*3%7 for 1..20000;print $s"], ""),
    (["python3", "-S", "-c", PYTHON], ""),
]

MODES = [
    ["--no-eager"],
    ["--block-insns", "1"],
    ["--block-insns", "3"],
    ["--block-insns", "7", "--no-eager"],
    ["--slice", "997"],
]


def ticks(rrsoft, options, command, text):
    """The total, and what the program printed."""
    environment = {"PATH": "/usr/bin:/bin", "LC_ALL": "C", "PYTHONHASHSEED": "0", "HOME": "/",
                   "PERL_HASH_SEED": "0", "PYTHONDONTWRITEBYTECODE": "1"}
    with tempfile.TemporaryFile() as file:
        file.write(text.encode())
        file.seek(0)
        done = subprocess.run([rrsoft, "count", *options, "--", *command], stdin=file, timeout=100,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment, check=False)
    found = re.search(rb"total: (\d+) ticks", done.stderr)
    if done.returncode or not found:
        raise RuntimeError(f"{' '.join(options)}: exit {done.returncode}: {done.stderr.decode()[-500:]}")
    return int(found.group(1)), done.stdout


def random_modes(count):
    seed = int(os.environ.get("SEED", random.randrange(1, 1 << 32)))
    print(f"seed {seed} (set SEED to repeat)")
    chosen = random.Random(seed)
    return [["--cut-seed", str(chosen.randrange(1, 1 << 32)), "--slice", str(chosen.choice([313, 4099, 100003]))]
            for _ in range(count)]


def main():
    rrsoft = sys.argv[1]
    long = "--long" in sys.argv
    wrong = 0
    modes = MODES + random_modes(8 if long else 2)
    if long:
        modes += [["--slice", "1"], ["--slice", "7", "--block-insns", "2"], ["--block-insns", "64", "--slice", "50"]]
    for command, text in PROGRAMS:
        if not any(os.access(os.path.join(folder, command[0]), os.X_OK) for folder in ("/usr/bin", "/bin")):
            print(f"{command[0]}: not here, left out")
            continue
        try:
            expected, output = ticks(rrsoft, [], command, text)
            for options in modes:
                found, printed = ticks(rrsoft, options, command, text)
                if found != expected or printed != output:
                    wrong += 1
                    print(f"{command[0]} {' '.join(options)}: {found} ticks, without: {expected}"
                          f"{'' if printed == output else '; other output'}")
        except (RuntimeError, subprocess.TimeoutExpired) as error:
            wrong += 1
            print(f"{command[0]}: {error}")
            continue
        print(f"{command[0]}: {expected} ticks in {len(modes) + 1} modes", flush=True)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
