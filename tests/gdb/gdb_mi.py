# SPDX-License-Identifier: MIT
"""Test that rrsoft-gdb-mi records what a front end runs in it, as gdb would have started it: gdb_mi.py RRSOFT PROGRAM."""
import json
import os
import pathlib
import pty
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest

from mi import Mi

RRSOFT, PROGRAM = sys.argv[1:]
WRAPPER = os.path.join(os.path.dirname(RRSOFT), "rrsoft-gdb-mi")
SOURCE = pathlib.Path(__file__).resolve().parent / "guests" / "busy_writer.c"
END = 1 + next(i for i, line in enumerate(SOURCE.read_text().splitlines()) if "mark: end" in line)


def console(command):
    return "-interpreter-exec console " + json.dumps(command)


def processes_with(text):
    """The processes whose command line has this text."""
    found = []
    for path in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if text.encode() in path.read_bytes():
                found.append(int(path.parent.name))
        except OSError:
            pass
    return found


class Wrapper(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="rrsoft-gdb-mi-")
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        self.traces = os.path.join(self.folder, "traces")
        self.program = shutil.copy(PROGRAM, os.path.join(self.folder, "my program"))
        self.env = {**os.environ, "HOME": self.folder, "RRSOFT_TRACE_DIR": self.traces, "LC_ALL": "C"}
        self.env.pop("GREETED", None)

    def start(self, *words):
        mi = Mi(self, [WRAPPER, *words], self.env, self.folder)
        mi.read_until(r"\(gdb\)")
        mi.send("-gdb-set mi-async on")
        return mi

    def load(self, mi, arguments):
        mi.send(f"-file-exec-and-symbols {json.dumps(self.program)}")
        mi.send(f"-exec-arguments {arguments}")

    def names(self):
        return sorted(name for name in os.listdir(self.traces) if name != "latest")

    def test_program_is_started_as_gdb_would(self):
        os.mkdir(os.path.join(self.folder, "elsewhere"))
        mi = self.start("--interpreter=mi2")
        self.load(mi, "1000 >written")
        mi.send("-gdb-set env GREETED=it's me")
        mi.send(f"-environment-cd {self.folder}/elsewhere")
        mi.send(f"-break-insert -f {SOURCE}:{END}")
        stop = mi.go("-exec-run")
        self.assertIn('reason="breakpoint-hit"', stop)
        written = pathlib.Path(self.folder, "elsewhere", "written").read_text()
        self.assertEqual(written, "hello, it's me\n2997\n")
        # A front end sees nothing but what a program that runs makes gdb say.
        told = [line.split(",")[0] for line in mi.seen if line[:1] == "*"]
        self.assertEqual(told, ["*running", "*stopped"])
        self.assertIn('value="2"', mi.send("-data-evaluate-expression argc"))
        self.assertIn('value="2997"', mi.send("-data-evaluate-expression total"))
        mi.send("-break-watch total")
        self.assertIn('reason="watchpoint-trigger"', mi.go("-exec-continue --reverse"))
        mi.send("-break-delete 2")
        self.assertIn('reason="breakpoint-hit"', mi.go("-exec-run"))  # again: the same recording
        self.assertEqual(self.names(), ["my_program-1"])
        mi.leave()

    def test_start_stops_in_main(self):
        mi = self.start()
        self.load(mi, "10")
        self.assertIn('func="main"', mi.go("-exec-run --start"))
        self.assertIn("hello, nobody", "".join(mi.seen))
        mi.leave()

    def test_terminal(self):
        master, slave = pty.openpty()
        self.addCleanup(os.close, master)
        self.addCleanup(os.close, slave)
        mi = self.start("--interpreter=mi", f"--tty={os.ttyname(slave)}")
        self.load(mi, "10")
        mi.go("-exec-run --start")
        self.assertTrue(select.select([master], [], [], 10)[0], "nothing came to the terminal")
        self.assertIn(b"hello, nobody\r\n", os.read(master, 1000))
        mi.leave()

    def test_trace(self):
        subprocess.run([RRSOFT, "record", "--quiet", "--", self.program, "1000"], env=self.env, timeout=60,
                       stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        for words in (("--trace", "my_program-1"), (f"--trace={self.traces}/my_program-1",)):
            mi = self.start(*words)
            self.load(mi, "77")
            mi.send(f"-break-insert -f {SOURCE}:{END}")
            mi.go("-exec-run")
            self.assertIn('value="2997"', mi.send("-data-evaluate-expression total"))
            mi.leave()
        self.assertEqual(self.names(), ["my_program-1"])

    def endless(self):
        """Starts what does not end by itself, and waits until it is under way."""
        mi = self.start()
        self.load(mi, "10 forever")
        mi.gdb.stdin.write(b"9-exec-run\n")
        mi.read_until('~"hello')
        return mi

    def test_interrupt_ends_the_recording(self):
        mi = self.endless()
        time.sleep(0.3)
        mi.gdb.send_signal(signal.SIGINT)
        mi.read_until(r"9\^running")
        mi.read_until(r"\*stopped")
        self.assertIn('func="main"', mi.send("-stack-list-frames"))
        self.assertRegex("".join(mi.seen), "Recorded as my_program-1")
        mi.leave()

    def test_nothing_outlives_gdb(self):
        mi = self.endless()
        self.assertTrue(processes_with(self.program))
        mi.gdb.kill()
        mi.gdb.wait(10)
        end = time.monotonic() + 20
        while processes_with(self.program):
            self.assertLess(time.monotonic(), end, processes_with(self.program))
            time.sleep(0.05)

    def test_what_cannot_be_run(self):
        mi = self.start()
        mi.gdb.stdin.write(b"7-exec-run\n")
        self.assertIn("No program to record", mi.read_until(r"7\^")[-1])
        pathlib.Path(self.program).write_bytes(b"\x7fELF")
        os.chmod(self.program, 0o755)
        mi.gdb.stdin.write(f"8-interpreter-exec console \"exec-file {self.program}\"\n9-exec-run\n".encode())
        self.assertIn("^error", mi.read_until(r"9\^")[-1])
        mi.leave()

    def run_wrapper(self, *words, exit_code=0, **env):
        done = subprocess.run([WRAPPER, *words], env={**self.env, **env}, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=20)
        self.assertEqual(done.returncode, exit_code, done.stderr)
        return done.stdout.decode(), done.stderr.decode()

    def test_options(self):
        self.assertIn("GNU gdb", self.run_wrapper("--version")[0])
        self.assertIn("--trace TRACE", self.run_wrapper("--help")[0])
        self.assertRegex(self.run_wrapper("--trace", exit_code=2)[1], r"^rrsoft-gdb-mi: --trace needs a value.*\n$")
        self.assertRegex(self.run_wrapper("--gdb", "/no/gdb", exit_code=1)[1], r"^rrsoft-gdb-mi: '/no/gdb' was not found")
        self.assertRegex(self.run_wrapper(exit_code=1, RRSOFT_GDB="/no/gdb")[1], "'/no/gdb' was not found")
        stranded = shutil.copy(WRAPPER, self.folder)
        done = subprocess.run([stranded], env=self.env, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, timeout=20)
        self.assertEqual(done.returncode, 1)
        self.assertIn(b"not complete", done.stderr)


if __name__ == "__main__":
    if not shutil.which("gdb"):
        print("skipped: gdb is not installed")
        sys.exit(77)
    unittest.main(argv=sys.argv[:1])
