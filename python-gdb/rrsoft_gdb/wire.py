# SPDX-License-Identifier: MIT
"""Packets to the server and back. Numbers are hex on the wire; rows are lines with fields between ';'."""
import gdb

_PIECE = 0x8000
_known = {}  # whether a connection leads to rrsoft, by its number


def connection():
    """The connection of the selected inferior, if rrsoft is at its other end; else an error for the user."""
    current = gdb.selected_inferior().connection
    if current is None or not current.is_valid() or not hasattr(current, "send_packet"):
        raise gdb.GdbError("Not connected to a recording; try 'rrsoft gdb TRACE'.")
    if current.num not in _known:
        _known[current.num] = (current.send_packet("qRRS:hello") or b"").startswith(b"rrsoft ")
    if not _known[current.num]:
        raise gdb.GdbError("The target is not a recording of rrsoft.")
    return current


def is_connected():
    try:
        connection()
    except (gdb.error, gdb.GdbError):
        return False
    return True


def forget(event):
    """A number may be given again to another connection."""
    _known.pop(event.connection.num, None)


def ask(packet):
    """Sends a packet and gives the reply as text. An error reply is an error for the user."""
    reply = (connection().send_packet(packet) or b"").decode("ascii", "replace")
    if reply.startswith("E"):
        text = reply[2:] if reply.startswith("E.") else ""
        raise gdb.GdbError("rrsoft-gdbserver refused: " + (text or packet))
    return reply


def read(annex):
    """Reads an object of the recording, all of it, as text."""
    text = ""
    while True:
        reply = ask(f"qXfer:rrsoft:read:{annex}:{len(text):x},{_PIECE:x}")
        text += reply[1:]
        if not reply.startswith("m"):
            return text


def rows(annex):
    """Reads an object and gives its lines, split into fields."""
    return [line.split(";") for line in read(annex).splitlines()]


class Position:
    """Where the recording stands, as the server tells it."""

    def __init__(self):
        fields = dict(field.split("=") for field in ask("qRRS:when").split(";"))
        for name, value in fields.items():
            setattr(self, name, int(value, 16))

    def place(self):
        return f"position:{self.event:x},{self.tick:x},{self.pc:x}"

    def same_place(self, other):
        return (self.event, self.tick, self.pc) == (other.event, other.tick, other.pc)

    def percent(self):
        return 100.0 * self.tick / self.end_tick if self.end_tick else 0.0

    def short(self):
        return f"tick {self.tick}, event {self.event}"
