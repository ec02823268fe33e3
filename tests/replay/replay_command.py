#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Test `rrsoft replay`: its exit codes, what it shows, its report of a divergence, and that it needs the trace alone."""
import os
import pathlib
import shutil
import subprocess
import tempfile
import unittest

RRSOFT = os.environ["RRSOFT"]
REWRITE = os.environ["REWRITE_TRACE"]
GUEST = os.environ["GUEST"]
NOBODY = 65534


class ReplayCommand(unittest.TestCase):
    def setUp(self):
        self.top = pathlib.Path(tempfile.mkdtemp(prefix="rrsoft-replay-"))
        self.addCleanup(shutil.rmtree, self.top, ignore_errors=True)
        self.trace = self.top / "trace"

    def rrsoft(self, *words, **options):
        options = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "timeout": 60,
                   **options}
        done = subprocess.run([RRSOFT, *words], **options)
        return done.returncode, done.stdout.decode(), done.stderr.decode()

    def record(self, *command, **options):
        return self.rrsoft("record", "-q", "-o", self.trace, "--", *command, **options)

    def test_exit_codes(self):
        for script, status in (("exit 0", 0), ("exit 42", 42), ("kill -TERM $$", 128 + 15)):
            with self.subTest(script):
                recorded = self.record("/bin/sh", "-c", script)
                self.assertEqual(recorded[0], status)
                self.assertEqual(self.rrsoft("replay", "--auto", self.trace), recorded)
                self.assertEqual(self.rrsoft("replay", self.trace)[0], status)
                shutil.rmtree(self.trace)

    def test_echo(self):
        recorded = self.record("/bin/sh", "-c", "echo out; echo err >&2; cat /dev/null; printf more")
        self.assertEqual(recorded, (0, "out\nmore", "err\n"))
        self.assertEqual(self.rrsoft("replay", "--auto", self.trace), recorded)
        self.assertEqual(self.rrsoft("replay", "--auto", "--no-echo", self.trace), (0, "", ""))

    def test_divergence(self):
        """The second event becomes another system call than the program makes."""
        self.record(GUEST)
        changed = self.top / "changed"
        subprocess.run([REWRITE, self.trace, changed, "call=39,0,0,0,0,0,0,1"], check=True)
        status, _, error = self.rrsoft("replay", "--auto", changed)
        self.assertEqual(status, 3)
        self.assertRegex(error, r"^rrsoft: event 2 \(task [0-9]+, tick [0-9]+, at 0x[0-9a-f]+ "
                                r"\([a-z_]+\+0x[0-9a-f]+ in " + GUEST + r"\)\): [^\n]+ at tick [0-9]+\n$")

    def test_nothing_but_the_trace_is_needed(self):
        """The program, its libraries and its input are gone; another user, directory and environment."""
        libraries = self.top / "libraries"
        libraries.mkdir()
        program = shutil.copy("/bin/cat", self.top / "program")
        lines = subprocess.run(["ldd", program], stdout=subprocess.PIPE, check=True).stdout.decode().splitlines()
        for line in lines:
            words = line.split()
            if "=>" in words and words[2].startswith("/"):
                shutil.copy(words[2], libraries)
        self.assertTrue(list(libraries.iterdir()), "no library of its own")
        text = self.top / "text"
        text.write_text("input\n")
        recorded = self.record(program, "text", cwd=self.top, env={"LD_LIBRARY_PATH": str(libraries), "A": "b"})
        self.assertEqual(recorded, (0, "input\n", ""))
        os.unlink(program)
        os.unlink(text)
        shutil.rmtree(libraries)
        self.assertEqual(self.rrsoft("replay", self.trace, cwd="/", env={}), recorded)
        if os.getuid() == 0:
            for path in (self.top, self.trace, *self.trace.iterdir()):
                path.chmod(0o755)
            rrsoft = shutil.copy(RRSOFT, self.top / "rrsoft")
            done = subprocess.run([rrsoft, "replay", self.trace], user=NOBODY, group=NOBODY, extra_groups=(), cwd="/",
                                  env={}, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60)
            self.assertEqual((done.returncode, done.stdout.decode(), done.stderr.decode()), recorded)


if __name__ == "__main__":
    unittest.main()
