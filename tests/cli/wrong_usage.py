# SPDX-License-Identifier: MIT
"""Test that wrong usage of any command is one clear line on stderr and exit code 2."""
import os
import subprocess
import unittest

from support import RRSOFT, Case, commands


class WrongUsage(Case):
    def wrong(self, *words, match="."):
        self.fails(*words, exit_code=2, match=match)

    def test_no_command(self):
        self.wrong(match="no command given; see 'rrsoft --help'")

    def test_mistyped_command_names_the_near_one(self):
        for typed, meant in [("evnets", "events"), ("event", "events"), ("inof", "info"),
                             ("lss", "ls"), ("chekc", "check"), ("hlep", "help"), ("e", "events")]:
            self.wrong(typed, match=f"no command '{typed}'; did you mean '{meant}'")
            self.wrong("help", typed, match=f"did you mean '{meant}'")

    def test_command_that_is_near_to_nothing(self):
        self.wrong("frobnicate", match="no command 'frobnicate'; see 'rrsoft --help'")
        self.wrong("x" * 5000, match="no command")
        self.wrong("", match="no command ''")

    def test_unknown_option(self):
        self.wrong("--verbose", match="no option '--verbose'|unknown option '--verbose'")
        for command in commands():
            self.wrong(command, "--frobnicate", match=f"no option '--frobnicate'; see 'rrsoft {command}")
            self.wrong(command, "-Z", match="no option '-Z'")
        self.wrong("ls", "--jsn", match="no option '--jsn'; did you mean '--json'")
        self.wrong("events", "--form", "3", match="did you mean '--from'")

    def test_value_missing_or_not_wanted(self):
        self.wrong("events", "--from", match="--from needs a value: EVENT")
        self.wrong("ls", "--json=yes", match="--json takes no value")

    def test_number_that_is_none(self):
        for value in ["", "x", "-1", "1x", "1,", ",1", "1,,2", "0x", "18446744073709551616", "1 2", "1.5"]:
            self.wrong("events", "--from", value, match="--from needs a number")
            self.wrong("events", f"--tick={value}", match="--tick needs a number")

    def test_too_many_or_too_few_arguments(self):
        self.wrong("info", "a", "b", match="too many arguments; usage: rrsoft info")
        self.wrong("events", "a", "b", match="too many arguments")
        self.wrong("check", "a", "b", match="too many arguments")
        self.wrong("ls", "a", "b", match="too many arguments")
        self.wrong("rm", match="too few arguments; usage: rrsoft rm TRACE...")
        self.wrong("mv", "a", match="too few arguments; usage: rrsoft mv TRACE NEW")
        self.wrong("mv", "a", "b", "c", match="too many arguments")

    def test_control_characters_are_not_echoed(self):
        self.wrong("\x1b[31m\nred", match=r"no command '\\x1b\[31m\\nred'")

    def test_no_home_at_all(self):
        env = {"PATH": self.env["PATH"]}
        done = self.run_program(RRSOFT, "ls", env=env)
        self.assertIn(done.returncode, (0, 2))  # the user database may know a home directory


class Help(Case):
    def test_help_of_each_command(self):
        for command in commands():
            text = self.rrsoft(command, "--help")
            self.assertTrue(text.startswith(f"Usage: rrsoft {command} [OPTION]..."), text)
            self.assertEqual(text, self.rrsoft("help", command))
            self.assertEqual(text, self.rrsoft(command, "-h"))
        self.assertEqual(self.rrsoft("ls", "argument", "--help"), self.rrsoft("ls", "--help"))

    def test_general_help(self):
        text = self.rrsoft("--help")
        self.assertEqual(text, self.rrsoft("help"))
        self.assertEqual(text, self.rrsoft("-h"))
        for line in text.splitlines():
            self.assertLessEqual(len(line), 100, line)

    def test_version(self):
        self.assertRegex(self.rrsoft("--version"), r"^rrsoft \d+\.\d+\.\d+\n$")
        self.assertEqual(self.rrsoft("-V"), self.rrsoft("--version"))


class Output(Case):
    def test_full_device(self):
        with open("/dev/full", "wb") as full:
            self.rrsoft("--help", stdout=full, exit_code=1)
        self.assertRegex(self.stderr, "cannot write the output: No space left on device")

    def test_closed_stdout(self):
        self.rrsoft("--help", preexec_fn=lambda: os.close(1), stdout=None, exit_code=1)
        self.assertRegex(self.stderr, "cannot write the output: Bad file descriptor")

    def test_reader_that_went_away(self):
        self.make_trace(events=20000)
        for ignored in (False, True):
            process = subprocess.Popen([RRSOFT, "events"], env=self.env, stdout=subprocess.PIPE,
                                       stderr=subprocess.PIPE, restore_signals=not ignored)
            process.stdout.readline()
            process.stdout.close()
            stderr = process.stderr.read()
            process.stderr.close()
            self.assertEqual(stderr, b"", "a reader that went away is not worth a word")
            self.assertEqual(process.wait(60), 1 if ignored else -13)

    def test_full_device_ends_a_long_listing(self):
        self.make_trace(events=20000)
        for words in (["events"], ["events", "--json"], ["events", "--data"]):
            with open("/dev/full", "wb") as full:
                self.rrsoft(*words, stdout=full, exit_code=1)
            self.assertRegex(self.stderr, "cannot write the output: No space left on device")


if __name__ == "__main__":
    unittest.main()
