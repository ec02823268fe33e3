# SPDX-License-Identifier: MIT
"""What every case has at hand; gdb runs this, and this runs the case. A failed assertion ends gdb with status 1."""
import os
import pathlib
import re
import signal
import sys
import threading
import time
import traceback

import gdb

HERE = pathlib.Path(__file__).resolve().parent
SOURCES = HERE / "guests"
COMMANDS = HERE.parents[1] / "python-gdb" / "rrsoft.py"
TARGET = os.environ["TARGET"]


def do(command):
    """Runs a gdb command and gives what it printed (the place of a stop goes to the terminal)."""
    print(">>>", command, flush=True)
    text = gdb.execute(command, to_string=True)
    print(text, end="", flush=True)
    return text


def fails(command, match="."):
    """Runs a command that must be refused, with words."""
    try:
        do(command)
    except gdb.error as error:
        assert re.search(match, str(error)), f"{command}: {error}"
        return str(error)
    raise AssertionError(f"{command} was not refused")


def value(expression):
    return int(gdb.parse_and_eval(expression))


def pc():
    return value("(long)$pc")


def line_of(mark, source="freestanding.c"):
    for number, text in enumerate((SOURCES / source).read_text().splitlines(), 1):
        if f"mark: {mark} " in text:
            return number
    raise AssertionError(f"no mark {mark}")


def line():
    return gdb.newest_frame().find_sal().line


def function():
    return gdb.newest_frame().name()


def equal(found, expected, what=""):
    assert found == expected, f"{what}: {found!r} instead of {expected!r}"


class Stops:
    """The stops of a block of commands: signal names, or the numbers of breakpoints."""

    def __enter__(self):
        self.seen = []
        gdb.events.stop.connect(self.note)
        return self.seen

    def note(self, event):
        if isinstance(event, gdb.BreakpointEvent):
            self.seen.append(event.breakpoint.number)
        elif isinstance(event, gdb.SignalEvent):
            self.seen.append(event.stop_signal)
        else:
            self.seen.append("stop")

    def __exit__(self, *unused):
        gdb.events.stop.disconnect(self.note)


def with_ctrl_c(command, seconds):
    """Runs a command and presses Ctrl-C after some seconds: (its stops, the seconds that it took)."""
    with Stops() as stops:
        threading.Timer(seconds, lambda: os.kill(os.getpid(), signal.SIGINT)).start()
        begin = time.monotonic()
        try:
            do(command)
        except KeyboardInterrupt:
            pass
        return stops, time.monotonic() - begin


def connect():
    do("set pagination off")
    do("set confirm off")
    do("set width 0")
    do(f"target extended-remote {TARGET}")


def run_case(path):
    names = {name: thing for name, thing in globals().items() if not name.startswith("_")}
    exec(compile(pathlib.Path(path).read_text(), path, "exec"), names)


try:
    run_case(os.environ["CASE"])
except BaseException:
    traceback.print_exc(file=sys.stdout)
    sys.stdout.flush()
    gdb.execute("quit 1")
