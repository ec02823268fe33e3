# SPDX-License-Identifier: MIT
"""Test what `rrsoft gdb` starts: a stand-in for gdb prints the words that it gets."""
import os
import pathlib
import unittest

from support import Case


class Gdb(Case):
    def setUp(self):
        super().setUp()
        self.gdb = self.top / "my gdb"
        self.gdb.write_text('#!/bin/sh\nfor word in "$@"; do printf "[%s]\\n" "$word"; done\n')
        self.gdb.chmod(0o755)

    def words(self, *words, **options):
        text = self.rrsoft("gdb", "--gdb", str(self.gdb), *words, **options)
        return [line[1:-1] for line in text.splitlines() if line.startswith("[")]

    def test_trace(self):
        path = self.make_trace("demo")
        words = self.words(path.name)
        self.assertEqual(words[0], "-q")
        source = next(word for word in words if word.startswith("source "))
        self.assertTrue(pathlib.Path(source[len("source "):]).exists())
        target = next(word for word in words if word.startswith("target "))
        self.assertRegex(target, r"^target extended-remote \| exec '/.*/rrsoft-gdbserver' --stdio --end '.*/demo-1'$")
        self.assertEqual(self.words(), words, "the latest trace")

    def test_options(self):
        self.make_trace("it's")
        words = self.words("--start", "-p", "77", "-ex", "-not-an-option", "-x", "file", "-ex", "bt", "-i=mi", "--tui")
        self.assertEqual(words[:4], ["-q", "-tui", "-i", "mi"])
        self.assertEqual(words[-6:], ["-x", "file", "-ex", "-not-an-option", "-ex", "bt"])
        target = next(word for word in words if word.startswith("target "))
        self.assertIn("--stdio --pid 77 '", target)
        self.assertNotIn("--end", target)

    def test_program_is_recorded_first(self):
        words = self.words("sh", "-c", "echo out; exit 3")
        target = next(word for word in words if word.startswith("target "))
        self.assertIn("/sh-1'", target)
        self.assertEqual(self.json("info")["end"]["exit_status"], 3)
        self.assertEqual(self.words("--", "true")[-1].rsplit("/", 1)[-1], "true-1'")
        self.assertEqual(os.path.realpath(self.home / "latest"), str(self.home / "true-1"))

    def test_mistakes(self):
        self.make_trace("demo")
        self.fails("gdb", "--gdb", "/no/such/gdb", match="install gdb")
        self.fails("gdb", "--gdb", str(self.gdb), "no-such-trace", match="no-such-trace")
        self.fails("gdb", "--pid", "0", exit_code=2, match="process id")
        self.fails("gdb", "--pid", "x", exit_code=2, match="number")
        self.fails("gdb", "--gdb", exit_code=2, match="needs a value")


if __name__ == "__main__":
    unittest.main()
