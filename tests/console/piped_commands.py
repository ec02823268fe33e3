# SPDX-License-Identifier: MIT
"""Test `rrsoft console` as a script drives it: every command, over a real recording whose program file is gone."""
import re
import subprocess
import unittest

from recording import RRSOFT, Case, line_of

PLACE = r"tick (\d+) of \d+, event (\d+) of \d+, task \d+, \d\d:\d\d:\d\d\.\d{6}"


class Piped(Case):
    def console(self, guest, *lines, options=(), exit_code=0):
        """Gives what a script of these lines prints. Errors go to self.errors."""
        words = [RRSOFT, "console", *options, self.record(guest)]
        done = subprocess.run(words, input="\n".join(lines) + "\n", env=self.env, text=True, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, timeout=100)
        self.assertEqual(done.returncode, exit_code, done.stderr)
        self.assertNotIn("(rrsoft)", done.stdout)
        self.errors = done.stderr.splitlines()
        if exit_code == 0:
            self.assertEqual(self.errors, [])
        return done.stdout

    def test_positions(self):
        text = self.console("crash", "when", "seek end", "when", "seek 50%", "seek +7", "seek -3", "seek event 20", "seek start")
        places = [(int(tick), int(event)) for tick, event in re.findall(PLACE, text)]
        first, end, again, half, more, less, event, start = places
        self.assertEqual((first[0], start[0]), (0, 0))
        self.assertEqual(end, again)
        self.assertEqual((half[0], more[0], less[0]), (end[0] // 2, end[0] // 2 + 7, end[0] // 2 + 4))
        self.assertEqual(event[1], 20)

    def test_steps_undo_each_other(self):
        text = self.console("crash", "seek 40%", "step 25", "back 25", "step", "back")
        pcs = re.findall(r"=> (0x[0-9a-f]+)", text)
        self.assertEqual(len(pcs), 5)
        self.assertEqual((pcs[0], pcs[0]), (pcs[2], pcs[4]))
        self.assertNotEqual(pcs[0], pcs[1])

    def test_crash_is_explained(self):
        # From the crash to the guilty write, the way that gdb's users know.
        mark = line_of("guilty", "crash.c")
        text = self.console("crash", "bt", "find 401", "watch $rax", "delete", options=["--end"])
        self.assertRegex(text, rf"#0 +0x[0-9a-f]+ in <report\+\d+> at crash.c:{line_of('crash', 'crash.c')}\n"
                               r"#1 +0x[0-9a-f]+ in <main\+\d+> at crash.c:\d+\n")
        self.assertIn("<_start+", text)
        address = re.search(r"(0x[0-9a-f]+)  \[heap\]", text) or re.search(r"(0x5555[0-9a-f]+)  \n", text)
        text = self.console("crash", f"watch {address.group(1)}", "rc", "bt 2", "regs rip", "continue", options=["--end"])
        self.assertRegex(text, r"watchpoint 1: 0x[0-9a-f]+: 0x[0-9a-f]+ \(\d+\) -> 0x191 \(401\)")
        self.assertIn(f"crash.c:{mark}\n", text)
        self.assertRegex(text, r"#1 +0x[0-9a-f]+ in <main\+\d+>")
        self.assertRegex(text, r"rip +0x[0-9a-f]+ +<deposit\+\d+>")
        self.assertEqual(text.count("-> 0x191 (401)"), 2, "forward over the same write again")

    def test_breakpoints_in_both_directions(self):
        line = line_of("guilty", "crash.c")
        text = self.console("crash", f"break crash.c:{line}", "break deposit", "c", "c", "c", "stops", "delete 1", "stops", "rc", "rc",
                            "delete", "stops", "c")
        self.assertEqual(re.findall(r"^breakpoint (\d): \S+$", text, re.M), ["2", "1", "2", "2"])
        self.assertEqual(text.count("the beginning of the recording"), 1)
        self.assertEqual(text.count("the end of the recording"), 1)

    def test_static_program_values(self):
        # Values of a program without any library, known in advance (tests/gdb/guests/freestanding.c).
        text = self.console("freestanding", "x/dg total", "watch total", "rc", "rc", "delete", "x/8dw values", "x/s &state",
                            "x/s state+4", "x/2dw values+4", "x", "find \"sXart\"", options=["--end"], exit_code=1)
        self.assertRegex(text, r"0x[0-9a-f]+ <total>:\t804\n")
        self.assertEqual(re.findall(r"watchpoint 1: total: 0x[0-9a-f]+ \((\d+)\) -> 0x[0-9a-f]+ \((\d+)\)", text),
                         [("84", "804"), ("63", "84")])
        self.assertRegex(text, r"<values>:\t0\t3\t6\t9\n0x[0-9a-f]+ <values\+16>:\t12\t15\t18\t21\n")
        self.assertRegex(text, r'<state\+4>:\t"start"\n')
        self.assertRegex(text, r"<values\+4>:\t3\t6\n0x[0-9a-f]+ <values\+12>:\t9\n")
        self.assertEqual(len(self.errors), 2, self.errors)

    def test_instructions(self):
        text = self.console("freestanding", "dis triple 3", "x/2i factorial", "break factorial", "c", "dis", "dis $pc+1 1")
        self.assertRegex(text, r"   0x[0-9a-f]+ <triple>:  push rbp\n   0x[0-9a-f]+ <triple\+1>:  mov rbp, rsp\n")
        self.assertRegex(text, r"   0x[0-9a-f]+ <factorial>:  push rbp\n")
        self.assertRegex(text, r"=> 0x[0-9a-f]+ <factorial>:  push rbp\n")
        self.assertRegex(text, r"jg (0x[0-9a-f]+)  # \1 <factorial\+\d+>\n")

    def test_recursion_is_unwound(self):
        line = line_of("bottom", "freestanding.c")
        text = self.console("freestanding", f"break freestanding.c:{line}", "c", "bt")
        self.assertEqual(len(re.findall(r"^#\d+ .*<factorial\+\d+>", text, re.M)), 6)
        self.assertRegex(text, r"#6 .*<run\+\d+>")

    def test_signal_frames_are_unwound(self):
        text = self.console("signals", "break handle", "c", "bt")
        self.assertRegex(text, r"(?s)<handle.*<main\+\d+>.*<_start\+\d+>")

    def test_tasks(self):
        text = self.console("threads", "break all_done", "c", "ps", "x/dg shared")
        rows = re.findall(r"^. +(\d+) +(\d+) +\d+  threads", text, re.M)
        self.assertEqual(len(rows), 4)
        self.assertEqual(len({process for _, process in rows}), 1)
        self.assertRegex(text, r"<shared>:\t120\n")
        other = next(task for task, process in rows if task != process)
        text = self.console("threads", "break all_done", "c", f"task {other}", "bt", "task 1", exit_code=1)
        self.assertIn(f"task {other},", text)
        self.assertRegex(text, r"in <work\+\d+>")
        self.assertRegex(self.errors[0], "line 5: task 1 is not alive here")

    def test_events_and_maps(self):
        text = self.console("signals", "events 1 5", "seek end", "events", "maps")
        self.assertRegex(text, r"(?m)^=> +2 .*")
        self.assertRegex(text, r'write\(1, .*"done\\n", 5\) = 5|write\(1, 0x[0-9a-f]+, 5\) = 5')
        self.assertRegex(text, rf"0x[0-9a-f]+-0x[0-9a-f]+ r-xp +[0-9a-f]+ {self.folder}/signals\n")

    def test_mistakes(self):
        mistakes = ("nonsense", "s x", "seek", "seek x%", "seek 101%", "x/z 4", "x 0", "x/s 8", "dis 0", "break nothing", "break 0",
                    "watch", "watch 0 0", "delete 9", "regs foo", "x $foo", "x 1+", "x (1", "x 1)", "find", "find \"no such text!\"",
                    "when now", "step 1 2", "st", "x " + "(" * 300, "x " + "9" * 40, "y" * 3000, "task 1", "events x")
        text = self.console("freestanding", *mistakes, "# a comment", "", "   ", "quit", "x 0", exit_code=1)
        self.assertEqual(text, "")
        self.assertEqual(len(self.errors), len(mistakes), self.errors)
        for number, error in enumerate(self.errors, 1):
            self.assertRegex(error, rf"^rrsoft: line {number}: .")

    def test_options(self):
        text = self.console("freestanding", "x/dg total", options=["-e", "break factorial", "-e", "c"])
        self.assertRegex(text, r"breakpoint 1: factorial\n")
        self.console("freestanding", "when", options=["-e", "nonsense"], exit_code=1)
        done = subprocess.run([RRSOFT, "console", "no-such-trace"], env=self.env, stdin=subprocess.DEVNULL, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60)
        self.assertEqual((done.returncode, done.stdout, len(done.stderr.splitlines())), (1, "", 1))

    def test_help_lists_each_command(self):
        text = self.console("freestanding", "help", "help seek")
        for name in ("when", "seek", "step", "back", "events", "ps", "dis", "x", "regs", "maps", "bt", "find", "watch", "break",
                     "continue", "rc"):
            self.assertRegex(text, rf"(?m)^{name}\b.*  \S")


if __name__ == "__main__":
    unittest.main(argv=["piped_commands"])
