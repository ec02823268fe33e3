# SPDX-License-Identifier: MIT
"""Going elsewhere in the recording. The server is told where, and gdb's own `stepi` takes it there: so gdb, and every
front end on top of it, sees an ordinary stop and refreshes what it shows."""
import contextlib

import gdb

from . import wire

_WATCHPOINTS = tuple(getattr(gdb, name) for name in ("BP_WATCHPOINT", "BP_HARDWARE_WATCHPOINT", "BP_READ_WATCHPOINT",
                                                     "BP_ACCESS_WATCHPOINT") if hasattr(gdb, name))

_behind = []  # places that `rrsoft back` leads to, the nearest one last
_ahead = []


def refresh_watchpoints():
    """gdb compares a watched value with the one it saw last, wherever that was, and skips a hit that brings the same."""
    for breakpoint in gdb.breakpoints() or ():
        if breakpoint.type in _WATCHPOINTS and breakpoint.enabled:
            breakpoint.enabled = False
            breakpoint.enabled = True


@contextlib.contextmanager
def setting(name, value):
    """Sets one of gdb's on/off settings for a while."""
    saved = gdb.parameter(name)
    gdb.execute(f"set {name} {'on' if value else 'off'}", to_string=True)
    try:
        yield
    finally:
        gdb.execute(f"set {name} {'on' if saved else 'off'}", to_string=True)


@contextlib.contextmanager
def moving(quiet):
    """Around what makes gdb go: its question whether to go on printing would hang it; `quiet` hides where it stops."""
    with setting("pagination", False), setting("suppress-cli-notifications", quiet):
        yield


def run(errand, quiet=False):
    """Does an errand (see gdbserver/errand.h) without remembering the way. Gives the position afterwards."""
    wire.ask("qRRS:arm:" + errand)
    with moving(quiet):
        gdb.execute("stepi")
    refresh_watchpoints()
    return wire.Position()


def go(errand, quiet=False):
    """Travels, so that `rrsoft back` leads to where it began. Gives the positions before and after."""
    before = wire.Position()
    after = run(errand, quiet)
    if not after.same_place(before):
        _behind.append(before.place())
        _ahead.clear()
    return before, after


def collect(errand):
    """Goes through the whole recording and comes back. Gives the rows found, and whether it was interrupted."""
    run(errand, quiet=True)
    found = wire.rows("results")
    interrupted = bool(found) and found[-1] == ["interrupted"]
    return (found[:-1] if interrupted else found), interrupted


def step_through(from_list, to_list, count):
    """`rrsoft back` and `rrsoft forward`."""
    if not from_list:
        raise gdb.GdbError("No place visited in that direction.")
    target = wire.Position().place()
    for _ in range(min(count, len(from_list))):
        to_list.append(target)
        target = from_list.pop()
    return run(target)


def back(count=1):
    return step_through(_behind, _ahead, count)


def forward(count=1):
    return step_through(_ahead, _behind, count)
