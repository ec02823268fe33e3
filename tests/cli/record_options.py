# SPDX-License-Identifier: MIT
"""Test that recordings end where they are told to, keep what they are told to, and say so."""
import mmap
import os
import pathlib
import re
import signal
import subprocess
import sys
import time
import unittest

from support import RRSOFT, Case

LOOP = "i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done; echo done; exit 4"
NOISE = "/usr/bin/head -c 12000000 /dev/urandom >/dev/null; echo done"


class Limits(Case):
    def end(self):
        return self.json("info")["end"]

    def record_loudly(self, *words, exit_code=0, **more):
        return self.rrsoft("record", *words, exit_code=exit_code, **more)

    def test_summary(self):
        self.record_loudly("--", "/bin/true")
        first, last = self.stderr.splitlines()
        self.assertEqual(first, f"rrsoft: recording to {self.home}/true-1")
        self.assertRegex(last, r"^rrsoft: recorded \d+ events, \d+ ticks, \d+\.\d MB in \d+\.\d\d s"
                               r"(; the recorder made it \d+\.\d times as slow)?$")
        self.rrsoft("record", "--quiet", "--", "/bin/true")
        self.assertEqual(self.stderr, "")

    def test_ptrace_is_explained_once(self):
        ask = "import ctypes; p = ctypes.CDLL(None).ptrace; print(p(0, 0, 0, 0), p(0, 0, 0, 0))"
        self.assertEqual(self.record_loudly("-q", "--", sys.executable, "-c", ask), "-1 -1\n")
        self.assertRegex(self.stderr, r"^rrsoft: .*cannot use ptrace.*ASAN_OPTIONS.*\n$")

    def test_time(self):
        # Busy without a system call, asleep in one, and short enough.
        text = self.record_loudly("--max-time", "100ms", "--", "/bin/sh", "-c", LOOP.replace("20000", "1000000"),
                                  exit_code=4)
        self.assertEqual(text, "done\n")
        self.assertRegex(self.stderr, "the time limit is reached: the recording ends; the program goes on")
        self.assertEqual(self.end()["kind"], "limit reached")
        self.rrsoft("replay")
        self.record_loudly("--max-time=0.1s", "--at-limit", "kill", "--", "/bin/sleep", "1000", exit_code=137)
        self.assertRegex(self.stderr, "the program is killed")
        self.assertEqual(self.end()["kind"], "limit reached")
        self.rrsoft("replay")
        self.record_loudly("--max-time", "1h", "--", "/bin/true")
        self.assertEqual(self.end()["kind"], "exited")

    def test_size(self):
        self.assertEqual(self.record_loudly("--max-size", "2M", "--", "/bin/sh", "-c", NOISE), "done\n")
        self.assertEqual((self.end()["kind"], self.end()["detail"]), ("limit reached", "the size limit is reached"))
        self.rrsoft("check")
        self.assertGreaterEqual(self.json("info")["disk_bytes"], 2 << 20)
        self.record_loudly("--max-size", "2M", "--at-limit", "kill", "--", "/bin/sh", "-c", NOISE, exit_code=137)

    def test_wait_for_main(self):
        script = "(sleep 1; echo late; read line <fifo; echo later) & echo main; exit 3"
        for more, late in ((["--at-limit", "kill"], ""), ([], "late\nlater\n")):
            fifo = self.top / "fifo"
            fifo.unlink(missing_ok=True)
            os.mkfifo(fifo)
            child = subprocess.Popen([RRSOFT, "record", "--wait=main", *more, "--", "/bin/sh", "-c", script],
                                     cwd=self.top, env=self.env, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
            if late:
                fifo.write_text("go\n")  # its reader is the one that is left behind
            out, err = child.communicate(timeout=60)
            self.assertEqual((out.decode(), child.returncode), ("main\n" + late, 3), err)
            self.assertIn(b"the first process has ended: the recording ends", err)
            self.assertEqual(self.end(), {"kind": "exited", "exit_status": 3} | self.end())
            self.assertEqual(self.rrsoft("replay", exit_code=3), "main\n")
        self.record_loudly("--wait=main", "--", "/bin/sh", "-c", "exit 4", exit_code=4)
        self.assertNotIn("left behind", self.stderr)

    def test_chaos_says_its_seed(self):
        self.record_loudly("--chaos=12", "--", "/bin/true")
        self.assertIn("rrsoft: --chaos=12 repeats the order of this run\n", self.stderr)
        self.record_loudly("--chaos", "--until-failure=3", "--", "/bin/true")
        seeds = re.findall(r"--chaos=(\d+)", self.stderr)
        self.assertEqual(len(set(seeds)), 3, self.stderr)

    def start(self, *options, script="trap 'echo got; exit 5' TERM INT; echo ready; while :; do sleep 0.05; done"):
        words = [RRSOFT, "record", *options, "--", "/bin/sh", "-c", script]
        child = subprocess.Popen(words, env=self.env, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.assertEqual(child.stdout.readline(), b"ready\n")
        return child

    def test_signals(self):
        for number in (signal.SIGTERM, signal.SIGINT):
            child = self.start()
            child.send_signal(number)
            out, err = child.communicate(timeout=60)
            self.assertEqual((out, child.returncode), (b"got\n", 5), err)
            self.assertEqual((self.end()["kind"], self.end()["detail"]), ("stopped", number.name))
            self.assertIn(f"{number.name}: the recording ends; the program goes on".encode(), err)
            self.rrsoft("check")

    def test_later_signals_are_the_programs(self):
        child = self.start(script="trap 'echo first' TERM; trap 'echo hup; exit 6' HUP; echo ready; "
                                  "while :; do sleep 0.05; done")
        child.send_signal(signal.SIGTERM)
        self.assertEqual(child.stdout.readline(), b"first\n")
        child.send_signal(signal.SIGTERM)
        self.assertEqual(child.stdout.readline(), b"first\n")
        child.send_signal(signal.SIGHUP)
        out, _ = child.communicate(timeout=60)
        self.assertEqual((out, child.returncode), (b"hup\n", 6))

    def test_signal_kills(self):
        child = self.start("--at-limit=kill")
        child.send_signal(signal.SIGTERM)
        out, _ = child.communicate(timeout=60)
        self.assertEqual((out, child.returncode), (b"", 137))
        self.assertEqual(self.end()["kind"], "stopped")

    def test_a_trace_that_is_killed_can_be_read(self):
        child = self.start()
        time.sleep(1)
        child.kill()
        child.communicate(timeout=60)
        self.assertEqual(self.end()["kind"], "unfinished")
        self.rrsoft("dump")
        self.rrsoft("check")

    def test_full_disk(self):
        mounted = self.top / "small"
        mounted.mkdir()
        script = f"mount -t tmpfs -o size=3m none {mounted} && \"$@\"; code=$?; " \
                 f"{RRSOFT} info {mounted}/trace; {RRSOFT} check {mounted}/trace; exit $code"
        if self.run_program("unshare", "-m", "mount", "-t", "tmpfs", "none", str(mounted)).returncode:
            self.skipTest("no file system can be mounted")
        done = self.run_program("unshare", "-m", "sh", "-c", script, "sh", RRSOFT, "record", "-o",
                                f"{mounted}/trace", "--", "/bin/sh", "-c", NOISE)
        out, err = done.stdout.decode(), done.stderr.decode()
        self.assertEqual(done.returncode, 1, err)
        self.assertTrue(out.startswith("done\n"), "the program went on")
        self.assertRegex(out, r"(?m)^end +disk full$")
        self.assertIn(": sound: ", out)
        self.assertIn("the disk is full: the recording ends; the program goes on", err)


class Saving(Case):
    def test_save_on_failure(self):
        self.record("/bin/true", options=["--save-on", "failure"])
        self.assertEqual(self.rrsoft("ls", "--quiet"), "")
        self.record("/bin/false", options=["--save-on", "failure"], exit_code=1)
        self.record("/bin/sh", "-c", "kill -9 $$", options=["--save-on", "failure"], exit_code=137)
        self.record("/bin/true", options=["--save-on=always"])
        self.assertEqual(self.rrsoft("ls", "--quiet").split(), ["false-1", "sh-1", "true-1"])

    def test_until_failure(self):
        script = "echo x >>count; test $(/usr/bin/wc -l <count) -lt 3 || exit 9"
        self.rrsoft("record", "--until-failure", "--", "/bin/sh", "-c", script, exit_code=9)
        self.assertEqual([line for line in self.stderr.splitlines() if "rrsoft: run " in line],
                         [f"rrsoft: run {i}" for i in (1, 2, 3)])
        self.assertEqual(self.rrsoft("ls", "--quiet"), "sh-1\n")
        self.assertEqual((self.top / "count").read_text(), "x\nx\nx\n")
        self.rrsoft("record", "--until-failure=2", "--", "/bin/true")
        self.assertIn("rrsoft: 2 runs, none failed\n", self.stderr)
        self.assertEqual(self.rrsoft("ls", "--quiet"), "sh-1\n")
        self.fails("record", "-q", "--until-failure=5", "--", "/no/such/program", exit_code=127)
        self.assertEqual(self.rrsoft("ls", "--quiet"), "sh-1\n", "what never began leaves nothing")


class Checksums(Case):
    PROGRAM = """import mmap, os, sys
shared = mmap.mmap(os.open(sys.argv[1], os.O_RDWR), 4096)
shared[0]
print("ready", flush=True)
sys.stdin.readline()
os.getppid()
print(shared[0], flush=True)
"""

    def run_beside_a_writer(self, *options):
        """Records a program that maps a file; something outside of the recording writes to it."""
        file = self.top / "shared"
        file.write_bytes(bytes(4096))
        words = [RRSOFT, "record", "-q", *options, "--", sys.executable, "-S", "-c", self.PROGRAM, str(file)]
        child = subprocess.Popen(words, env=self.env, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.assertEqual(child.stdout.readline(), b"ready\n")
        with open(file, "r+b") as outside, mmap.mmap(outside.fileno(), 4096) as shared:
            shared[0] = 65
        out, _ = child.communicate(b"\n", timeout=60)
        self.assertEqual((out, child.returncode), (b"65\n", 0))

    def test_what_was_not_recorded_is_found(self):
        self.run_beside_a_writer("--checksum")
        self.rrsoft("replay", exit_code=3)
        self.assertRegex(self.stderr, r"event \d+ \(task \d+, tick \d+.*\): behind it the memory page at 0x[0-9a-f]+ of "
                                      rf"{self.top}/shared differs")

    def test_what_was_recorded_is_the_same(self):
        self.record("/bin/sh", "-c", "ls / | sort | head -3", options=["--checksum"])
        self.rrsoft("replay")
        self.assertIn("checksum, ", self.rrsoft("events", "--items"))


class World(Case):
    def test_environment(self):
        elsewhere = self.top / "elsewhere"
        text = self.record("/bin/sh", "-c", "echo $ONE-$TWO-$LC_ALL", options=[
            "--env", "ONE=1", "-e", "TWO=a=b c", "--env=LC_ALL=", "-e", f"RRSOFT_TRACE_DIR={elsewhere}"])
        self.assertEqual(text, "1-a=b c-\n")
        self.assertFalse(elsewhere.exists(), "the trace goes where rrsoft's own variables say")
        self.assertIn("TWO=a=b c", self.json("info")["environment"])

    def test_directory(self):
        (self.top / "below").mkdir()
        text = self.record("/bin/pwd", options=["--chdir", "below", "-o", "here"])
        self.assertEqual(text, f"{os.path.realpath(self.top)}/below\n")
        self.assertTrue((self.top / "here" / "data.mdb").exists(), "--output is relative to where rrsoft was started")
        self.assertEqual(self.json("info", "./here")["working_directory"], f"{os.path.realpath(self.top)}/below")

    def test_mistakes(self):
        for words, match in ((["--max-size", "0"], "more than 0"), (["--max-size", "2X"], "a size"),
                             (["--max-size", "-1"], "a size"), (["--max-time", "soon"], "a time"),
                             (["--max-time", "0"], "more than 0"), (["--max-time", "1e3"], "a time"),
                             (["--save-on", "success"], "always or failure"), (["--at-limit", "x"], "go-on or kill"),
                             (["--env", "NAME"], "NAME=VALUE"), (["--env", "=x"], "NAME=VALUE"),
                             (["--wait", "none"], "all or main"), (["--chaos=x"], "a number"),
                             (["--until-failure=x"], "a number"), (["--until-failure", "-o", "x"], "several"),
                             (["--slice", "0"], "slice"), (["--cpu", "i386"], "baseline")):
            self.fails("record", *words, "--", "/bin/true", exit_code=2, match=match)
        self.fails("record", "--chdir", "nowhere", "--", "/bin/true", match="nowhere")
        self.fails("record", "-o", "no/parent", "--", "/bin/true", match="no/parent")
        (self.top / "there").mkdir()
        self.fails("record", "-o", "there", "--", "/bin/true", match="there")
        self.fails("record", exit_code=2)
        self.assertEqual(self.rrsoft("ls", "--quiet"), "")
        self.assertEqual(list(pathlib.Path(self.top).glob("**/data.mdb")), [])


if __name__ == "__main__":
    unittest.main()
