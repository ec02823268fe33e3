# SPDX-License-Identifier: MIT
"""Test `rrsoft console` at a pseudo-terminal: prompt, completion, history, repetition, Ctrl-C, Ctrl-D."""
import os
import pathlib
import pty
import re
import select
import stat
import subprocess
import sys
import time
import unittest

from recording import RRSOFT, Case

PROMPT = "(rrsoft) "


class Terminal(Case):
    def start(self, guest, *arguments):
        trace = self.record(guest, *arguments)
        self.master, slave = pty.openpty()
        self.process = subprocess.Popen([RRSOFT, "console", trace], env=self.env, stdin=slave, stdout=slave, stderr=slave,
                                        preexec_fn=self.own_terminal, start_new_session=True)
        os.close(slave)
        self.addCleanup(self.end, self.process, self.master)
        self.seen = ""
        return self.expect(re.escape(PROMPT))

    @staticmethod
    def own_terminal():
        """Makes the terminal the controlling one, so that Ctrl-C is a signal."""
        import fcntl
        import termios
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)

    @staticmethod
    def end(process, master):
        if process.poll() is None:
            process.kill()
        process.wait(20)
        os.close(master)

    def expect(self, pattern, seconds=40):
        """Waits for what matches, and gives all up to there."""
        deadline = time.monotonic() + seconds
        while not (found := re.search(pattern, self.seen)):
            ready, _, _ = select.select([self.master], [], [], max(0, deadline - time.monotonic()))
            try:
                data = os.read(self.master, 65536) if ready else b""
            except OSError:
                data = b""
            self.assertTrue(data, f"no {pattern} in {self.seen!r}")
            self.seen = re.sub(r"\x1b\[[?0-9;]*[A-Za-z]|\r(?!\n)", "", self.seen + data.decode(errors="replace"))
        text, self.seen = self.seen[:found.end()], self.seen[found.end():]
        return text

    def type(self, text):
        os.write(self.master, text.encode())

    def do(self, line):
        self.type(line + "\r")
        return self.expect(r"\r\n(?s:.*?)" + re.escape(PROMPT))

    def leave(self):
        self.type("\x04")
        self.assertEqual(self.process.wait(20), 0)

    def test_session(self):
        self.assertIn("=> 0x", self.start("freestanding"), "it says where it stands")
        self.assertIn("rrsoft: no command 'nonsense'", self.do("nonsense"))
        self.type("br\tfacto\t\r")
        self.assertIn("breakpoint 1: factorial, at 0x", self.expect(r"at 0x.*\r\n" + re.escape(PROMPT)))
        self.assertRegex(self.do("c"), r"breakpoint 1: factorial\r\n")
        before = self.number(r"=> (0x[0-9a-f]+)", self.do("step"))
        self.assertGreater(self.number(r"=> (0x[0-9a-f]+)", self.do("")), before, "an empty line repeats the step")
        self.assertIn("<values>", self.do("x/2dw values"))
        self.assertIn("<values+8>", self.do(""), "an empty line goes on behind what was shown")
        self.type("\x1b[A\x1b[A\x1b[A")  # three up: x, step, c
        self.assertRegex(self.do(""), r"breakpoint 1: factorial\r\n")
        self.leave()
        history = pathlib.Path(self.folder, ".rrsoft_history")
        self.assertEqual(stat.S_IMODE(history.stat().st_mode), 0o600)
        self.assertEqual(history.read_text().splitlines()[-4:], ["c", "step", "x/2dw values", "c"])

    def test_history_of_the_session_before(self):
        self.start("freestanding")
        self.do("dis factorial 1")
        self.leave()
        self.start("freestanding")
        self.type("\x1b[A")
        self.assertIn("<factorial>", self.do(""))
        self.type("quit\r")
        self.assertEqual(self.process.wait(20), 0)

    def test_completion_offers(self):
        self.start("freestanding")
        self.type("s\t\t")
        text = self.expect(r"stops(?s:.*)" + re.escape(PROMPT))
        for name in ("seek", "step", "stops"):
            self.assertIn(name, text)
        self.type("\x15seek st\t\r")
        self.assertRegex(self.expect(r"tick (?s:.*?)" + re.escape(PROMPT)), "tick 0 of")

    def test_interrupt_at_the_prompt(self):
        self.start("freestanding")
        self.type("half a line")
        self.expect("half a line")
        self.type("\x03")
        self.expect(r"\r\n" + re.escape(PROMPT))
        self.assertIn("tick 0 of", self.do("when"))
        self.leave()

    def test_interrupt_of_a_long_movement(self):
        self.start("long_loop", "3000")
        self.do("break never")
        self.type("c\r")
        self.expect(r"% of the way \(Ctrl-C stops\)")
        self.type("\x03")
        begin = time.monotonic()
        self.assertIn("interrupted\r\n", self.expect(re.escape(PROMPT)))
        self.assertLess(time.monotonic() - begin, 5)
        first = self.number(r"tick (\d+) of", self.do("when"))
        self.assertGreater(first, 0)
        self.type("rc\r")
        time.sleep(0.05)
        self.type("\x03")
        self.expect(re.escape(PROMPT))
        self.assertLessEqual(self.number(r"tick (\d+) of", self.do("when")), first)
        self.assertRegex(self.do("seek start"), "tick 0 of")
        self.leave()


if __name__ == "__main__":
    try:
        for end in pty.openpty():
            os.close(end)
    except OSError as error:
        print(f"skipped: no pseudo-terminal: {error}")
        sys.exit(77)
    unittest.main(argv=["at_a_terminal"])
