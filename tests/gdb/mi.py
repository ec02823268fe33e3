# SPDX-License-Identifier: MIT
"""A gdb that is talked to by its machine interface, as an IDE does."""
import os
import re
import select
import subprocess
import time
import unittest


class Mi:
    """One gdb, or what stands in its place. `case` is told of what is wrong."""

    def __init__(self, case: unittest.TestCase, words, env, cwd=None):
        self.case = case
        self.gdb = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                                    bufsize=0, env=env, cwd=cwd)
        case.addCleanup(self.end)
        self.rest = b""
        self.token = 0
        self.seen = []

    def end(self):
        if self.gdb.poll() is None:
            self.gdb.kill()
            self.gdb.wait(10)
        self.gdb.stdin.close()
        self.gdb.stdout.close()

    def read_until(self, pattern, seconds=20):
        """Gives the lines up to one that matches."""
        lines, deadline = [], time.monotonic() + seconds
        while True:
            while b"\n" in self.rest:
                line, self.rest = self.rest.split(b"\n", 1)
                lines.append(line.decode().rstrip())
                self.seen.append(lines[-1])
                if re.match(pattern, lines[-1]):
                    return lines
            ready, _, _ = select.select([self.gdb.stdout], [], [], max(0, deadline - time.monotonic()))
            data = os.read(self.gdb.stdout.fileno(), 65536) if ready else b""
            self.case.assertTrue(data, f"no {pattern} in {lines}")
            self.rest += data

    def send(self, command):
        """Sends a command that must succeed, and gives its result."""
        self.token += 1
        self.gdb.stdin.write(f"{self.token}{command}\n".encode())
        lines = self.read_until(rf"{self.token}\^")
        self.case.assertNotRegex(lines[-1], r"\^error", command)
        return lines[-1]

    def go(self, command):
        """Sends what makes the program go, and gives the stop."""
        self.send(command)
        return self.read_until(r"\*stopped")[-1]

    def leave(self):
        """Ends gdb as an IDE does."""
        self.gdb.stdin.write(b"-gdb-exit\n")
        self.case.assertEqual(self.gdb.wait(20), 0)
