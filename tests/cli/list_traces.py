# SPDX-License-Identifier: MIT
"""Test that `ls` and `du` show every trace of a directory, whatever its state."""
import os
import unittest

from support import Case


class EmptyDirectory(Case):
    def test_missing_and_empty_directory(self):
        for make in (False, True):
            if make:
                self.home.mkdir()
            self.assertEqual(self.rrsoft("ls"), "")
            self.assertRegex(self.stderr, f"no traces in {self.home}")
            self.assertEqual(self.rrsoft("ls", "--quiet"), "")
            self.assertEqual(self.json("ls"), [])
            self.assertEqual(self.json("du"), {"traces": [], "disk_bytes": 0, "file_bytes": 0})
            self.assertRegex(self.rrsoft("du"), "0 B +0 B +total\n$")
            for command in ("info", "events", "check"):
                self.fails(command, match="no trace")

    def test_directory_that_is_none(self):
        self.fails("ls", "nowhere", match="nowhere: .*No such file or directory")
        (self.top / "file").write_text("x")
        self.fails("ls", "file", match="file: .*Not a directory")


class Traces(Case):
    def setUp(self):
        super().setUp()
        self.first = self.make_trace("/usr/bin/alpha", events=20, arguments=["-x", "two words"])
        self.second = self.make_trace("beta", events=1500, end="signaled")

    def test_table(self):
        lines = self.rrsoft("ls").splitlines()
        self.assertRegex(lines[0], "^ +NAME +STARTED +DISK +EVENTS +END +COMMAND$")
        self.assertRegex(lines[1], r"^   alpha-1 +2026-01-02 03:04:05 +[0-9.]+ .?i?B +20 +"
                                   r"exit status 3 +/usr/bin/alpha -x 'two words'$")
        self.assertRegex(lines[2], r"^\*  beta-1 .* 1500 +killed by SIGSEGV +beta$")
        self.assertEqual(len(lines), 3)
        # The columns are aligned: each word of the heads stands over the rows' values.
        for column in ("NAME", "STARTED", "END", "COMMAND"):
            at = lines[0].index(column)
            for line in lines[1:]:
                self.assertEqual(line[at - 1], " ")
                self.assertNotEqual(line[at], " ")

    def test_names_only(self):
        self.assertEqual(self.rrsoft("ls", "-q"), "alpha-1\nbeta-1\n")

    def test_json(self):
        first, second = self.json("ls")
        self.assertEqual(first["name"], "alpha-1")
        self.assertEqual(first["path"], str(self.first))
        self.assertEqual(first["started"], "2026-01-02T03:04:05.000000000Z")
        self.assertEqual(first["events"], 20)
        self.assertEqual(first["end"]["kind"], "exited")
        self.assertEqual(first["end"]["exit_status"], 3)
        self.assertEqual(first["command_line"], ["/usr/bin/alpha", "-x", "two words"])
        self.assertIs(first["latest"], False)
        self.assertIs(second["latest"], True)
        self.assertGreater(second["disk_bytes"], 0)

    def test_directory_as_argument(self):
        text = self.rrsoft("ls")
        self.env["RRSOFT_TRACE_DIR"] = str(self.top / "elsewhere")
        self.assertEqual(self.rrsoft("ls"), "")
        self.assertEqual(self.rrsoft("ls", str(self.home)), text)
        self.assertEqual(self.rrsoft("ls", "traces"), text)

    def test_default_directories(self):
        del self.env["RRSOFT_TRACE_DIR"]
        self.env["XDG_DATA_HOME"] = str(self.top / "data")
        (self.top / "data").mkdir()
        os.rename(self.home, self.top / "data" / "rrsoft")
        self.assertEqual(self.rrsoft("ls", "-q"), "alpha-1\nbeta-1\n")
        del self.env["XDG_DATA_HOME"]
        (self.top / ".local").mkdir()
        os.rename(self.top / "data", self.top / ".local" / "share")
        self.assertEqual(self.rrsoft("ls", "-q"), "alpha-1\nbeta-1\n")

    def test_unreadable_traces_are_listed_with_the_reason(self):
        (self.first / "data.mdb").write_bytes(b"")
        (self.second / "data.mdb").write_bytes(b"\x1b[31m not a trace" * 1000)
        text = self.rrsoft("ls")
        self.assertEqual(len(text.splitlines()), 3)
        self.assertEqual(text.count("damaged trace"), 2)
        self.assertNotIn("\x1b", text)
        for row in self.json("ls"):
            self.assertIn("error", row)
            self.assertNotIn("events", row)
        self.assertEqual(len(self.json("du")["traces"]), 2)

    def test_what_is_no_trace_is_not_listed(self):
        (self.home / "notes.txt").write_text("x")
        (self.home / "directory").mkdir()
        self.assertEqual(self.rrsoft("ls", "-q"), "alpha-1\nbeta-1\n")

    def test_trace_that_is_being_recorded(self):
        self.start_recording(events=7)
        row = self.json("ls")[-1]
        self.assertEqual((row["name"], row["events"], row["end"]["kind"]), ("busy-1", 7, "recording"))

    def test_du(self):
        text = self.rrsoft("du")
        self.assertRegex(text, r"DISK +FILES +NAME\n(.* alpha-1\n)(.* beta-1\n).* total\n$")
        report = self.json("du")
        self.assertEqual([row["name"] for row in report["traces"]], ["alpha-1", "beta-1"])
        self.assertEqual(report["disk_bytes"], sum(row["disk_bytes"] for row in report["traces"]))
        files = sum(file.stat().st_size for file in self.home.glob("*-1/*"))
        self.assertEqual(report["file_bytes"], files)
        one = self.json("du", "beta-1")
        self.assertEqual(one["traces"], report["traces"][1:])

    def test_du_of_a_missing_trace_measures_the_others(self):
        text = self.rrsoft("du", "nosuch-1", "alpha-1", exit_code=1)
        self.assertIn("alpha-1", text)
        self.assertIn("nosuch-1", self.stderr)


if __name__ == "__main__":
    unittest.main()
