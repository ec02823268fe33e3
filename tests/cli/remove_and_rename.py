# SPDX-License-Identifier: MIT
"""Test that `rm` and `mv` do what they say, and never touch what is not theirs."""
import os
import unittest

from support import Case


class Remove(Case):
    def test_latest_follows(self):
        self.make_trace("one")
        self.make_trace("two")
        self.assertEqual(self.rrsoft("rm", "two-1"), "")
        self.assertEqual(self.rrsoft("ls", "-q"), "one-1\n")
        self.assertIs(self.json("ls")[0]["latest"], True)
        self.rrsoft("rm", "latest")
        self.assertEqual(os.listdir(self.home), [])

    def test_several(self):
        for _ in range(3):
            self.make_trace("same")
        self.rrsoft("rm", "same-1", str(self.home / "same-3"))
        self.assertEqual(self.rrsoft("ls", "-q"), "same-2\n")

    def test_the_others_are_removed_if_one_cannot_be(self):
        self.make_trace("one")
        self.make_trace("two")
        self.fails("rm", "one-1", "nosuch-1", "two-1", match="nosuch-1")
        self.assertEqual(self.rrsoft("ls", "-q"), "")

    def test_what_is_no_trace_is_refused(self):
        directory = self.top / "photos"
        directory.mkdir()
        (directory / "a.jpg").write_text("x")
        self.fails("rm", str(directory), match="photos")
        self.fails("rm", str(self.top), match=".")
        self.fails("rm", str(directory / "a.jpg"), match="a.jpg")
        self.fails("rm", "", exit_code=2, match="empty")
        self.fails("rm", "/", match=".")
        self.assertTrue((directory / "a.jpg").exists())

    def test_trace_with_a_stranger_in_it_is_refused(self):
        trace = self.make_trace()
        (trace / "notes.txt").write_text("x")
        self.rrsoft("rm", "demo-1", exit_code=2)
        self.assertRegex(self.stderr, "notes.txt|demo-1")
        self.assertTrue((trace / "data.mdb").exists())

    def test_trace_that_is_being_recorded_is_refused(self):
        _, path = self.start_recording()
        self.rrsoft("rm", path.name, exit_code=2)
        self.rrsoft("mv", path.name, "other", exit_code=2)
        self.assertTrue((path / "data.mdb").exists())


class Rename(Case):
    def setUp(self):
        super().setUp()
        self.make_trace("one", events=1)
        self.make_trace("two", events=2)

    def test_within_the_directory(self):
        self.rrsoft("mv", "two-1", "the crash of monday")
        self.assertEqual(self.json("info")["events"], 2)
        self.assertEqual(self.json("info", "the crash of monday")["events"], 2)
        self.fails("info", "two-1", match="two-1")

    def test_nothing_is_overwritten(self):
        self.fails("mv", "two-1", "one-1", match="one-1: there is something here already")
        (self.home / "file").write_text("x")
        self.fails("mv", "two-1", "file", match="file: there is something here already")
        self.fails("mv", "two-1", "two-1", match="two-1: there is something here already")
        self.assertEqual((self.home / "file").read_text(), "x")
        self.assertEqual(self.rrsoft("ls", "-q"), "one-1\ntwo-1\n")

    def test_to_another_directory(self):
        (self.top / "kept").mkdir()
        self.rrsoft("mv", "two-1", "kept/")
        self.assertEqual(self.json("info", "kept/two-1")["events"], 2)
        self.assertEqual(self.json("info")["events"], 1, "latest is what is left")
        self.rrsoft("mv", "kept/two-1", str(self.home / "back"))
        self.assertEqual(self.json("info", "back")["events"], 2)

    def test_wrong_names(self):
        self.fails("mv", "nosuch-1", "x", match="nosuch-1")
        self.fails("mv", "two-1", "no/such/directory", match="no/such/directory")
        self.rrsoft("mv", "two-1", "latest", exit_code=2)
        self.rrsoft("mv", "two-1", "", exit_code=2)
        self.assertEqual(self.rrsoft("ls", "-q"), "one-1\ntwo-1\n")

    def test_to_another_file_system(self):
        if not os.path.isdir("/dev/shm") or os.stat("/dev/shm").st_dev == os.stat(self.top).st_dev:
            self.skipTest("no second file system at /dev/shm")
        self.fails("mv", "two-1", "/dev/shm/rrsoft-moved", match="/dev/shm/rrsoft-moved|two-1")
        self.assertFalse(os.path.exists("/dev/shm/rrsoft-moved"))


if __name__ == "__main__":
    unittest.main()
