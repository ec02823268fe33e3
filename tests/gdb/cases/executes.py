# SPDX-License-Identifier: MIT
"""Test that gdb knows the program wherever it is taken, in front of an exec and behind it."""
connect()
do("source " + str(COMMANDS))


def program():
    return gdb.current_progspace().filename.rsplit("/", 1)[-1]


equal(program(), "executes")
do("break main")
do("continue")
equal((program(), line()), ("executes", line_of("before", "executes.c")))
start = do("rrsoft when")
do("rrsoft seek end")
equal(program(), "crash")
assert gdb.lookup_global_symbol("main").symtab.filename.endswith("/crash.c")
assert "crash.c" in do("bt"), "the library and the program lie where gdb believes"
do("rrsoft back")
equal((program(), do("rrsoft when")), ("executes", start))
equal(line(), line_of("before", "executes.c"))
do("rrsoft seek 99%")
equal(program(), "crash")
do("reverse-continue")
equal(program(), "crash")
assert gdb.newest_frame().find_sal().symtab.filename.endswith("/crash.c")
with Stops() as stops:
    do("reverse-continue")
equal((program(), line(), stops), ("executes", line_of("before", "executes.c"), [1]), "as without travel")

# `run` begins with the first program.
do("rrsoft seek end")
do("run")
equal((program(), line()), ("executes", line_of("before", "executes.c")))
