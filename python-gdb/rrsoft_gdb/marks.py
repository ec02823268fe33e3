# SPDX-License-Identifier: MIT
"""Checkpoints and bookmarks: places with a number or a name. They cost nothing; every place can be gone to anyway."""
import gdb

from . import travel, wire
from .command import command, line_at, number, table

_checkpoints = {}  # number: (Position, text)
_bookmarks = {}  # name: (Position, text)


def find(name):
    """The errand that leads to a bookmark, or None."""
    return _bookmarks[name][0].place() if name in _bookmarks else None


def names():
    return list(_bookmarks)


def here():
    position = wire.Position()
    return position, line_at(position.pc)


@command("rrsoft checkpoint")
def checkpoint(argument):
    """Remember this place by a number. 'rrsoft restart N' goes there, 'rrsoft info' lists all."""
    if argument:
        raise gdb.GdbError("A checkpoint gets a number; for a name use 'rrsoft bookmark NAME'.")
    key = max(_checkpoints, default=0) + 1
    _checkpoints[key] = here()
    position, text = _checkpoints[key]
    gdb.write(f"Checkpoint {key} at {position.short()}: {text}\n")


@command("rrsoft info")
def info(argument):
    """List the checkpoints and bookmarks."""
    marks = [*_checkpoints.items(), *_bookmarks.items()]
    if not marks:
        gdb.write("No checkpoints or bookmarks.\n")
        return
    table([(key, position.tick, position.event, text) for key, (position, text) in marks],
          ("Num", "Tick", "Event", "Where"))


def _keys(text, word):
    return [str(key) for key in _checkpoints] + names()


def _take(argument):
    if not argument:
        raise gdb.GdbError("Say which: a checkpoint's number or a bookmark's name.")
    if argument in _bookmarks:
        return _bookmarks, argument
    key = number(argument, "checkpoint or bookmark")
    if key not in _checkpoints:
        raise gdb.GdbError(f"No checkpoint number {key}.")
    return _checkpoints, key


@command("rrsoft restart", complete=_keys)
def restart(argument):
    """Go to a checkpoint or bookmark.

rrsoft restart N|NAME"""
    marks, key = _take(argument)
    travel.go(marks[key][0].place())


@command("rrsoft delete", complete=_keys)
def delete(argument):
    """Forget a checkpoint or bookmark.

rrsoft delete N|NAME"""
    marks, key = _take(argument)
    del marks[key]


@command("rrsoft bookmark")
def bookmark(argument):
    """Give this place a name, for 'rrsoft seek NAME'. Without NAME, list the bookmarks.

rrsoft bookmark [NAME]"""
    if not argument:
        info("")
        return
    if argument[0].isdigit() or argument in ("start", "end") or len(argument.split()) != 1:
        raise gdb.GdbError("A bookmark's name is one word that does not begin with a digit.")
    _bookmarks[argument] = here()


def replace_gdb_commands():
    """gdb's own commands of these names make forks of a living process, and refuse here. They are replaced when the first
    recording is connected, so that somebody who loads this for every gdb loses nothing."""
    if gdb.convenience_variable("_rrsoft_marks") is not None:
        return
    gdb.set_convenience_variable("_rrsoft_marks", 1)

    @command("checkpoint")
    def _checkpoint(argument):
        """Remember this place of the recording; the same as 'rrsoft checkpoint'."""
        checkpoint(argument)

    @command("restart", complete=_keys)
    def _restart(argument):
        """Go to a checkpoint of the recording; the same as 'rrsoft restart'."""
        restart(argument)

    @command("info checkpoints")
    def _info(argument):
        """List the checkpoints of the recording; the same as 'rrsoft info'."""
        info(argument)

    @command("delete checkpoint", complete=_keys)
    def _delete(argument):
        """Forget a checkpoint of the recording; the same as 'rrsoft delete'."""
        delete(argument)
