#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Test that a replay does what a trace says and nothing to the machine, whatever the trace says.

Good traces are rewritten: other code, other events. A replay of them must end with one line of error, and no file may
have come to be, no connection been made, no signal been sent and no process be left. Also: traces of other CPUs.
"""
import os
import pathlib
import random
import re
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import unittest

RRSOFT = os.environ["RRSOFT"]
REWRITE = os.environ["REWRITE_TRACE"]
GUEST = os.environ["GUEST"]
TIMEOUT = 60

OPEN, SOCKET, CONNECT, FORK, KILL, MMAP, MPROTECT, MUNMAP, MREMAP, MADVISE, BRK = 2, 41, 42, 57, 62, 9, 10, 11, 25, 28, 12
O_WRONLY_CREAT = 0o101
UNTRACED, TRACED = 0x2000, 0x2010  # the runtime's own system call instructions: engine/runtime/layout.h
CELLS, RUNTIME_BYTES = 0x1000, 0x670000

SYSCALL = b"\x0f\x05"
INT80 = b"\xcd\x80"
HALT = b"\xf4"


def set_registers(number, *arguments):
    """mov rax, number; mov rdi, ...: the arguments of a system call."""
    code = b"\x48\xb8" + struct.pack("<Q", number)
    for opcode, value in zip((b"\x48\xbf", b"\x48\xbe", b"\x48\xba", b"\x49\xba", b"\x49\xb8", b"\x49\xb9"), arguments):
        code += opcode + struct.pack("<Q", value)
    return code


def jump(address):
    """mov r11, address; jmp r11"""
    return b"\x49\xbb" + struct.pack("<Q", address) + b"\x41\xff\xe3"


def store(address, value):
    """mov rax, address; mov rcx, value; mov [rax], rcx"""
    return b"\x48\xb8" + struct.pack("<Q", address) + b"\x48\xb9" + struct.pack("<Q", value) + b"\x48\x89\x08"


def call_event(number, *arguments, result=0):
    words = [number, *arguments, *[0] * (6 - len(arguments)), result]
    return "call=" + ",".join(str(word) for word in words)


def memory_available():
    text = pathlib.Path("/proc/meminfo").read_text()
    return int(re.search("MemAvailable: *([0-9]+) kB", text)[1]) * 1024


class HostileTraces(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.top = pathlib.Path(tempfile.mkdtemp(prefix="rrsoft-hostile-"))
        cls.addClassCleanup(shutil.rmtree, cls.top, ignore_errors=True)
        cls.good = cls.top / "good"
        done = subprocess.run([RRSOFT, "record", "-q", "-o", cls.good, "--", GUEST], timeout=TIMEOUT,
                              stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        cls.expected = done.returncode, done.stderr.decode()
        shown = subprocess.run([REWRITE, cls.good, "show"], check=True, stdout=subprocess.PIPE).stdout.split()
        cls.entry, cls.runtime = (int(word, 16) for word in shown)

    def setUp(self):
        self.evidence = self.top / "evidence"
        self.evidence.mkdir()
        self.addCleanup(shutil.rmtree, self.evidence)
        self.path = self.evidence / "file"
        self.listener = socket.socket(socket.AF_UNIX)
        self.addCleanup(self.listener.close)
        self.listener.bind("\0rrsoft-hostile-%d" % os.getpid())
        self.listener.listen()
        self.signals = []
        before = signal.signal(signal.SIGUSR1, lambda number, frame: self.signals.append(number))
        self.addCleanup(signal.signal, signal.SIGUSR1, before)

    def replay(self, *changes, options=()):
        """Replays the changed trace; gives status and standard error."""
        trace = self.top / "changed"
        subprocess.run([REWRITE, self.good, trace, *changes], check=True, timeout=TIMEOUT)
        try:
            child = subprocess.Popen([RRSOFT, "replay", *options, trace], stdin=subprocess.DEVNULL,
                                     stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, start_new_session=True)
            error = child.communicate(timeout=TIMEOUT)[1].decode()
        finally:
            child.kill()
            shutil.rmtree(trace)
        return child.returncode, error

    def refused(self, *changes, match=".", options=(), warnings=0):
        status, error = self.replay(*changes, options=options)
        self.assertIn(status, (1, 3), error)
        self.assertRegex(error, "^(rrsoft: [^\n]+\n){%d}$" % (1 + warnings))
        self.assertRegex(error, match)
        self.nothing_happened()

    def nothing_happened(self):
        self.assertEqual(list(self.evidence.iterdir()), [])
        self.listener.setblocking(False)
        with self.assertRaises(BlockingIOError):
            self.listener.accept()
        self.assertEqual(self.signals, [])

    def data(self, address, content):
        return f"data={address:#x},{content.hex()}"

    def code(self, content):
        return self.data(self.entry, content)

    def calls(self):
        """Calls that would leave a mark, with the bytes that they need behind the code."""
        place = self.entry + 512
        yield (OPEN, place, O_WRONLY_CREAT, 0o600), self.data(place, bytes(self.path) + b"\0")
        yield (SOCKET, socket.AF_UNIX, socket.SOCK_STREAM, 0), self.data(place, b"\0")
        yield (KILL, os.getpid(), signal.SIGUSR1), self.data(place, b"\0")
        yield (FORK,), self.data(place, b"\0")

    def test_the_copy_is_good(self):
        """What is not changed replays: the other tests fail for what they change."""
        self.assertEqual(self.replay(), self.expected)

    def test_calls_of_other_code(self):
        for call, needed in self.calls():
            for instruction in (SYSCALL, INT80):
                with self.subTest(call=call[0], instruction=instruction.hex()):
                    self.refused(self.code(set_registers(*call) + instruction + HALT), needed,
                                 warnings=1 if instruction == INT80 else 0)

    def test_jump_at_the_runtime(self):
        for call, needed in self.calls():
            for place in (UNTRACED, TRACED):
                with self.subTest(call=call[0], place=place):
                    self.refused(self.code(set_registers(*call) + jump(self.runtime + place)), needed)

    def test_calls_that_the_trace_has(self):
        """The trace says that the call was made and succeeded: it is not made again."""
        for call, needed in self.calls():
            with self.subTest(call=call[0]):
                self.refused(self.code(set_registers(*call) + SYSCALL + HALT), needed, call_event(*call, result=3),
                             match="event 3 ")

    def test_connect_with_a_recorded_socket(self):
        name = b"\0rrsoft-hostile-%d" % os.getpid()
        place = self.entry + 512
        call = (CONNECT, 3, place, 2 + len(name))
        self.refused(self.code(set_registers(*call) + SYSCALL + HALT), call_event(*call),
                     self.data(place, struct.pack("<H", socket.AF_UNIX) + name))

    def test_memory_calls_on_the_engine(self):
        """Recorded calls that would take the engine's memory away, or change it."""
        at, size = self.runtime, 0x10000
        for call in ((MMAP, at, size, 3, 0x32, (1 << 64) - 1, 0), (MUNMAP, at, size), (MPROTECT, at, size, 7),
                     (MADVISE, at, size, 4), (MADVISE, at, size, 9), (MREMAP, at, size, 2 * size, 1),
                     (MUNMAP, 0, 1 << 47), (MPROTECT, at - 0x1000, size, 3)):
            changes = [self.code(set_registers(*call) + SYSCALL + HALT),
                       call_event(*call, result=at if call[0] in (MMAP, MREMAP) else 0)]
            if call[0] == MMAP:
                changes.append(f"callmap={at},{at + size}")
            with self.subTest(call=call):
                self.refused(*changes, match="event 2 changes memory that is not the program's")

    def test_mappings_over_the_engine(self):
        for start, end in ((self.runtime, self.runtime + 4096), (0x10000, 0x7fffffffe000),
                           (0x20000, 0x10000), (1 << 47, (1 << 47) + 4096), ((1 << 64) - 4096, 1 << 64)):
            with self.subTest(start=hex(start)):
                self.refused(f"map={start},{end & (1 << 64) - 1}", match="not the program's|malformed")

    def test_memory_that_the_engine_relies_on(self):
        for offset in (0, CELLS, UNTRACED, 0x270000, RUNTIME_BYTES - 1):
            with self.subTest(offset=hex(offset), by="an event"):
                self.refused(self.data(self.runtime + offset, b"\xff" * 16), match="not the program's")
        for offset in (0, 8, CELLS + 8):
            with self.subTest(offset=hex(offset), by="the program"):
                code = store(self.runtime + offset, 1 << 62) + set_registers(*next(self.calls())[0]) + SYSCALL + HALT
                self.refused(self.code(code))

    def test_memory_is_flooded_by_code(self):
        """One instruction writes to all of a mapping of 1 TiB."""
        start, size = 0x100000000000, 1 << 40
        fill = (set_registers(1, start) + b"\x48\xb9" + struct.pack("<Q", size) + b"\xf3\xaa" + HALT)
        keep = max(memory_available() - (300 << 20), 64 << 20)
        self.refused(f"map={start},{start + size}", self.code(fill), options=["--keep-free", str(keep)],
                     match="before it used up the machine's memory")

    def test_memory_is_flooded_by_contents(self):
        """The same page again and again costs nothing in a trace."""
        start, size = 0x100000000000, 1 << 30
        keep = max(memory_available() - (100 << 20), 64 << 20)
        self.refused(f"zeros={start},{size}", options=["--keep-free", str(keep)],
                     match="before it used up the machine's memory")

    def test_noise(self):
        seed = random.randrange(1 << 32)
        print(f"seed {seed}")
        for number in range(seed, seed + 40):
            with self.subTest(noise=number):
                status, error = self.replay(f"noise={number}")
                self.assertGreaterEqual(status, 0, f"it crashed: {error}")
                self.assertNotIn("Assertion", error)
                self.nothing_happened()

    def test_other_cpus(self):
        """Leaf 4 of the record is 0x80000001; bit 31 of edx 3DNow!, which no CPU has had since 2011."""
        self.refused("feature=4,31", match="this CPU lacks what the recorded program saw: 3dnow;")
        self.refused("vendor=CentaurHauls", match="recorded on a CPU of CentaurHauls, this one is of ")
        lower = self.top / "lower"
        subprocess.run([RRSOFT, "record", "-q", "--cpu", "baseline", "-o", lower, "--", GUEST], timeout=TIMEOUT,
                       stdout=subprocess.DEVNULL)
        done = subprocess.run([RRSOFT, "replay", lower], timeout=TIMEOUT, stdout=subprocess.DEVNULL)
        self.assertEqual(done.returncode, self.expected[0])


if __name__ == "__main__":
    unittest.main()
