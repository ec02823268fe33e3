# SPDX-License-Identifier: MIT
"""rrsoft calls: every call of a function."""
import gdb

from . import travel
from .command import command, function_at, number, table

_MOST = 1000
_INTEGERS = (gdb.TYPE_CODE_INT, gdb.TYPE_CODE_PTR, gdb.TYPE_CODE_ENUM, gdb.TYPE_CODE_BOOL, gdb.TYPE_CODE_CHAR)

_places = []  # of the calls listed last


def _as_value(text, kind):
    """A register's 64 bits as a value; what is not passed or returned in an integer register is unknown."""
    kind = kind.strip_typedefs()
    if kind.code not in _INTEGERS or not text:
        return "?"
    raw = int(text, 16).to_bytes(8, "little")[:kind.sizeof]
    try:
        return gdb.Value(raw, kind).format_string(max_elements=20)
    except gdb.error:
        return "?"


def _arguments(kind, texts):
    """The integer arguments take the registers in order; others none of them."""
    shown, texts = [], list(texts)
    for field in kind.fields():
        whole = field.type.strip_typedefs()
        shown.append(_as_value(texts.pop(0), whole) if whole.code in _INTEGERS and texts else "?")
    return "(" + ", ".join(shown) + ")"


def _result(kind, text, cut):
    """`cut`: the search ended before the recording, so a call may have returned behind that."""
    target = kind.target()
    if target.strip_typedefs().code == gdb.TYPE_CODE_VOID:
        return ""
    return _as_value(text, target) if text else "?" if cut else "never returned"


def _place_of(row):
    return f"position:{row[0]},{row[1]},{row[2]}"


@command("rrsoft calls", complete=gdb.COMPLETE_SYMBOL)
def calls(argument):
    """List every call of a function in the whole recording, or go to one of them.

rrsoft calls [--args] [--max N] FUNCTION    list; with --args the arguments, too
rrsoft calls N                              go to call number N of the last list

Arguments and results in other than integer registers are shown as '?'. Ctrl-C ends the search and lists
what was found."""
    if argument.isdigit():
        index = number(argument, "number")
        if not 1 <= index <= len(_places):
            raise gdb.GdbError(f"No call number {index} in the last list.")
        travel.go(_places[index - 1])
        return
    with_arguments, most, name = False, _MOST, argument
    while name.startswith("--"):
        option, _, name = name.partition(" ")
        name = name.strip()
        if option == "--args":
            with_arguments = True
        elif option == "--max":
            count, _, name = name.partition(" ")
            most, name = number(count, "count"), name.strip()
        else:
            raise gdb.GdbError(f"There is no option '{option}'; see 'help rrsoft calls'.")
    if not name:
        raise gdb.GdbError("Say which function.")
    function = gdb.parse_and_eval(name)
    if function.type.code != gdb.TYPE_CODE_FUNC:
        raise gdb.GdbError(f"'{name}' is not a function.")
    found, interrupted = travel.collect(f"calls:{int(function.address):x},{most:x}")
    _places[:] = [_place_of(row) for row in found]
    cut = interrupted or len(found) == most
    rows = [[i + 1, int(row[1], 16), int(row[3], 16), function_at(int(row[4], 16)),
             _arguments(function.type, row[5:11]), _result(function.type, row[11], cut)] for i, row in enumerate(found)]
    head = ["Num", "Tick", "Task", "Caller", "Arguments", "Result"]
    if not with_arguments:
        for row in [head, *rows]:
            del row[4]
    if rows:
        table(rows, head)
    else:
        gdb.write(f"{name} is never called.\n")
    if interrupted:
        gdb.write("Interrupted: there may be more.\n")
    elif len(rows) == most:
        gdb.write(f"The first {most}; --max N lists more.\n")
