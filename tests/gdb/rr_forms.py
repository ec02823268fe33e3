# SPDX-License-Identifier: MIT
"""Test that what a front end written for rr asks of it is answered by rrsoft: rr_forms.py RRSOFT PROGRAM.

The steps are those of Midas: pick a trace from `ls -t -r`, a process from `ps`, take gdb's settings from `gdbinit`, start
`replay -h HOST -s PORT -p PID -k TRACE` in a terminal, and connect gdb to it.
"""
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import unittest

RRSOFT, PROGRAM = sys.argv[1:]


class FrontEnd(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="rrsoft-rr-")
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        self.env = {**os.environ, "HOME": self.folder, "RRSOFT_TRACE_DIR": self.folder, "LC_ALL": "C"}
        for script in ("exit 0", f"(exit 3); {PROGRAM}; exit 4"):
            subprocess.run([RRSOFT, "record", "--quiet", "--", "sh", "-c", script], env=self.env, timeout=60,
                           stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def run_program(self, *words, exit_code=0):
        done = subprocess.run(words, env=self.env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, timeout=100)
        self.assertIn(done.returncode, (exit_code,), done.stderr)
        return done.stdout.decode(), done.stderr.decode()

    def rrsoft(self, *words, **options):
        return self.run_program(RRSOFT, *words, **options)[0]

    def processes(self):
        """(number, parent, exit, command), as Midas takes the lines apart."""
        return [re.match(r"\s*(\S+)\s+(\S+)\s+(\S+)\s+(.*)", line).groups()
                for line in self.rrsoft("ps", "sh-2").splitlines()[1:]]

    def gdb(self, target, *commands):
        settings = os.path.join(self.folder, "gdbinit")
        with open(settings, "w", encoding="utf-8") as file:
            file.write(self.rrsoft("gdbinit"))
        words = [word for text in (f"target extended-remote {target}", *commands) for word in ("-ex", text)]
        return self.run_program("gdb", "-nx", "-q", "-batch", "-l", "10000", "-ex", "set sysroot target:", "-x", settings,
                                *words)[0]

    def serve(self, *words):
        """Starts a server in a terminal's place, and gives it with the address that it prints."""
        server = subprocess.Popen([RRSOFT, "replay", *words], env=self.env, stdin=subprocess.DEVNULL,
                                  stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True)

        def end():
            if server.poll() is None:
                os.killpg(server.pid, signal.SIGTERM)
            server.communicate(timeout=20)

        self.addCleanup(end)
        line = server.stdout.readline().decode().split()
        self.assertEqual(line[:2], ["target", "extended-remote"], line)
        return server, line[2]

    def test_lists(self):
        self.assertEqual([line.split(" ")[0] for line in self.rrsoft("ls", "-t", "-r").splitlines()], ["sh-2", "sh-1"])
        self.assertEqual(self.rrsoft("ls", "-t").split(), ["sh-1", "sh-2"])
        self.assertIn("COMMAND", self.rrsoft("ls", "-l", "-t"))
        shell, fork, crash = self.processes()
        self.assertEqual((shell[1], shell[2], shell[3].split()[:2]), ("--", "4", ["sh", "-c"]))
        self.assertEqual(fork[1:3], (shell[0], "3"))
        self.assertIn("(forked without exec)", fork[3])
        self.assertEqual((crash[1:3], crash[3].split(" ")[0]), ((shell[0], "SIGSEGV"), PROGRAM))

    def test_session(self):
        pid = self.processes()[2][0]
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = str(free.getsockname()[1])
        server, address = self.serve("-h", "127.0.0.1", "-s", port, "-p", pid, "-k", "sh-2")
        self.assertEqual(address, f"127.0.0.1:{port}")
        for _ in range(2):  # -k: the second gdb is served as well
            text = self.gdb(address, "info inferiors", "break report", "continue", "rrsoft when", "reverse-finish",
                            "checkpoint", "info checkpoints")
            self.assertIn(f"process {pid}", text)
            self.assertIn("Breakpoint 1, report", text)
            self.assertIn("main () at", text)
            self.assertRegex(text, r"tick \d+ of \d+")
            self.assertIn("Checkpoint 1 at", text)
        self.assertIsNone(server.poll())

    def test_without_k_one_gdb_is_served(self):
        server, address = self.serve("-s", "0", "-p", os.path.basename(PROGRAM), "sh-2")
        self.assertTrue(address.startswith("127.0.0.1:"), address)
        self.assertIn("main", self.gdb(address, "break main", "continue"))
        self.assertEqual(server.wait(20), 0)

    def test_goto(self):
        _, address = self.serve("-s", "0", "-g", "12", "sh-2")
        self.assertIn("event 12 of", self.gdb(address, "rrsoft when"))
        text = self.rrsoft("replay", "-g", "12", "-x", os.devnull, "sh-2", "--", "-batch", "-ex", "rrsoft when")
        self.assertIn("event 12 of", text)

    def test_autopilot(self):
        self.rrsoft("replay", "-a", "sh-2", exit_code=4)
        self.rrsoft("replay", "--autopilot", "-q", "sh-2", exit_code=4)
        self.assertIn("Usage", self.rrsoft("replay", "-h"))

    def test_elsewhere_is_warned_of(self):
        server, address = self.serve("-h", "0.0.0.0", "-s", "0", "-k", "sh-1")
        self.assertTrue(address.startswith("0.0.0.0:"))
        self.assertIn("warning: anyone who can reach this address", server.stderr.readline().decode())

    def test_mistakes(self):
        for words, message, exit_code in (
                (("-s", "70000"), "--dbgport needs a port", 2), (("-s", "x"), "needs a number", 2),
                (("-p", "0", "-s", "0"), "process id", 2), (("-f", "0"), "process id", 2),
                (("-p", "nothing", "-s", "0", "sh-2"), "no process is or ran 'nothing'", 1),
                (("-d", "/no/such/gdb", "-i", "mi", "sh-2"), "was not found", 1),
                (("-s", "0", "no-such-trace"), "no-such-trace", 1)):
            with self.subTest(words=words):
                _, errors = self.run_program(RRSOFT, "replay", *words, exit_code=exit_code)
                self.assertRegex(errors, rf"^rrsoft: .*{message}.*\n$")


if __name__ == "__main__":
    if not shutil.which("gdb"):
        print("skipped: gdb is not installed")
        sys.exit(77)
    unittest.main(argv=sys.argv[:1])
