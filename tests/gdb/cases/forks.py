# SPDX-License-Identifier: MIT
"""Test fork, vfork and exec as stops in both directions, following either side, and two processes at once."""
import re
do("source " + str(COMMANDS))
connect()
parent = gdb.selected_inferior().pid
do(f"break children.c:{line_of('done', 'children.c')}")

# Nothing is asked for: the parent goes on, and a breakpoint of its own in the child's code is not met.
do("break work_in_child")
do("continue")
equal((line(), value("sum"), gdb.selected_inferior().pid), (line_of("done", "children.c"), 7, parent))
equal(len(gdb.inferiors()), 1)

# Stops in both directions.
do("catch fork")
do("catch vfork")
do("catch exec")
with Stops() as stops:
    do("reverse-continue")
    equal(value("stage"), 1, "in front of the spawned child's parent going on")
    do("reverse-continue")
equal(len(set(stops)), 2, stops)
equal(value("stage"), 0)
with Stops() as stops:
    do("continue")
assert isinstance(stops[0], int), stops
equal(value("stage"), 1, "vfork, forward")
with Stops() as stops:
    do("continue")
equal((line(), value("sum")), (line_of("done", "children.c"), 7), "breakpoints are back behind a vfork")
do("delete")

# The child's side.
do("rrsoft seek start")
do("set follow-fork-mode child")
do("break work_in_child")
do("continue")
equal(function(), "work_in_child")
child = gdb.selected_inferior().pid
assert child not in (parent, 0), child
equal(value("stage"), 0)
do("next")
equal(value("stage"), 100)
do("reverse-next")
equal((value("stage"), function()), (0, "work_in_child"))
text = do("info inferiors")
assert re.search(rf"\* \d+ +process {child}", text), text
do("next")
do("next")
equal(value("stage"), 101)
with Stops() as stops:
    do("reverse-continue")
equal(function(), "work_in_child")
with Stops() as stops:
    do("reverse-continue")
equal(gdb.selected_inferior().pid, child, "its beginning is the beginning of the history")
equal(value("$rax"), 0, "what fork returned to it")
assert function() != "work_in_child"
do("delete")
do(f"rrsoft switch {parent}")
equal(gdb.selected_inferior().pid, parent)

# A spawned child, through its exec.
do("rrsoft seek start")
do(f"break children.c:{line_of('spawn', 'children.c')}")
do("set follow-fork-mode parent")
do("continue")
equal(value("stage"), 1)
do("set follow-fork-mode child")
do("catch exec")
with Stops() as stops:
    do("continue")
assert isinstance(stops[0], int), stops
spawned = gdb.selected_inferior().pid
assert spawned not in (parent, child, 0), spawned
do("delete")
do(f"rrsoft switch {parent}")
equal(gdb.selected_inferior().pid, parent)
