# SPDX-License-Identifier: MIT
"""rrsoft log: a printf added to a program that has run already."""
import gdb

from . import travel, wire
from .command import command


class _Printer(gdb.Breakpoint):
    """Prints at each hit and never stops."""

    def __init__(self, location, text):
        super().__init__(location, internal=True)
        self.silent = True
        self.text = text
        self.count = 0
        self.failure = None

    def stop(self):
        try:
            line = gdb.execute("printf " + self.text, to_string=True)
        except gdb.error as error:
            self.failure = str(error)
            return True
        self.count += 1
        gdb.write(f"[{wire.Position().tick}] {line.rstrip()}\n")
        return False


def _parse(argument):
    """ '"x=%d", x at LOCATION': the last ' at ' behind the format counts."""
    text, found, location = argument.rpartition(" at ")
    if not found or not text.startswith('"') or not location.strip():
        raise gdb.GdbError('Usage: rrsoft log "FORMAT", EXPR... at LOCATION')
    return text.strip(), location.strip()


def _run_to_end(printer):
    """Over every signal of the recording, to where it does not go any further."""
    stops = []
    note = stops.append
    gdb.events.stop.connect(note)
    try:
        while not printer.failure:
            before = wire.Position()
            gdb.execute("continue")
            if wire.Position().same_place(before) or getattr(stops[-1], "stop_signal", "") == "SIGINT":
                return
    finally:
        gdb.events.stop.disconnect(note)


@command("rrsoft log", complete=gdb.COMPLETE_LOCATION)
def log(argument):
    """Print something whenever the recording comes by a location, in order of time, with the tick.

rrsoft log "FORMAT", EXPR... at LOCATION

As gdb's printf, over the whole recording; the place stays where it is. Ctrl-C ends it."""
    text, location = _parse(argument)
    origin = wire.Position()
    others = [breakpoint for breakpoint in gdb.breakpoints() or () if breakpoint.enabled]
    printer = _Printer(location, text)
    if printer.pending:
        printer.delete()
        raise gdb.GdbError(f"There is no location '{location}' here.")
    try:
        for breakpoint in others:
            breakpoint.enabled = False
        travel.run("start", quiet=True)
        with travel.moving(quiet=True):
            _run_to_end(printer)
    finally:
        printer.delete()
        for breakpoint in others:
            breakpoint.enabled = True
        travel.run(origin.place(), quiet=True)
    if printer.failure:
        raise gdb.GdbError(printer.failure)
    if not printer.count:
        gdb.write(f"{location} is never reached.\n")
