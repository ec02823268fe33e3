# SPDX-License-Identifier: MIT
"""Test a recording of two processes: gdb sees one, and can see the other."""
import re
do("source " + str(COMMANDS))
connect()
parent = gdb.selected_inferior().pid
do("handle SIGUSR1 SIGUSR2 nostop noprint pass")
do(f"break {line_of('child', 'signals.c')}")
do(f"break {line_of('write', 'signals.c')}")
do("continue")
equal(line(), line_of("write", "signals.c"), "the child's breakpoint is none of the parent's")
equal(value("handled"), 22)
do("rrsoft events")
do("rrsoft who-ran")
tasks = set(re.findall(r"^ +(\d+) +\d+ +\d+ to \d+", do("rrsoft who-ran 40"), re.M)) - {str(parent)}
child = int(sorted(tasks)[-1])
do(f"rrsoft switch {child}")
equal(gdb.selected_inferior().pid, child)
do("continue")
equal((line(), value("handled")), (line_of("child", "signals.c"), 22))
do("next")
equal(value("handled"), 1000)
text = do("rrsoft ps")
assert str(child) in text and str(parent) in text, text
do("continue")
equal(gdb.selected_inferior().pid, child, "its end is an end of history")
do(f"rrsoft switch {parent}")
equal(gdb.selected_inferior().pid, parent)
