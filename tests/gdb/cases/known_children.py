# SPDX-License-Identifier: MIT
"""Test going to and fro over forks whose children gdb keeps: it does not survive being told of a child that it has."""
connect()
do("source " + str(COMMANDS))
parent = gdb.selected_inferior().pid
do("set detach-on-fork off")
do("catch fork")
do("continue")
do(f"break children.c:{line_of('spawn', 'children.c')}")
do("continue")
do("set detach-on-fork on")  # gdb goes on behind no vfork whose child it keeps
do(f"break children.c:{line_of('done', 'children.c')}")
do("continue")
children = [inferior for inferior in gdb.inferiors() if inferior.pid != parent]
equal(gdb.selected_inferior().pid, parent)
assert children

# Here they are gone. What gdb has of them can be looked at, and shows nothing.
do(f"inferior {children[0].num}")
do("maintenance flush register-cache")
assert "unavailable" in do("bt")
do("inferior 1")
equal(line(), line_of("done", "children.c"))
text = do("rrsoft ps")
equal((len(text.splitlines()), text.count("gone")), (4, 2), text)

do("reverse-continue")
equal(gdb.selected_inferior().pid, parent)
do("delete")
do("break main")
do("reverse-continue")
equal((gdb.selected_inferior().pid, function()), (parent, "main"))
assert "not yet" in do("rrsoft ps")
do(f"inferior {children[0].num}")
do("inferior 1")
do("reverse-continue")
equal(gdb.selected_inferior().pid, parent, "the beginning of the history is the parent's")
fails("rrsoft switch", "which process")
fails("rrsoft switch 9999999", "No process")
