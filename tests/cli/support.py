# SPDX-License-Identifier: MIT
"""What the tests of the command line share: a trace directory of their own, and running `rrsoft` in it.

The programs under test and the source tree come from the environment (see CMakeLists.txt).
"""
import json
import os
import pathlib
import shutil
import subprocess
import tempfile
import unittest

RRSOFT = os.environ["RRSOFT"]
MAKE_HOSTILE_TRACE = os.environ["MAKE_HOSTILE_TRACE"]
MAKE_TRACE = os.environ["MAKE_TRACE"]
SOURCE = pathlib.Path(os.environ["RRSOFT_SOURCE"])
START = 1767323045  # 2026-01-02 03:04:05 UTC


class Case(unittest.TestCase):
    """A test case with an empty trace directory, `self.home`, and UTC as the local time."""

    def setUp(self):
        self.top = pathlib.Path(tempfile.mkdtemp(prefix="rrsoft-cli-"))
        self.addCleanup(shutil.rmtree, self.top, ignore_errors=True)
        self.home = self.top / "traces"
        self.env = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.top),
            "LC_ALL": "C",
            "TZ": "UTC",
            "RRSOFT_TRACE_DIR": str(self.home),
        }

    def run_program(self, *words, **options):
        options = {"env": self.env, "cwd": self.top, "timeout": 60, "stdin": subprocess.DEVNULL,
                   "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **options}
        return subprocess.run(words, **options)

    def rrsoft(self, *words, exit_code=0, **options):
        """Runs rrsoft, checks its exit code (None: 0 or 1), and gives what it printed. Errors are one line each."""
        done = self.run_program(RRSOFT, *words, **options)
        stderr = done.stderr.decode()
        self.assertIn(done.returncode, (0, 1) if exit_code is None else (exit_code,), f"{words}: {stderr}")
        for line in stderr.splitlines():
            self.assertRegex(line, "^rrsoft: .", words)
        self.stderr = stderr
        return done.stdout.decode() if done.stdout is not None else ""

    def fails(self, *words, exit_code=1, match=".", **options):
        """Runs rrsoft, which must print one line of error that matches, and no result."""
        stdout = self.rrsoft(*words, exit_code=exit_code, **options)
        self.assertEqual(stdout, "", words)
        self.assertEqual(len(self.stderr.splitlines()), 1, self.stderr)
        self.assertRegex(self.stderr, match)

    def json(self, *words, **options):
        # JSON of RFC 8259 has no NaN or Infinity, and no name twice in an object.
        def no_constant(name):
            raise AssertionError(f"not strict JSON: {name}")

        def once(pairs):
            self.assertEqual(len(pairs), len(dict(pairs)), "a name stands twice in an object")
            return dict(pairs)

        text = self.rrsoft(*words, "--json", **options)
        return json.loads(text, parse_constant=no_constant, object_pairs_hook=once)

    def make_trace(self, program="demo", events=20, end="exited", arguments=(), start=START):
        """Makes a trace and gives its path."""
        done = self.run_program(MAKE_TRACE, program, str(events), str(start), end, *arguments)
        self.assertEqual(done.returncode, 0, done.stderr)
        return pathlib.Path(done.stdout.decode().rstrip("\n"))

    def make_hostile_trace(self, seed, events=3000):
        """Makes a trace of events with bytes that no recorder writes."""
        done = self.run_program(MAKE_HOSTILE_TRACE, str(events), str(seed))
        self.assertEqual(done.returncode, 0, done.stderr)

    def record(self, *words, options=(), exit_code=0, **more):
        """Records a program, which is to end with that exit code, and gives what it printed."""
        return self.rrsoft("record", "--quiet", *options, "--", *words, exit_code=exit_code, **more)

    def start_recording(self, events=20):
        """Starts a process that holds a trace open for writing until its stdin ends."""
        words = [MAKE_TRACE, "busy", str(events), str(START), "recording"]
        process = subprocess.Popen(words, env=self.env, stdin=subprocess.PIPE, stdout=subprocess.PIPE)

        def end():
            process.stdin.close()
            process.wait(60)
            process.stdout.close()

        self.addCleanup(end)
        return process, pathlib.Path(process.stdout.readline().decode().rstrip("\n"))


def commands():
    """The names of all commands, as the help lists them."""
    text = subprocess.run([RRSOFT, "--help"], stdout=subprocess.PIPE, check=True).stdout.decode()
    section = text.split("Commands:\n")[1].split("\n\n")[0]
    return [line.split()[0] for line in section.splitlines()]


def long_options(command):
    """The long options of a command, as its help lists them, with their dashes."""
    words = [RRSOFT, command, "--help"]
    text = subprocess.run(words, stdout=subprocess.PIPE, check=True).stdout.decode()
    lines = text.split("\nOptions:\n")[1].splitlines()
    return [word.rstrip(",").split("[")[0] for line in lines for word in line[:30].split() if word.startswith("--")]
