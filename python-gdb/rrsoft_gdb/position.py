# SPDX-License-Identifier: MIT
"""rrsoft when, seek, back, forward."""
import time

import gdb

from . import marks, travel, wire
from .command import command, number


def clock(wall_ns):
    """The time of day of the recording, in this machine's zone."""
    if not wall_ns:
        return ""
    seconds, rest = divmod(wall_ns, 10**9)
    return time.strftime(", %H:%M:%S", time.localtime(seconds)) + f".{rest // 1000:06d}"


def describe(position):
    text = (f"tick {position.tick} of {position.end_tick} ({position.percent():.0f} %), event {position.event} of "
            f"{position.end_event}, task {position.tid}{clock(position.wall)}")
    return text + (", with changes that are not in the recording" if position.trial else "")


@command("rrsoft when")
def when(argument):
    """Print the position in the recording: tick, event, task, time of day.

A tick is one jump back, call back or return of the recorded program: they number its whole run."""
    gdb.write(describe(wire.Position()) + "\n")


def parse_place(text, here):
    """Turns what a user calls a place into an errand."""
    text = text.strip()
    if text in ("start", "end"):
        return text
    if text.startswith("event "):
        return f"event:{number(text[6:].strip(), 'event'):x}"
    if text.endswith("%"):
        share = number(text[:-1].strip(), "percentage")
        return f"tick:{here.end_tick * max(0, min(share, 100)) // 100:x}"
    if text[:1] in "+-" and text[1:]:
        return f"tick:{max(0, here.tick + number(text, 'tick')):x}"
    found = marks.find(text)
    if found:
        return found
    return f"tick:{number(text, 'tick, bookmark or other place'):x}"


def _places(text, word):
    return ["start", "end", "event "] + marks.names()


@command("rrsoft seek", complete=_places)
def seek(argument):
    """Go to another place of the recording.

rrsoft seek TICK          the first place with that tick (+N and -N: from here)
rrsoft seek event N       in front of an event; 'rrsoft events' lists them
rrsoft seek N%            by share of the ticks
rrsoft seek start|end
rrsoft seek NAME          a bookmark

'rrsoft back' returns. Breakpoints on the way do not stop it."""
    if not argument:
        raise gdb.GdbError("Say where: a tick, 'event N', 'N%', 'start', 'end' or a bookmark.")
    travel.go(parse_place(argument, wire.Position()))


@command("rrsoft back", repeat=True)
def back(argument):
    """Return to the place where the last journey began.

rrsoft back [N]

Journeys are 'rrsoft seek', 'last', 'restart' and so on, not gdb's own stepping."""
    travel.back(number(argument, "count") if argument else 1)


@command("rrsoft forward", repeat=True)
def forward(argument):
    """Undo 'rrsoft back'.

rrsoft forward [N]"""
    travel.forward(number(argument, "count") if argument else 1)
