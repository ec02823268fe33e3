#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Test `rrsoft index`: what it says, interrupted and gone on with, a trace that cannot be written, wrong wishes."""
import json
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile
import time
import unittest

RRSOFT = os.environ["RRSOFT"]
NOBODY = 65534
LOOP = "i=0; while [ $i -lt 40000 ]; do i=$((i+1)); done; echo $i"


class IndexCommand(unittest.TestCase):
    def setUp(self):
        self.top = pathlib.Path(tempfile.mkdtemp(prefix="rrsoft-index-"))
        self.addCleanup(shutil.rmtree, self.top, ignore_errors=True)
        self.trace = self.top / "trace"
        self.assertEqual(self.rrsoft("record", "-q", "-o", self.trace, "--", "/bin/sh", "-c", LOOP)[0], 0)
        self.last_tick = json.loads(self.rrsoft("info", "--json", self.trace)[1])["last_tick"]

    def rrsoft(self, *words, **options):
        options = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "timeout": 100,
                   **options}
        done = subprocess.run([RRSOFT, *words], **options)
        return done.returncode, done.stdout.decode(), done.stderr.decode()

    def ticks(self):
        checkpoints = json.loads(self.rrsoft("info", "--json", self.trace)[1])["checkpoints"]
        return [checkpoint["tick"] for checkpoint in checkpoints]

    def check_sound(self):
        status, output, error = self.rrsoft("check", self.trace)
        self.assertEqual((status, error), (0, ""), output)
        self.assertEqual(self.rrsoft("replay", "--auto", self.trace), (0, "40000\n", ""))

    def test_every_so_many_ticks(self):
        every = self.last_tick // 5
        status, output, error = self.rrsoft("index", "--every", str(every), self.trace)
        self.assertEqual((status, error), (0, ""))
        ticks = self.ticks()
        self.assertRegex(output, f"^{len(ticks)} checkpoints stored\n$")
        self.assertIn(len(ticks), (4, 5))
        for before, after in zip([0] + ticks, ticks):
            self.assertLess(abs(after - before - every), every / 100)
        self.assertRegex(self.rrsoft("info", self.trace)[1], r"(?m)^checkpoints +[45] \(of [0-9.]+ [KM]iB of memory\)$")
        self.assertEqual(self.rrsoft("index", "--every", str(every), self.trace)[1],
                         f"0 checkpoints stored, {len(ticks)} were there\n")
        self.assertEqual(self.rrsoft("index", "--every", str(every // 4), self.trace)[0], 0)
        self.assertGreater(len(self.ticks()), 3 * len(ticks))
        self.assertLess(set(ticks), set(self.ticks()))
        self.check_sound()

    def interrupt(self, number, every):
        """Waits for the first checkpoint, then sends the signal."""
        child = subprocess.Popen([RRSOFT, "index", "--every", every, self.trace], stdout=subprocess.PIPE,
                                 stderr=subprocess.PIPE)
        end = time.monotonic() + 60
        while not self.ticks() and time.monotonic() < end and child.poll() is None:
            time.sleep(0.01)
        child.send_signal(number)
        output, error = child.communicate(timeout=60)
        return child.returncode, output.decode(), error.decode()

    def test_interrupted_and_resumed(self):
        every = str(max(self.last_tick // 400, 1))
        for number in (signal.SIGINT, signal.SIGKILL):
            status, output, error = self.interrupt(number, every)
            before = len(self.ticks())
            self.assertGreater(before, 0)
            self.assertEqual(status, 130 if number == signal.SIGINT else -number, error)
            if number == signal.SIGINT:
                self.assertRegex(output, "^[0-9]+ checkpoints? stored; interrupted: ")
            self.check_sound()
        status, output, error = self.rrsoft("index", "--every", every, self.trace)
        self.assertEqual((status, error), (0, ""))
        self.assertRegex(output, "^[0-9]+ checkpoints stored, [0-9]+ were there\n$")
        ticks = self.ticks()
        self.assertGreater(len(ticks), 380)
        self.assertEqual(ticks, sorted(set(ticks)))
        self.check_sound()

    @unittest.skipUnless(os.getuid() == 0, "needs another user")
    def test_trace_that_cannot_be_written(self):
        for path in (self.top, self.trace, *self.trace.iterdir()):
            path.chmod(0o755)
        rrsoft = shutil.copy(RRSOFT, self.top / "rrsoft")
        how = {"user": NOBODY, "group": NOBODY, "extra_groups": (), "stdout": subprocess.PIPE,
               "stderr": subprocess.PIPE, "timeout": 60}
        done = subprocess.run([rrsoft, "index", self.trace], **how)
        self.assertEqual((done.returncode, done.stdout), (1, b""))
        self.assertRegex(done.stderr.decode(), "^rrsoft: [^\n]*(Permission denied|not be written)[^\n]*\n$")
        self.assertEqual(self.rrsoft("index", "--every", str(self.last_tick // 3), self.trace)[0], 0)
        done = subprocess.run([rrsoft, "replay", self.trace], **how)
        self.assertEqual((done.returncode, done.stdout), (0, b"40000\n"))

    def test_wrong_wishes(self):
        for every in ("0", "x", "-1", "0s", "5parsecs"):
            status, output, error = self.rrsoft("index", "--every", every, self.trace)
            self.assertEqual((status, output), (2, ""), every)
            self.assertRegex(error, "^rrsoft: [^\n]+\n$")
        self.assertEqual(self.rrsoft("index", self.top / "none")[0], 1)
        self.assertEqual(self.ticks(), [])


if __name__ == "__main__":
    unittest.main()
