#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Test that `rrsoft count` passes signals on to its program, and stops and goes on with it."""
import os
import pty
import signal
import subprocess
import time

RRSOFT = os.environ["RRSOFT"]
SLEEPER = ["/bin/sh", "-c", "trap 'echo caught; exit 5' TERM HUP INT; echo ready; while :; do sleep 0.05; done"]


def start(program, **options):
    child = subprocess.Popen([RRSOFT, "count", "--"] + program, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                             **options)
    assert child.stdout.readline().strip() == b"ready"
    return child


def check_passed_on(number):
    child = start(SLEEPER)
    child.send_signal(number)
    out, _ = child.communicate(timeout=60)
    assert out.strip() == b"caught", (number, out)
    assert child.returncode == 5, (number, child.returncode)


def check_kills_by_default():
    child = start(["/bin/sh", "-c", "echo ready; exec sleep 1000"])
    child.send_signal(signal.SIGTERM)
    child.wait(timeout=60)
    assert child.returncode in (-signal.SIGTERM, 128 + signal.SIGTERM), child.returncode
    child.stdout.close()


def read_until(fd, wanted):
    seen = b""
    while wanted not in seen:
        seen += os.read(fd, 1000)


def check_terminal_stop():
    """A shell of its own session, as its terminal's job control sees it: ^Z, then SIGCONT to the group."""
    pid, fd = pty.fork()
    if pid == 0:
        inner = os.fork()
        if inner == 0:
            os.setpgid(0, 0)
            signal.signal(signal.SIGTTOU, signal.SIG_IGN)
            os.tcsetpgrp(0, os.getpid())
            signal.signal(signal.SIGTTOU, signal.SIG_DFL)
            os.execv(RRSOFT, [RRSOFT, "count", "--", "/bin/sh", "-c",
                              "echo ready; read line; echo got $line"])
        _, status = os.waitpid(inner, os.WUNTRACED)
        os.write(1, b"stopped\n" if os.WIFSTOPPED(status) else b"ended\n")
        os.kill(-inner, signal.SIGCONT)
        os.waitpid(inner, 0)
        os._exit(0)
    read_until(fd, b"ready")
    time.sleep(0.2)
    os.write(fd, b"\x1a")
    read_until(fd, b"stopped")
    os.write(fd, b"line\n")
    read_until(fd, b"got line")
    os.close(fd)
    os.waitpid(pid, 0)


for each in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
    check_passed_on(each)
check_kills_by_default()
check_terminal_stop()
