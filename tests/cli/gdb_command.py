# SPDX-License-Identifier: MIT
"""Test what `rrsoft gdb` starts: a stand-in for gdb prints the words that it gets."""
import os
import pathlib
import time
import unittest

from support import Case


class Gdb(Case):
    def setUp(self):
        super().setUp()
        self.gdb = self.top / "my gdb"
        self.gdb.write_text('#!/bin/sh\nfor word in "$@"; do printf "[%s]\\n" "$word"; done\n'
                            'for child in $(cat /proc/$$/task/$$/children); do\n'
                            '  cat "/proc/$child/cmdline" 2>/dev/null | tr "\\0" "\\n" | grep -q gdbserver || continue\n'
                            '  tr "\\0" "\\n" <"/proc/$child/cmdline" | while read -r word; do printf "{%s}\\n" "$word"; done\n'
                            'done\n')
        self.gdb.chmod(0o755)

    def words(self, *words, **options):
        """The words for gdb. Those for the server behind it are in self.server."""
        text = self.rrsoft("gdb", "--gdb", str(self.gdb), *words, **options)
        self.server = [line[1:-1] for line in text.splitlines() if line.startswith("{")]
        return [line[1:-1] for line in text.splitlines() if line.startswith("[")]

    def test_trace(self):
        self.rrsoft("record", "--quiet", "--", "/bin/true")
        words = self.words("true-1")
        self.assertEqual(words[0], "-q")
        source = next(word for word in words if word.startswith("source "))
        self.assertTrue(pathlib.Path(source[len("source "):]).exists())
        target = next(word for word in words if word.startswith("maintenance "))
        self.assertRegex(target, r"^maintenance rrsoft-connect /.*/rrsoft-....../gdb\.sock$")
        self.assertRegex(self.server[0], "/rrsoft-gdbserver$")
        self.assertEqual((self.server[1], self.server[-1]), ("--end", str(self.home / "true-1")))
        socket = pathlib.Path(target.split()[-1])
        self.wait_until(lambda: not socket.parent.exists(), "the server ends with gdb, and leaves nothing")
        self.words()
        self.assertEqual(self.server[-1], str(self.home / "true-1"), "the latest trace")

    def wait_until(self, condition, what):
        end = time.monotonic() + 60
        while not condition():
            self.assertLess(time.monotonic(), end, what)
            time.sleep(0.02)

    def test_options(self):
        self.home.mkdir()
        self.rrsoft("record", "--quiet", "--output", str(self.home / "it's"), "--", "/bin/true")
        pid = self.json("ps", "it's")[0]["process"]
        words = self.words("--start", "-p", str(pid), "-ex", "-not-an-option", "-x", "file", "-ex", "bt", "-i=mi", "--tui", "it's")
        self.assertEqual(words[:4], ["-q", "-tui", "-i", "mi"])
        self.assertEqual(words[-6:], ["-x", "file", "-ex", "-not-an-option", "-ex", "bt"])
        self.assertTrue(any(word.startswith("target extended-remote /") for word in words), words)
        self.assertEqual(self.server[1:], ["--pid", str(pid), str(self.home / "it's")])

    def test_program_is_recorded_first(self):
        self.words("sh", "-c", "echo out; exit 3")
        self.assertTrue(self.server[-1].endswith("/sh-1"))
        self.assertEqual(self.json("info")["end"]["exit_status"], 3)
        self.words("--", "true")
        self.assertTrue(self.server[-1].endswith("/true-1"))
        self.assertEqual(os.path.realpath(self.home / "latest"), str(self.home / "true-1"))

    def test_mistakes(self):
        self.make_trace("demo")
        self.fails("gdb", "--gdb", "/no/such/gdb", match="install gdb")
        self.fails("gdb", "--gdb", str(self.gdb), "no-such-trace", match="no-such-trace")
        done = self.run_program(os.environ["RRSOFT"], "gdb", "--gdb", str(self.gdb), "demo-1")
        self.assertEqual((done.returncode, done.stdout), (1, b""), "gdb is not started without a server")
        self.assertRegex(done.stderr, b"^rrsoft-gdbserver: [^\\n]+\\n$")
        self.fails("gdb", "--pid", "0", exit_code=2, match="process id")
        self.fails("gdb", "--pid", "x", exit_code=2, match="number")
        self.fails("gdb", "--gdb", exit_code=2, match="needs a value")


if __name__ == "__main__":
    unittest.main()
