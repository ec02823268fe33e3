# SPDX-License-Identifier: MIT
"""rrsoft events, ps, switch, who-ran: what else is in the recording."""
import gdb

from . import travel, wire
from .command import command, number, table
from .position import clock

_COUNT = 20


def read_events(first, count):
    return [(int(row[0], 16), int(row[1], 16), int(row[2], 16), row[3], int(row[4], 16))
            for row in wire.rows(f"events.{max(first, 1):x}.{count:x}")]


@command("rrsoft events")
def events(argument):
    """List events of the recording: system calls, signals, task switches and so on.

rrsoft events [FROM [COUNT]]

Without FROM, those around here; '=>' marks the next one. 'rrsoft seek event N' goes to one."""
    words = argument.split()
    here = wire.Position()
    first = number(words[0], "event") if words else here.event - _COUNT // 2
    count = number(words[1], "count") if len(words) > 1 else _COUNT
    rows = [("=>" if row[0] == here.event else "", row[0], row[1], row[2], row[3], clock(row[4])[2:])
            for row in read_events(first, count)]
    if not rows:
        gdb.write("No events there.\n")
        return
    table(rows, ("", "Event", "Tick", "Task", "Kind", "Time"))


@command("rrsoft ps")
def ps(argument):
    """List the processes of the recording, in order of their beginnings. '*' marks the one that gdb shows.

'rrsoft switch PID' shows another one."""
    here = wire.Position()
    tasks = wire.rows("tasks")
    rows = []
    for pid, parent, first, name in wire.rows("processes"):
        threads = sum(task[1] == pid for task in tasks)
        if int(first, 16) >= here.event:
            threads, state = "", "not yet"
        elif not threads:
            threads, state = "", "gone"
        else:
            state = "running" if any(task[1] == pid and task[3] == "1" for task in tasks) else "waiting"
        rows.append(("*" if int(pid, 16) == here.pid else "", int(pid, 16), int(parent, 16) or "", threads, state,
                     int(first, 16), name))
    table(rows, ("", "Process", "Parent", "Threads", "State", "Event", "Program"))


def _processes(text, word):
    return [str(int(row[0], 16)) for row in wire.rows("processes")]


@command("rrsoft switch", complete=_processes)
def switch(argument):
    """Show another process of the recording, at this place, or where it begins if it does not exist here.

rrsoft switch PID"""
    if not argument:
        raise gdb.GdbError("Say which process; 'rrsoft ps' lists them.")
    pid = number(argument, "process")
    if str(pid) not in _processes("", ""):
        raise gdb.GdbError(f"No process {pid} in this recording; 'rrsoft ps' lists them.")
    with travel.setting("confirm", False):  # that the process executes another program is no news
        gdb.execute("detach", to_string=True)
        gdb.execute(f"attach {pid}", to_string=True)


@command("rrsoft who-ran")
def who_ran(argument):
    """List which task ran when, around here, as far as their events tell.

rrsoft who-ran [COUNT]"""
    count = number(argument, "count") if argument else 10
    here = wire.Position()
    turns = []  # [task, first event, its tick, last event]
    for event, tick, task, _, _ in read_events(here.event - 50 * count, 100 * count):
        if turns and turns[-1][0] == task:
            turns[-1][3] = event
        else:
            turns.append([task, event, tick, event])
    at = next((i for i, turn in enumerate(turns) if turn[3] >= here.event), len(turns) - 1)
    rows = [("=>" if i == at else "", task, tick, f"{first} to {last}")
            for i, (task, first, tick, last) in enumerate(turns) if abs(i - at) <= count // 2]
    if rows:
        table(rows, ("", "Task", "From tick", "Events"))
    else:
        gdb.write("No events here.\n")
