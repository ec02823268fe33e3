# SPDX-License-Identifier: MIT
"""How a command is made: a function with a decorator. Its docstring is gdb's help; its first line says all in short."""
import gdb


class RrsoftPrefix(gdb.Command):
    """Time travel in a recording of rrsoft."""

    def __init__(self):
        super().__init__("rrsoft", gdb.COMMAND_RUNNING, prefix=True)

    def invoke(self, argument, from_tty):
        gdb.execute("help rrsoft")


def command(name, complete=None, repeat=False):
    """Makes a gdb command of the function below, which gets its argument as one string. `complete` is one of gdb's
    COMPLETE_ constants or a function from (text, word) to words; `repeat` says whether Enter does it again."""

    def decorate(function):
        class Made(gdb.Command):
            __doc__ = function.__doc__

            def __init__(self):
                kinds = {} if complete is None or callable(complete) else {"completer_class": complete}
                super().__init__(name, gdb.COMMAND_RUNNING, **kinds)

            def invoke(self, argument, from_tty):
                if not repeat:
                    self.dont_repeat()
                try:
                    function(argument.strip())
                except gdb.error as error:  # said in a line, as gdb's own commands do
                    raise gdb.GdbError(str(error)) from None

        if callable(complete):
            Made.complete = lambda self, text, word: [item for item in complete(text, word) if item.startswith(word)]
        Made()
        return function

    return decorate


def words(*candidates):
    """A completer that offers these words."""
    return lambda text, word: candidates


def number(text, what):
    """A number as people write it: 81,234,567 or 0x1f."""
    try:
        return int(text.replace(",", "").replace("_", ""), 0)
    except ValueError:
        raise gdb.GdbError(f"'{text}' is no {what}.") from None


def table(rows, head):
    """Prints rows of text in columns; the last one is not padded."""
    rows = [head] + [[str(cell) for cell in row] for row in rows]
    widths = [max(len(row[i]) for row in rows) for i in range(len(head))]
    for row in rows:
        gdb.write("  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() + "\n")


def function_at(pc):
    """The function's name with an offset, for a list."""
    block = None
    try:
        block = gdb.block_for_pc(pc)
    except (gdb.error, RuntimeError):
        pass
    while block is not None and block.function is None:
        block = block.superblock
    if block is not None:
        return block.function.print_name
    text = gdb.execute(f"info symbol {pc:#x}", to_string=True)
    return f"{pc:#x}" if text.startswith("No symbol") else text.split(" in section")[0].strip()


def line_at(pc):
    """ "function () at file:line", as gdb names a place."""
    where = gdb.find_pc_line(pc)
    text = f"{function_at(pc)} ()"
    if where.symtab is not None and where.line:
        text += f" at {where.symtab.filename.rsplit('/', 1)[-1]}:{where.line}"
    return text
