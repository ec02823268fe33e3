# SPDX-License-Identifier: MIT
"""Recording by gdb's own `run`: for front ends that know how to start a program, and nothing of recordings.

In front of `run`, `start` and `starti` (MI: -exec-run) the program is recorded as gdb would have started it, and gdb connected
to a server that shows no process yet. Then gdb's command does what it does on any remote target. So every front end sees the
events that it expects, and from there on it is in a replay."""
import ctypes
import os
import selectors
import shlex
import shutil
import signal
import subprocess

import gdb

from . import wire
from .command import command

_PR_SET_PDEATHSIG = 1


class RecordOnRun(gdb.Parameter):
    """Whether 'run' records the program."""

    set_doc = "Set whether 'run' records the program first, and then replays it."
    show_doc = "Show whether 'run' records the program first, and then replays it."

    def __init__(self):
        super().__init__("rrsoft record-on-run", gdb.COMMAND_SUPPORT, gdb.PARAM_BOOLEAN)
        self.value = False

    def get_set_string(self):
        if self.value:
            _hook()
        return ""

    def get_show_string(self, value):
        return f"Recording by 'run' is {value}."


class TraceOnRun(gdb.Parameter):
    """The recording that 'run' replays."""

    set_doc = "Set the recording that 'run' replays, in place of recording the program."
    show_doc = "Show the recording that 'run' replays."

    def __init__(self):
        super().__init__("rrsoft trace-on-run", gdb.COMMAND_SUPPORT, gdb.PARAM_STRING)
        self.value = ""

    def get_set_string(self):
        if self.value:
            _hook()
        return ""

    def get_show_string(self, value):
        return f"'run' replays '{value}'." if value else "'run' replays no particular recording."


class Program(gdb.Parameter):
    """The rrsoft that records."""

    set_doc = "Set the program that records: a path, or a name in PATH."
    show_doc = "Show the program that records."

    def __init__(self):
        super().__init__("rrsoft program", gdb.COMMAND_SUPPORT, gdb.PARAM_STRING)
        self.value = "rrsoft"

    def get_set_string(self):
        return ""

    def get_show_string(self, value):
        return f"'{value}' records."


def _hook():
    for name in ("run", "start", "starti"):
        gdb.execute(f"define hook-{name}\nmaintenance rrsoft-before-run\nend", to_string=True)


# --- how gdb would have started the program ---

def _environment():
    """gdb's environment for the program. A value with a line break counts up to there, as gdb shows no more."""
    shown = gdb.execute("show environment", to_string=True).splitlines()
    return dict(line.split("=", 1) for line in shown if "=" in line)


def _terminal():
    """The program's terminal, or "". gdb.parameter() does not know of one that gdb's option --tty gave."""
    return gdb.execute("show inferior-tty", to_string=True).split('"')[1]


def _shell_words(rrsoft, program):
    """As gdb starts a program: by a shell, which expands and redirects what stands in the arguments."""
    words = " ".join(map(shlex.quote, (rrsoft, "record", "--quiet", "--", program)))
    return ["/bin/sh", "-c", f"exec {words} {gdb.parameter('args')}"]


def _prepare():
    """In the new process: it ends with gdb, and a key pressed for gdb is none of its business."""
    os.setsid()
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def _start(rrsoft, program):
    terminal = _terminal()
    options = {"env": _environment(), "cwd": gdb.parameter("cwd") or None, "preexec_fn": _prepare}
    if terminal:
        with open(terminal, "r+b", buffering=0) as file:
            return subprocess.Popen(_shell_words(rrsoft, program), stdin=file, stdout=file, stderr=file, **options)
    return subprocess.Popen(_shell_words(rrsoft, program), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE, **options)


def _show_output(process):
    """What the program writes goes to gdb's console, until it ends. It may leave others behind that hold the pipes."""
    with selectors.DefaultSelector() as selector:
        for pipe, stream in ((process.stdout, gdb.STDOUT), (process.stderr, gdb.STDERR)):
            if pipe is not None:
                selector.register(pipe, selectors.EVENT_READ, stream)
        while selector.get_map() and (process.poll() is None or selector.select(0)):
            for key, _ in selector.select(0.1):
                data = os.read(key.fd, 65536)
                if data:
                    gdb.write(data.decode(errors="replace"), key.data)
                    gdb.flush(key.data)
                else:
                    selector.unregister(key.fileobj)


def _wait(process):
    """Ctrl-C ends the recording; what there is of it is replayed."""
    try:
        _show_output(process)
        return process.wait()
    except KeyboardInterrupt:
        process.terminate()
        return process.wait()
    finally:
        for pipe in (process.stdout, process.stderr):
            if pipe is not None:
                pipe.close()


def _names(rrsoft):
    return subprocess.run([rrsoft, "ls", "--quiet", "--reverse"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                          stdin=subprocess.DEVNULL, env=_environment(), check=False).stdout.decode().splitlines()


def _record(rrsoft):
    """Records the program that gdb has loaded, and gives the trace's name."""
    program = gdb.current_progspace().filename
    if not program:
        raise gdb.GdbError("No program to record; use the 'file' command.")
    before = set(_names(rrsoft))
    gdb.write(f"Recording {program}.\n")
    gdb.flush()
    status = _wait(_start(rrsoft, program))
    made = [name for name in _names(rrsoft) if name not in before]
    if not made:
        raise gdb.GdbError(f"rrsoft record made no recording (exit status {status}).")
    gdb.write(f"Recorded as {made[0]}; this is a replay.\n")
    return made[0]


def _server(rrsoft):
    path = os.path.join(os.path.dirname(rrsoft), "rrsoft-gdbserver")
    if not os.access(path, os.X_OK):
        raise gdb.GdbError(f"This installation of rrsoft is not complete: {path} is missing.")
    return path


def _serve(rrsoft, *words):
    """Starts a server, which ends with gdb, and gives its address. A pipe would be easier, and is slow: see cli/gdb_server.c."""
    words = [_server(rrsoft), "--once", *words]
    process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, preexec_fn=_prepare)
    with process.stdout:
        line = process.stdout.readline().decode().split()
    if line[:2] != ["target", "extended-remote"]:
        process.wait()
        raise gdb.GdbError("The recording cannot be replayed.")
    return line[2]


def _found_rrsoft():
    found = shutil.which(gdb.parameter("rrsoft program"))
    if not found:
        raise gdb.GdbError("rrsoft was not found; see 'set rrsoft program'.")
    return os.path.realpath(found)


@command("maintenance rrsoft-serve")
def serve(argument):
    """Start a server of its own for this gdb: the words are for rrsoft-gdbserver.

For front ends that make gdb connect by themselves, to the socket that they name by --socket."""
    gdb.write(f"target extended-remote {_serve(_found_rrsoft(), *gdb.string_to_argv(argument))}\n")


@command("maintenance rrsoft-before-run")
def before_run(argument):
    """In front of 'run': record the program, unless a recording is connected already.

With a recording, 'run' goes back to its start. See 'set rrsoft record-on-run'."""
    if wire.is_connected() or gdb.selected_inferior().pid:
        return
    trace = gdb.parameter("rrsoft trace-on-run")
    if not trace and not gdb.parameter("rrsoft record-on-run"):
        return
    rrsoft = _found_rrsoft()
    trace = trace or _record(rrsoft)
    for setting in ("args", "exec-file-mismatch off", "sysroot target:"):
        gdb.execute(f"set {setting}", to_string=True)
    gdb.execute("target extended-remote " + _serve(rrsoft, "--wait-for-run", trace), to_string=True)


RecordOnRun()
TraceOnRun()
Program()
