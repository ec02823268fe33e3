# SPDX-License-Identifier: MIT
"""What happens by itself: $_tick and $_event, the prompt, and what the server has to say."""
import re

import gdb

from . import marks, travel, wire
from .command import command


class RrsoftSet(gdb.Command):
    """Settings of rrsoft's commands."""

    def __init__(self):
        super().__init__("set rrsoft", gdb.COMMAND_SUPPORT, prefix=True)


class RrsoftShow(gdb.Command):
    """Show settings of rrsoft's commands."""

    def __init__(self):
        super().__init__("show rrsoft", gdb.COMMAND_SUPPORT, prefix=True)


class PromptParameter(gdb.Parameter):
    """Show the position in the recording in gdb's prompt."""

    set_doc = "Set whether gdb's prompt shows the position in the recording."
    show_doc = "Show whether gdb's prompt shows the position in the recording."

    def __init__(self):
        super().__init__("rrsoft prompt", gdb.COMMAND_SUPPORT, gdb.PARAM_BOOLEAN)
        self.value = False

    def get_set_string(self):
        gdb.prompt_hook = _prompt if self.value else None
        return ""

    def get_show_string(self, value):
        return f"The position in gdb's prompt is {value}."


def _prompt(current):
    try:
        position = wire.Position()
    except (gdb.error, gdb.GdbError):
        return current
    return f"(rrsoft {position.tick}{'*' if position.trial else ''}) "


def _on_stop(event):
    """Sets the convenience variables; what other targets do is none of our business."""
    if not wire.is_connected():
        return
    marks.replace_gdb_commands()
    position = wire.Position()
    gdb.set_convenience_variable("_tick", position.tick)
    gdb.set_convenience_variable("_event", position.event)


def _on_change(event):
    """The server may have begun a throw-away copy, and could not say so while it was asked to write."""
    if wire.is_connected():
        gdb.write(wire.read("messages"))


_NOISE = re.compile(r"Remote debugging using |Reading |warning: File transfers from remote targets can be slow"
                    r"|\(No debugging symbols found in target:|$")


def _signal():
    text = gdb.execute("info program", to_string=True)
    found = re.search(r"^It stopped with signal (.*)\.$", text, re.MULTILINE)
    return f": {found[1]}" if found and not found[1].startswith("SIGTRAP") else ""


def _describe_place(position):
    if position.tick == position.end_tick:
        return f"At the end of the recording (tick {position.tick})"
    if not position.tick:
        return "At the start of the recording"
    return f"At tick {position.tick} of {position.end_tick} ({position.percent():.0f} %)"


@command("maintenance rrsoft-connect")
def connect(argument):
    """Connect to a server, and say where the recording stands.

As 'target extended-remote', without a line for each file that gdb reads."""
    with travel.moving(quiet=True):
        text = gdb.execute(f"target extended-remote {argument}", to_string=True)
    lines = [line for line in text.splitlines() if not _NOISE.match(line)]
    if lines:
        gdb.write("\n".join(lines) + "\n")
    if wire.is_connected():
        gdb.write(_describe_place(wire.Position()) + _signal() + ".\n")
        gdb.execute("frame")


@command("maintenance rrsoft-refuse-record")
def refuse_record(argument):
    """In front of 'record': refuse it if this is a recording of rrsoft.

gdb's own recording on top of ours would try to write registers at every step."""
    if wire.is_connected():
        raise gdb.GdbError("This is a recording already: reverse-step and all the others work.")


@command("maintenance rrsoft-tell-record")
def tell_record(argument):
    """Behind 'info record': tell about the recording of rrsoft.

gdb itself says that it records nothing."""
    if wire.is_connected():
        gdb.write("This is a recording of rrsoft; see 'rrsoft when'.\n")


_HOOKS = """define hook-record
maintenance rrsoft-refuse-record
end
define info hookpost-record
maintenance rrsoft-tell-record
end
"""


def install():
    for hook in _HOOKS.split("end\n")[:-1]:
        gdb.execute(hook + "end", to_string=True)
    RrsoftSet()
    RrsoftShow()
    PromptParameter()
    gdb.events.stop.connect(_on_stop)
    gdb.events.memory_changed.connect(_on_change)
    gdb.events.register_changed.connect(_on_change)
    gdb.events.connection_removed.connect(wire.forget)
