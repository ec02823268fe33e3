# SPDX-License-Identifier: MIT
"""Test that `info` and `events` print what was written to a trace, and select the events asked for."""
import unittest

from support import Case


class Info(Case):
    def setUp(self):
        super().setUp()
        self.trace = self.make_trace("/usr/bin/demo", events=2000, arguments=["it's", "$HOME"])

    def test_text(self):
        text = self.rrsoft("info")
        for line in [f"trace +{self.trace}", r"command line +/usr/bin/demo 'it'\\''s' '\$HOME'",
                     "program +/usr/bin/demo", "started +2026-01-02 03:04:05", "duration +2.001 s",
                     "end +exit status 3", "events +2000", "last tick +2000000", "tasks +2",
                     r"checkpoints +2 \(of 64.0 KiB of memory\)", "clock +made up",
                     "events by kind +1799 syscall, 20 signal, 180 switch, 1 kind 4"]:
            self.assertRegex(text, f"(?m)^{line}$")
        self.assertNotIn("LANG=", text)
        self.assertRegex(self.rrsoft("info", "-e"), "(?m)^  LANG=C.UTF-8$")

    def test_json(self):
        info = self.json("info", "demo-1")
        self.assertEqual(info["path"], str(self.trace))
        self.assertEqual(info["command_line"], ["/usr/bin/demo", "it's", "$HOME"])
        self.assertEqual(info["environment"], ["HOME=/home/user", "LANG=C.UTF-8"])
        self.assertEqual(info["started"], "2026-01-02T03:04:05.000000000Z")
        self.assertEqual(info["duration_ns"], 2001000000)
        self.assertEqual(info["end"]["kind"], "exited")
        self.assertEqual(info["end"]["exit_status"], 3)
        self.assertEqual(info["events"], 2000)
        self.assertEqual((info["first_tick"], info["last_tick"]), (1000, 2000000))
        self.assertEqual(info["kinds"][0], {"kind": 1, "name": "syscall", "events": 1799})
        self.assertEqual(info["kinds"][-1], {"kind": 4, "events": 1})
        self.assertEqual(sum(task["events"] for task in info["tasks"]), 2000)
        self.assertEqual(info["checkpoints"][0], {"event": 1001, "tick": 1000000, "pages": 8})

    def test_ends(self):
        self.make_trace("crashing", end="signaled")
        self.assertEqual(self.json("info")["end"]["signal"], 11)
        self.assertRegex(self.rrsoft("info"), "(?m)^end +killed by SIGSEGV$")
        self.make_trace("failing", end="failed")
        self.assertRegex(self.rrsoft("info"), "end, detail +the recorder met a case")

    def test_trace_without_events(self):
        self.make_trace("idle", events=0)
        self.assertRegex(self.rrsoft("info"), "(?m)^events +0$")
        self.assertEqual(self.json("info")["events"], 0)
        self.assertEqual(self.json("events"), [])
        self.assertEqual(len(self.rrsoft("events").splitlines()), 1)
        self.rrsoft("check")


class NamingATrace(Case):
    def setUp(self):
        super().setUp()
        self.make_trace("one", events=1)
        self.make_trace("two", events=2)

    def test_names_and_paths(self):
        self.assertEqual(self.json("info")["events"], 2)
        self.assertEqual(self.json("info", "latest")["events"], 2)
        self.assertEqual(self.json("info", "one-1")["events"], 1)
        self.assertEqual(self.json("info", str(self.home / "one-1"))["events"], 1)
        self.assertEqual(self.json("info", "traces/one-1")["events"], 1)
        self.assertEqual(self.json("info", ".", cwd=self.home / "one-1")["events"], 1)
        self.assertEqual(len(self.rrsoft("events", "--", "one-1").splitlines()), 2)

    def test_missing_trace(self):
        for command in ("info", "events", "check"):
            self.fails(command, "nosuch-1", match="nosuch-1")
            self.fails(command, "/no/such/path", match="/no/such/path")
            self.fails(command, str(self.home / "one-1" / "data.mdb"), match="data.mdb")
            self.fails(command, "/etc", match="/etc")

    def test_latest_that_points_nowhere(self):
        (self.home / "latest").unlink()
        (self.home / "latest").symlink_to("gone-1")
        self.fails("info", match="latest|gone-1")


