# SPDX-License-Identifier: MIT
"""Test that no command shows wrong data of a damaged trace: it says which file is damaged and how."""
import random
import unittest

from support import RRSOFT, Case


class DamagedTrace(Case):
    def setUp(self):
        super().setUp()
        self.trace = self.make_trace(events=3000)
        self.data = self.trace / "data.mdb"
        self.content = self.data.read_bytes()

    def test_sound_trace(self):
        text = self.rrsoft("check")
        self.assertRegex(text, f"^{self.trace}: sound: 3000 events in [0-9]+ frames, 1 blob "
                               r"\(31 B\), 3 checkpoints \(24 pages\)\n$")
        report = self.json("check", "demo-1")
        self.assertIs(report["sound"], True)
        self.assertEqual(report["damages"], [])
        self.assertEqual((report["events"], report["blobs"], report["checkpoints"], report["pages"]),
                         (3000, 1, 3, 24))

    def test_empty_cut_and_foreign_files(self):
        half = len(self.content) // 2
        for content in [b"", b"\0" * 65536, b"text\n" * 9999, self.content[:half], self.content[:5000]]:
            self.data.write_bytes(content)
            for words in (["info"], ["events"], ["info", "--json"]):
                self.fails(*words, match="data.mdb|demo-1")
            self.assertNotEqual(self.rrsoft("check", exit_code=1), "", "the damage is named")
            report = self.json("check", exit_code=1)
            self.assertIs(report["sound"], False)
            self.assertEqual(len(report["damages"]), 1)
            self.assertIn("message", report["damages"][0])

    def test_missing_data_file(self):
        self.data.unlink()
        for command in ("info", "events", "check"):
            self.fails(command, match="demo-1|no trace")

    def test_flipped_bytes(self):
        """Every command ends, and what it prints as a result is what the sound trace gives."""
        seed = random.randrange(1 << 32)
        print(f"seed {seed}")
        choose = random.Random(seed)
        sound = self.rrsoft("events", "--data", "--json")
        found = 0
        for _ in range(40):
            content = bytearray(self.content)
            at = choose.randrange(len(content))
            content[at] ^= 1 << choose.randrange(8)
            self.data.write_bytes(content)
            check = self.run_program(RRSOFT, "check")
            self.assertIn(check.returncode, (0, 1), f"byte {at}: {check.stderr}")
            events = self.run_program(RRSOFT, "events", "--data", "--json")
            self.assertIn(events.returncode, (0, 1), f"byte {at}: {events.stderr}")
            if events.returncode == 0:
                self.assertEqual(events.stdout.decode(), sound, f"byte {at}: wrong data")
            else:
                self.assertEqual(check.returncode, 1, f"byte {at}: 'check' found nothing")
                found += 1
        print(f"{found} of 40 flips prevented reading the events")

    def test_damaged_traces_can_be_renamed_and_deleted(self):
        self.data.write_bytes(b"x" * 10000)
        self.rrsoft("mv", "demo-1", "broken")
        self.rrsoft("rm", "broken")
        self.assertEqual(self.rrsoft("ls", "-q"), "")


class HostileStrings(Case):
    def test_control_characters_do_not_reach_the_terminal(self):
        arguments = ["\x1b]0;title\x07", "a\nb", "bell\x07", "\u202egnp.exe", b"\xff\xfe", "\x9b1m", "caf\u00e9"]
        self.make_trace("evil\x1b[2J\n", events=1, arguments=arguments)
        for words in (["ls"], ["info"], ["info", "-e"], ["events"], ["events", "--data"], ["du"],
                      ["check"], ["ls", "-q"]):
            text = self.rrsoft(*words)
            for character in "\x1b\x07\u202e\x9b\r":
                self.assertNotIn(character, text, words)
        self.assertIn(r"$'\x1b]0;title\x07' $'a\nb' $'bell\x07' $'\u202egnp.exe' $'\xff\xfe' "
                      r"$'\u009b1m' 'caf" + "\u00e9'", self.rrsoft("ls"))
        self.assertEqual(len(self.rrsoft("ls").splitlines()), 2)

    def test_names_that_hold_them(self):
        self.make_trace(events=1)
        self.rrsoft("mv", "demo-1", "\x1b[2J\nnew")
        for words in (["ls"], ["ls", "-q"], ["du"], ["check"], ["info"]):
            self.assertIn(r"\x1b[2J\nnew", self.rrsoft(*words))
        self.fails("mv", "\x1b[2J\nnew", "\x1b[2J\nnew", match=r"\\x1b\[2J\\nnew")
        self.assertEqual(self.json("ls")[0]["name"], "\x1b[2J\nnew")

    def test_json_holds_them_escaped(self):
        self.make_trace(events=1, arguments=['"\\/', "a\x01b", "\x7f\n", b"\xff\xed\xa0\x80x"])
        text = self.rrsoft("info", "--json")
        self.assertNotRegex(text, "[\x00-\x09\x0b-\x1f\x7f]")
        self.assertEqual(self.json("info")["command_line"],
                         ["demo", '"\\/', "a\x01b", "\x7f\n", "\ufffd\ufffd\ufffd\ufffdx"])


if __name__ == "__main__":
    unittest.main()
