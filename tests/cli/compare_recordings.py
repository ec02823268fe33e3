# SPDX-License-Identifier: MIT
"""Test that `rrsoft diff` shows where two recordings of a program part, and why they may."""
import unittest

from support import RRSOFT, Case

# What it reads decides what it does, in children as well. (Threads of Python wait for each other, or need not:
# that is a difference of its own.)
SCRIPT = """
import os, sys
def look(name):
    fd = os.open(name, os.O_RDONLY)
    if os.read(fd, 100) == b"other":
        os.getppid()
    os.close(fd)
for name in sys.argv[1:3]:
    if os.fork() == 0:
        look(name)
        os._exit(0)
    os.wait()
look(sys.argv[3])
"""


class Diff(Case):
    def run_script(self, *contents):
        for name, content in zip("abc", contents, strict=True):
            (self.top / name).write_text(content)
        self.record("/usr/bin/python3", "-S", "-c", SCRIPT, "a", "b", "c", options=["--env", "PYTHONHASHSEED=0"])

    def test_same(self):
        for _ in range(2):
            self.run_script("x", "x", "x")
        report = self.json("diff", "python3-1", "python3-2")
        self.assertGreater(report["same_steps"], 100)
        self.assertGreater(report["other_inputs"], 0)
        self.assertNotIn("difference", report)
        self.assertRegex(self.rrsoft("diff", "python3-1", "python3-2"), r"^the same \d+ steps, \d+ of them with")
        exact = self.json("diff", "--exact", "python3-1", "python3-1")
        self.assertEqual(exact, {"same_steps": self.json("info", "python3-1")["events"], "other_inputs": 0})

    def test_parting(self):
        self.run_script("x", "x", "x")
        for i, contents in enumerate((("other", "x", "x"), ("x", "other", "x"), ("x", "x", "other"))):
            self.run_script(*contents)
            other = f"python3-{i + 2}"
            report = self.json("diff", "python3-1", other, exit_code=3)
            self.assertEqual(report["difference"], "another place in the program")
            one, two = report["parted"]
            self.assertRegex(one["text"], r"^(<... resumed> )?close\(")
            self.assertRegex(two["text"], r"^(<... resumed> )?getppid\(")
            left, right = report["last_input"]
            self.assertIn('"x", 100) = 1', left["text"])
            self.assertIn('"other", 100) = 5', right["text"])
            text = self.rrsoft("diff", "python3-1", other, exit_code=3)
            self.assertRegex(text, r"(?m)^  2  \d+  \d+  \d+  .*getppid")

    def test_mistakes_and_other_traces(self):
        self.run_script("x", "x", "x")
        self.fails("diff", "python3-1", exit_code=2)
        self.fails("diff", "python3-1", "nothing", match="nothing")
        self.fails("diff", "--strings", "0", "python3-1", "python3-1", exit_code=2, match="--strings")
        self.make_trace("empty", 0)
        self.assertEqual(self.rrsoft("diff", "empty-1", "empty-1"),
                         "the same 0 steps, 0 of them with other inputs\n")
        for seed in range(4):
            self.make_hostile_trace(seed)
        for words in (["hostile-1", "hostile-2"], ["-x", "hostile-3", "hostile-4"], ["hostile-1", "python3-1"]):
            done = self.run_program(RRSOFT, "diff", *words)
            self.assertIn(done.returncode, (0, 1, 3), done.stderr)
        self.rrsoft("diff", "hostile-1", "hostile-1")


if __name__ == "__main__":
    unittest.main()
