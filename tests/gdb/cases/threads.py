# SPDX-License-Identifier: MIT
"""Test threads: their list, stacks and own variables, steps in each of them, and breakpoints that all of them meet."""
connect()
do("break all_done")
do("continue")
equal(function(), "all_done")
equal(value("shared"), 120)
text = do("thread apply all bt 4")
equal(len(gdb.selected_inferior().threads()), 4)
found = set()
for thread in gdb.selected_inferior().threads():
    thread.switch()
    found.add(value("own"))
equal(found, {77, 20, 40, 60}, "thread-local variables")
do("info threads")
equal(sorted(thread.name for thread in gdb.selected_inferior().threads()), ["threads", "worker 1", "worker 2", "worker 3"])
assert re.search(r"\d+ +\d+ +worker 2", do("info os threads"))
do("delete")
do(f"break {line_of('shared', 'threads.c')} if shared == 60")
hits = []
do("reverse-continue")
equal(value("shared"), 60)
hits.append(gdb.selected_thread().ptid[1])
before = pc()
do("next")
assert value("shared") > 60
do("reverse-next")
equal((pc(), value("shared")), (before, 60))
equal(gdb.selected_thread().ptid[1], hits[0])
do("delete")
do("watch shared")
values = []
for _ in range(8):
    do("continue")
    values.append(value("shared"))
equal(values, sorted(set(values)), "the sum only rises")
for expected in reversed([60, *values[:-1]]):
    do("reverse-continue")
    equal(value("shared"), expected)
