# SPDX-License-Identifier: MIT
"""Test `rrsoft gdb PROGRAM` from end to end: record, open at the crash, find the guilty write, leave nothing behind."""
import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

RRSOFT, PROGRAM, THREADS = sys.argv[1:]
COMMANDS = ("set pagination off", "set width 0", "print $_siginfo.si_signo", "rrsoft when", "watch -l account->name", "reverse-continue",
            "print amount", "rrsoft back", "rrsoft seek start", "rrsoft seek end", "rrsoft last account->name", "print when")


class Session(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="rrsoft-gdb-")
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        self.env = {**os.environ, "HOME": self.folder, "RRSOFT_TRACE_DIR": self.folder, "LC_ALL": "C"}

    def run_gdb(self, *words, commands=COMMANDS):
        commands = [word for text in (*commands, "set confirm off", "quit") for word in ("-ex", text)]
        done = subprocess.run([RRSOFT, "gdb", *commands, *words], env=self.env, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=100)
        return done.stdout.decode()

    def test_crash(self):
        for words in (("--", PROGRAM), ()):
            text = self.run_gdb(*words)
            self.assertRegex(text, r"At the end of the recording \(tick \d+\): SIGSEGV")
            self.assertNotIn("Reading", text, "gdb reads from the trace without a word")
            self.assertIn("= 11\n", text)
            self.assertRegex(text, r"tick \d+ of \d+ \(100 %\)")
            self.assertRegex(text, r'New value = 0x[0-9a-f]+ "somebody"')
            self.assertIn("= 401\n", text)
            self.assertRegex(text, r'account->name: 0x[0-9a-f]+ "somebody" -> 0x191')
            self.assertIn("= 4\n", text)
        self.assertEqual([name for name in os.listdir(self.folder) if name.startswith("crash")], ["crash-1"])

    def test_thread_that_aborts(self):
        text = self.run_gdb("--", THREADS, commands=(
            "set width 0", "info threads", "up 4", "print own", "thread apply all -q -s up", "next", "rrsoft seek start",
            "continue", "print $_siginfo.si_signo"))
        self.assertRegex(text, r"At the end of the recording \(tick \d+\): SIGABRT")
        self.assertEqual(len(re.findall(r"^[* ] +\d+ +Thread ", text, re.MULTILINE)), 4, text)
        self.assertRegex(text, r"\$1 = 2\n")
        self.assertIn("No more reverse-execution history", text)
        self.assertRegex(text, r"received signal SIGABRT")
        self.assertRegex(text, r"= 6\n")
        self.assertNotIn("SIGTRAP", text)

    def test_what_is_no_recording(self):
        folder = os.path.join(self.folder, "none")
        os.mkdir(folder)
        done = subprocess.run([RRSOFT, "gdb", "-ex", "quit", folder], env=self.env, stdin=subprocess.DEVNULL, capture_output=True,
                              text=True, timeout=100)
        self.assertNotEqual(done.returncode, 0)
        self.assertEqual(len(done.stderr.splitlines()), 1, done.stderr)


if __name__ == "__main__":
    if not shutil.which("gdb"):
        print("skipped: gdb is not installed")
        sys.exit(77)
    unittest.main(argv=sys.argv[:1])
