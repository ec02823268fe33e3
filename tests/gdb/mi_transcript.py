# SPDX-License-Identifier: MIT
"""Test what an IDE sees over gdb's machine interface: mi_transcript.py SERVER RECORDING.

The conversation is that of Microsoft's MIEngine (cppdbg): connect, breakpoints, steps in both directions, travel, stop.
"""
import os
import shutil
import sys
import tempfile
import unittest

from mi import Mi

SERVER, RECORDING = sys.argv[1:]
COMMANDS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../python-gdb/rrsoft.py")


class Session(unittest.TestCase):
    def test_session(self):
        folder = tempfile.mkdtemp(prefix="rrsoft-mi-")
        self.addCleanup(shutil.rmtree, folder, ignore_errors=True)
        mi = Mi(self, ["gdb", "-nx", "-q", "-i=mi"], {**os.environ, "HOME": folder})
        mi.send("-gdb-set mi-async on")
        mi.send(f'-interpreter-exec console "source {COMMANDS}"')
        mi.send("-target-select extended-remote | exec " + f"{SERVER} --stdio {RECORDING}")
        self.assertIn('"reverse"', mi.send("-list-target-features"))
        self.assertIn('bkpt={number="1"', mi.send("-break-insert fill"))
        self.assertIn('reason="breakpoint-hit"', mi.go("-exec-continue"))
        self.assertIn('func="fill"', mi.send("-stack-list-frames"))
        self.assertIn('reason="end-stepping-range"', mi.go("-exec-next"))
        self.assertIn('line=', mi.go("-exec-next"))
        self.assertIn('reason="end-stepping-range"', mi.go("-exec-next --reverse"))
        self.assertIn('func="triple"', mi.go("-exec-step"))
        self.assertIn('name="number",arg="1",value="0"', mi.send("-stack-list-variables --all-values"))
        mi.go("-exec-step-instruction --reverse")
        self.assertIn("wpt={", mi.send("-break-watch total"))
        self.assertIn('reason="watchpoint-trigger"', mi.go("-exec-continue"))
        self.assertIn('old="3",new="0"', mi.go("-exec-continue --reverse").replace('value={old="0",new="3"}', "")
                      .replace("{", "").replace("}", ""))
        mi.send("-break-delete")
        self.assertIn("*stopped", mi.go("-exec-continue"))
        stop = mi.go('-interpreter-exec console "rrsoft seek 5"')
        self.assertIn('reason="end-stepping-range"', stop)
        self.assertIn('value="5"', mi.send('-data-evaluate-expression "(int)$_tick"'))
        self.assertIn("threads=[{", mi.send("-thread-info"))
        self.assertIn("register-values", mi.send("-data-list-register-values x 0 6 16"))
        mi.send("-interpreter-exec console kill")
        mi.leave()


if __name__ == "__main__":
    if not shutil.which("gdb"):
        print("skipped: gdb is not installed")
        sys.exit(77)
    unittest.main(argv=sys.argv[:1])