class Events(Case):
    def setUp(self):
        super().setUp()
        self.make_trace(events=250)

    def numbers(self, *words):
        numbers = [event["event"] for event in self.json("events", *words)]
        rows = self.rrsoft("events", *words).splitlines()[1:]
        self.assertEqual([int(row.split()[0]) for row in rows], numbers, words)
        return numbers

    def test_rows(self):
        lines = self.rrsoft("events").splitlines()
        self.assertRegex(lines[0], "^EVENT +TICK +TIME +TASK +KIND +BYTES$")
        self.assertRegex(lines[1], r"^ +1 +1000  03:04:05.001000 +4000  syscall +\d+$")
        self.assertRegex(lines[5], r"^ +5 +5000 .* 4 +\d+$")
        self.assertEqual(len(lines), 251)
        self.assertEqual(len({len(line) for line in lines}), 1, "the columns are aligned")

    def test_json(self):
        events = self.json("events")
        self.assertEqual(len(events), 250)
        self.assertEqual(events[9]["name"], "switch")
        self.assertNotIn("name", events[4])
        self.assertEqual(events[9]["time"], "2026-01-02T03:04:05.010000000Z")
        self.assertEqual(events[9]["task"], 4001)
        self.assertEqual(len(self.rrsoft("events", "--json").splitlines()), 252, "one event per line")

    def test_data(self):
        event = self.json("events", "--from", "7", "--to=7", "--data")[0]
        data = rb'read(0, "line 7\n", 4096)'
        self.assertEqual(bytes.fromhex(event["data"]), data)
        self.assertEqual(event["bytes"], len(data))
        text = self.rrsoft("events", "--from", "7", "--to", "7", "--data")
        self.assertRegex(text, r'(?m)^    000000  72 65 61 64 28 .*  read\(0, "line 7\\$')
        self.assertRegex(text, r"(?m)^    000010  6e 22 2c 20 34 30 39 36 29 +n\", 4096\)$")

    def test_ranges(self):
        self.assertEqual(self.numbers("--from", "248"), [248, 249, 250])
        self.assertEqual(self.numbers("--to", "2"), [1, 2])
        self.assertEqual(self.numbers("--from", "7", "--to", "9"), [7, 8, 9])
        self.assertEqual(self.numbers("--from", "0", "--to", "1"), [1])
        self.assertEqual(self.numbers("--from", "251"), [])
        self.assertEqual(self.numbers("--from", "18446744073709551615"), [])
        self.fails("events", "--from", "3", "--to", "2", exit_code=2, match="--from 3 lies after --to 2")

    def test_ticks(self):
        self.assertEqual(self.numbers("--tick", "249,000"), [249, 250])
        self.assertEqual(self.numbers("--tick", "248_001"), [249, 250])
        self.assertEqual(self.numbers("--tick", "0x3cc48", "--to", "250"), [249, 250])
        self.assertEqual(self.numbers("--tick", "0", "--to", "1"), [1])
        self.assertEqual(self.numbers("--tick", "250001"), [])
        self.assertEqual(self.numbers("--tick", "3000", "--from", "249"), [249, 250])
        self.assertEqual(self.numbers("--tick", "249000", "--from", "3"), [249, 250])

    def test_tasks_and_kinds(self):
        tasks = [event for event in range(1, 251) if event // 10 % 2 == 1]
        self.assertEqual(self.numbers("--task", "4001"), tasks)
        self.assertEqual(self.numbers("--task", "9999"), [])
        self.assertEqual(self.numbers("--kind", "signal"), [100, 200])
        self.assertEqual(self.numbers("--kind", "2", "--from", "101"), [200])
        self.assertEqual(self.numbers("--kind", "4"), [5])
        self.assertEqual(self.numbers("--kind", "4321"), [])
        both = [event for event in tasks if event % 10 == 0 and event % 100 != 0]
        self.assertEqual(self.numbers("--kind", "switch", "--task", "4001"), both)
        self.assertEqual(self.numbers("--kind", "switch", "--tick", "55,000", "--to", "60"), [60])

    def test_wrong_task_or_kind(self):
        self.fails("events", "--kind", "signl", exit_code=2, match="no kind 'signl'.*mean 'signal'")
        self.fails("events", "--kind", "zzz", exit_code=2, match="no kind 'zzz'.*'rrsoft info'")
        self.fails("events", "--kind", "65536", exit_code=2, match="no kind '65536'")
        self.fails("events", "--kind", "", exit_code=2, match="no kind ''")
        self.fails("events", "--task", "4294967296", exit_code=2, match="no task id")

    def test_options_may_follow_the_trace(self):
        self.assertEqual(self.numbers("demo-1", "--from", "250"), [250])
        self.assertEqual(self.numbers("--from", "250", "demo-1"), [250])

    def test_while_it_is_recorded(self):
        process, path = self.start_recording(events=12)
        self.assertEqual(len(self.json("events", path.name)), 12)
        self.assertEqual(self.json("info", path.name)["end"]["kind"], "recording")
        process.kill()
        process.wait(60)
        self.assertEqual(len(self.json("events", path.name)), 12)
        self.assertEqual(self.json("info", path.name)["end"]["kind"], "unfinished")
        self.rrsoft("check", path.name)


class Time(Case):
    def test_local_time_zone(self):
        self.make_trace(events=1)
        self.env["TZ"] = "XYZ-5:30"
        self.assertRegex(self.rrsoft("info"), "started +2026-01-02 08:34:05")
        self.assertRegex(self.rrsoft("events"), " 08:34:05.001000 ")
        self.assertEqual(self.json("ls")[0]["started"], "2026-01-02T03:04:05.000000000Z")

    def test_far_future(self):
        self.make_trace(events=1, start=4102444800)
        self.assertRegex(self.rrsoft("info"), "started +2100-01-01 00:00:00")


if __name__ == "__main__":
    unittest.main()
