# SPDX-License-Identifier: MIT
"""Test that `rrsoft ps` shows who made whom, what each process ran, its ticks and its end."""
import json
import unittest

from support import RRSOFT, Case

SCRIPT = "(/bin/true; exit 3); /usr/bin/python3 -S -c 'import threading as t; t.Thread(target=print).start()'; " \
         "sh -c 'exec cat /dev/null'; (:); kill -9 $$"


class Processes(Case):
    def test_tree(self):
        self.record("/bin/sh", "-c", SCRIPT, exit_code=137)
        text = self.rrsoft("ps")
        self.assertRegex(text, r"(?m)^ *PID +PPID +EXIT +CMD +TASKS +TICKS +EVENT$")
        self.assertRegex(text, r"(?m)^ *\d+ +-- +SIGKILL +/bin/sh -c '.* 1 +\d+ +1$")
        self.assertRegex(text, r"(?m)^ *\d+ +\d+ +3 +  \(forked without exec\) +1 +\d+ +\d+$")
        self.assertRegex(text, r"(?m)^ *\d+ +\d+ +0 +    /bin/true +1 +\d+ +\d+$")
        self.assertRegex(text, r"(?m)^ *\d+ +\d+ +0 +  /usr/bin/python3 -S -c .* 2 +\d+ +\d+$")

        rows = self.json("ps")
        shell, subshell, true, python, cat, empty = rows
        self.assertEqual([row["process"] for row in rows], sorted(row["process"] for row in rows))
        self.assertEqual(shell["command_line"], ["/bin/sh", "-c", SCRIPT])
        self.assertEqual(shell["program"], "/usr/bin/dash")
        self.assertEqual(shell["signal"], 9)
        self.assertNotIn("parent", shell)
        self.assertEqual((subshell["parent"], subshell["execs"], subshell["exit_status"]), (shell["process"], 0, 3))
        self.assertEqual((true["parent"], true["command_line"]), (subshell["process"], ["/bin/true"]))
        self.assertEqual((python["tasks"], python["exit_status"]), (2, 0))
        self.assertEqual((cat["execs"], cat["command_line"]), (2, ["cat", "/dev/null"]))
        self.assertEqual((empty["parent"], empty["tasks"]), (shell["process"], 1))
        self.assertEqual(sum(row["ticks"] for row in rows), self.json("info")["last_tick"])

    def test_ticks_are_those_that_are_counted(self):
        # Nothing in it goes by the time, or by numbers of processes.
        words = ["/bin/sh", "-c", "/bin/true; exec /bin/echo x"]
        self.record(*words)
        recorded = self.json("ps")
        done = self.run_program(RRSOFT, "count", "--json", "--", *words)
        counted = json.loads(done.stderr)["processes"]
        self.assertEqual([row["ticks"] for row in recorded], [row["ticks"] for row in counted])

    def test_other_traces(self):
        self.make_trace()
        self.assertEqual(self.json("ps"), [])
        for seed in range(6):
            self.make_hostile_trace(seed)
            self.rrsoft("ps", exit_code=None)
            self.assertRegex(self.stderr, r"^(rrsoft: .*: the trace has no blob [0-9a-f]{64}\n)?$")


if __name__ == "__main__":
    unittest.main()
