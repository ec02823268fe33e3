# SPDX-License-Identifier: MIT
"""Test what an IDE sees over gdb's machine interface: mi_transcript.py SERVER RECORDING.

The conversation is that of Microsoft's MIEngine (cppdbg): connect, breakpoints, steps in both directions, travel, stop.
"""
import os
import re
import select
import shutil
import subprocess
import sys
import tempfile
import time
import unittest

SERVER, RECORDING = sys.argv[1:]
COMMANDS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../python-gdb/rrsoft.py")


class Mi(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="rrsoft-mi-")
        self.gdb = subprocess.Popen(["gdb", "-nx", "-q", "-i=mi"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                    stderr=subprocess.DEVNULL, bufsize=0, env={**os.environ, "HOME": self.folder})
        self.addCleanup(self.end)
        self.rest = b""
        self.lines = []
        self.token = 0

    def end(self):
        self.gdb.kill()
        self.gdb.wait(10)
        self.gdb.stdin.close()
        self.gdb.stdout.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def read_until(self, pattern, seconds=20):
        """Gives the lines up to one that matches."""
        lines, deadline = [], time.monotonic() + seconds
        while True:
            while b"\n" in self.rest:
                line, self.rest = self.rest.split(b"\n", 1)
                lines.append(line.decode().rstrip())
                if re.match(pattern, lines[-1]):
                    return lines
            ready, _, _ = select.select([self.gdb.stdout], [], [], max(0, deadline - time.monotonic()))
            data = os.read(self.gdb.stdout.fileno(), 65536) if ready else b""
            self.assertTrue(data, f"no {pattern} in {lines}")
            self.rest += data

    def send(self, command):
        self.token += 1
        self.gdb.stdin.write(f"{self.token}{command}\n".encode())
        lines = self.read_until(rf"{self.token}\^")
        self.assertNotRegex(lines[-1], r"\^error", command)
        return lines[-1]

    def go(self, command):
        """Sends what makes the program go, and gives the stop."""
        self.send(command)
        return self.read_until(r"\*stopped")[-1]

    def test_session(self):
        self.send("-gdb-set mi-async on")
        self.send(f'-interpreter-exec console "source {COMMANDS}"')
        self.send("-target-select extended-remote | exec " + f"{SERVER} --stdio {RECORDING}")
        self.assertIn('"reverse"', self.send("-list-target-features"))
        self.assertIn('bkpt={number="1"', self.send("-break-insert fill"))
        self.assertIn('reason="breakpoint-hit"', self.go("-exec-continue"))
        self.assertIn('func="fill"', self.send("-stack-list-frames"))
        self.assertIn('reason="end-stepping-range"', self.go("-exec-next"))
        self.assertIn('line=', self.go("-exec-next"))
        self.assertIn('reason="end-stepping-range"', self.go("-exec-next --reverse"))
        self.assertIn('func="triple"', self.go("-exec-step"))
        self.assertIn('name="number",arg="1",value="0"', self.send("-stack-list-variables --all-values"))
        self.go("-exec-step-instruction --reverse")
        self.assertIn("wpt={", self.send("-break-watch total"))
        self.assertIn('reason="watchpoint-trigger"', self.go("-exec-continue"))
        self.assertIn('old="3",new="0"', self.go("-exec-continue --reverse").replace('value={old="0",new="3"}', "")
                      .replace("{", "").replace("}", ""))
        self.send("-break-delete")
        self.assertIn("*stopped", self.go("-exec-continue"))
        stop = self.go('-interpreter-exec console "rrsoft seek 5"')
        self.assertIn('reason="end-stepping-range"', stop)
        self.assertIn('value="5"', self.send('-data-evaluate-expression "(int)$_tick"'))
        self.assertIn("threads=[{", self.send("-thread-info"))
        self.assertIn("register-values", self.send("-data-list-register-values x 0 6 16"))
        self.send("-interpreter-exec console kill")
        self.gdb.stdin.write(b"-gdb-exit\n")
        self.assertEqual(self.gdb.wait(10), 0)


if __name__ == "__main__":
    if not shutil.which("gdb"):
        print("skipped: gdb is not installed")
        sys.exit(77)
    unittest.main(argv=sys.argv[:1])
