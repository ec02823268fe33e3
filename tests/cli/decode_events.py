# SPDX-License-Identifier: MIT
"""Test that `rrsoft dump` shows what a recorded program did, and survives events of any bytes."""
import os
import re
import subprocess
import unittest

from support import RRSOFT, Case

SCRIPT = """
import os, signal, threading
child = os.fork()
if child == 0:
    os.execv("/bin/sh", ["sh", "-c", 'exit "$1"', "a \\"word\\"", "7"])
os.waitpid(child, 0)
signal.signal(signal.SIGUSR1, lambda *_: None)
os.kill(os.getpid(), signal.SIGUSR1)
os.writev(1, [b"one\\n", b"x" * 300])
os.access("/no such \\"file\\"", os.R_OK)
thread = threading.Thread(target=lambda: os.read(os.open("/etc/passwd", os.O_RDONLY), 300))
thread.start()
thread.join()
os.abort()
"""


class Decode(Case):
    def test_recorded_program(self):
        self.record("/usr/bin/python3", "-S", "-c", SCRIPT, exit_code=134)
        text = self.rrsoft("dump", "--mappings")
        self.assertIn("/libc.so.6", text)
        text = self.rrsoft("dump")
        events = int(self.json("info")["events"])
        self.assertEqual(len(text.splitlines()), events, "one line per event")
        self.assertNotIn("malformed", text)
        for wanted in (r'execve\("/usr/bin/python3", \["/usr/bin/python3", "-S", "-c", ',
                       r'execve\("/bin/sh", \["sh", "-c", "exit \\"\$1\\"", "a \\"word\\"", "7"\], \[/\* \d+ vars',
                       r"\[{WIFEXITED\(s\) && WEXITSTATUS\(s\) == 7}\]",
                       r"--- SIGUSR1 {si_signo=SIGUSR1, si_code=SI_USER, si_pid=\d+, si_uid=\d+} --- handled at",
                       r"--- SIGABRT .* ends or stops the process",
                       r"\+\+\+ new process, made by \d+",
                       r"\+\+\+ new thread of process \d+, made by \d+, CLONE_VM\|",
                       r"\+\+\+ exited with 7 \+\+\+", r"\+\+\+ killed by SIGABRT",
                       r'openat\(AT_FDCWD, "/etc/passwd", O_RDONLY\|O_CLOEXEC', r'access\("/no such \\"file\\"", R_OK\) = -1 ENOENT',
                       r'writev\(1, \[{iov_base="one\\n", iov_len=4}, {iov_base="x{32}"\.\.\., iov_len=300}\], 2\) = 304',
                       r"read\(\d+, \"root:x:0:0", r"instruction at 0x[0-9a-f]+ gives r"):
            self.assertTrue(re.search(wanted, text), wanted)
        self.assertRegex(self.rrsoft("dump", "--strings", "200"), r'iov_base="x{128}"\.\.\., iov_len=300', "what was saved of it")

    def test_options(self):
        self.record("/bin/sh", "-c", "exit 3", exit_code=3)
        lines = self.rrsoft("dump").splitlines()
        self.assertEqual(self.rrsoft("dump", "--from", "3", "--to", "5").splitlines(), lines[2:5])
        calls = self.rrsoft("dump", "--kind", "syscall", "--strings", "2").splitlines()
        self.assertTrue(set(line.split()[0] for line in calls) < set(line.split()[0] for line in lines))
        self.assertRegex("\n".join(calls), r'read\(3, "\\177E"\.\.\., 832\) = 832')
        longer = self.rrsoft("dump", "--strings", "4096")
        self.assertRegex(longer, r'read\(3, "\\177ELF[^"]{500,}", 832\) = 832')
        self.assertRegex(self.rrsoft("dump", "--mappings", "--to", "1"), r"(?m)^    [0-9a-f-]+ r-xp .*/dash$")
        self.assertRegex(self.rrsoft("dump", "--time", "--to", "1"), r"\d\d:\d\d:\d\d\.\d{6}")
        self.fails("dump", "--strings", "0", exit_code=2, match="--strings")
        self.fails("dump", "--strings", "4097", exit_code=2, match="--strings")
        self.fails("dump", "--from", "3", "--to", "2", exit_code=2, match="after")
        self.fails("dump", "--kind", "sysscall", exit_code=2, match="did you mean 'syscall'")

    def test_json(self):
        self.record("/bin/sh", "-c", "exit 3", exit_code=3)
        events = self.json("dump")
        self.assertEqual([event["event"] for event in events], list(range(1, len(events) + 1)))
        self.assertTrue(all(event["sound"] for event in events))
        begin, end = events[0], events[-1]
        self.assertEqual(begin["command_line"], ["/bin/sh", "-c", "exit 3"])
        self.assertIn("LC_ALL=C", begin["environment"])
        self.assertEqual(begin["program"], "/usr/bin/dash")
        self.assertIn("/usr/bin/dash", [mapping.get("path") for mapping in begin["mappings"]])
        self.assertEqual(end["exit_status"], 3)
        close = next(event for event in events if event.get("call") == "close")
        self.assertEqual((close["result"], close["name"]), (0, "syscall"))

    def test_a_trace_with_other_kinds(self):
        self.make_trace()
        self.assertRegex(self.rrsoft("dump"), r"(?m)^ 1 +1000 +4000  syscall: \d+ bytes$")
        self.assertIs(self.json("dump")[0]["sound"], False)

    def test_any_bytes(self):
        for seed in range(6):
            self.make_hostile_trace(seed)
            words = ["dump", "--mappings", "--strings", "4096"]
            lines = self.rrsoft(*words, exit_code=None).splitlines()
            self.assertGreaterEqual(len(lines), 3000)
            for line in lines:
                self.assertTrue(line.isascii() or line.isprintable(), line)
            self.assertEqual(len(self.json("dump", exit_code=None)), 3000)
            self.assertRegex(self.stderr, r"^(rrsoft: .*: the trace has no blob [0-9a-f]{64}\n)?$")

    def test_needs_no_memory(self):
        self.make_trace(events=400000)
        if "asan" in os.environ["RRSOFT_BUILD"]:
            self.skipTest("the sanitizer needs memory of its own")
        limit = 'ulimit -d 60000; exec "$@"'
        done = self.run_program("sh", "-c", limit, "sh", RRSOFT, "dump", stdout=subprocess.DEVNULL)
        self.assertEqual((done.returncode, done.stderr), (0, b""))


if __name__ == "__main__":
    unittest.main()
