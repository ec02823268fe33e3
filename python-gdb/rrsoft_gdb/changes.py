# SPDX-License-Identifier: MIT
"""rrsoft last, next-change, history: where a value changed."""
import gdb

from . import travel, wire
from .command import command, function_at, line_at, number, table

_MOST = 1000


class Followed:
    """The memory behind an expression. In a repetition it stays the same memory, though the scope has changed."""

    last = None  # the one followed last
    place = None  # where that led to

    def __init__(self, expression):
        value = gdb.parse_and_eval(expression)
        if value.address is None:
            raise gdb.GdbError(f"'{expression}' is not in memory, so it cannot be followed.")
        self.expression = expression
        self.kind = value.type
        self.address = int(value.address)
        self.bytes = value.type.sizeof

    def show(self, text):
        """Formats bytes in hex as a value of the expression's type."""
        if not text:
            return "<not there>"
        return gdb.Value(bytes.fromhex(text), self.kind).format_string(max_elements=20)

    @classmethod
    def of(cls, expression):
        previous = cls.last
        if previous and previous.expression == expression and cls.place and wire.Position().same_place(cls.place):
            return previous
        cls.last = cls(expression)
        return cls.last


def follow(expression, errand, none):
    """Travels to a change and says what it was."""
    if not expression:
        raise gdb.GdbError("Say what to follow: an expression that is in memory.")
    followed = Followed.of(expression)
    _, after = travel.go(f"{errand}:{followed.address:x},{followed.bytes:x}")
    Followed.place = after
    found = wire.rows("results")
    if not found:
        gdb.write(none.format(expression) + "\n")
        return
    before, now = found[0][4:6]
    gdb.write(f"{expression}: {followed.show(before)} -> {followed.show(now)}  ({after.short()})\n")


@command("rrsoft last", complete=gdb.COMPLETE_EXPRESSION, repeat=True)
def last(argument):
    """Go back to where an expression's value changed last, in front of the instruction that did it.

rrsoft last EXPR

Enter goes to the change before that one. It is the memory of EXPR that is followed: for a local
variable that of the frame selected now."""
    follow(argument, "last-change", "{} did not change before this place.")


@command("rrsoft next-change", complete=gdb.COMPLETE_EXPRESSION, repeat=True)
def next_change(argument):
    """Go forward to where an expression's value changes next, behind the instruction that does it.

rrsoft next-change EXPR"""
    follow(argument, "next-change", "{} does not change behind this place.")


@command("rrsoft history", complete=gdb.COMPLETE_EXPRESSION)
def history(argument):
    """List every change of an expression's value in the whole recording.

rrsoft history [--max N] EXPR

The place stays where it is. Ctrl-C ends the search and lists what was found. 'rrsoft seek TICK' goes to one."""
    most = _MOST
    if argument.startswith("--max"):
        count, _, argument = argument[len("--max"):].strip(" =").partition(" ")
        most = number(count, "count")
    if not argument:
        raise gdb.GdbError("Say what to follow: an expression that is in memory.")
    followed = Followed(argument)
    found, interrupted = travel.collect(f"changes:{followed.address:x},{followed.bytes:x},{most:x}")
    rows = [(int(row[1], 16), int(row[0], 16), int(row[3], 16), function_at(int(row[2], 16) - 1),
             f"{followed.show(row[4])} -> {followed.show(row[5])}") for row in found]
    if rows:
        table(rows, ("Tick", "Event", "Task", "Function", argument))
    if interrupted:
        gdb.write("Interrupted: there may be more.\n")
    elif len(rows) == most:
        gdb.write(f"The first {most}; --max N lists more.\n")
    elif not rows:
        gdb.write(f"{argument} never changes.\n")
