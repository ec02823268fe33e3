# SPDX-License-Identifier: MIT
"""Test breakpoints in both directions: plain, temporary, hardware, with conditions and ignore counts."""
connect()
do(f"break {line_of('add')} if value == 12")
number = gdb.breakpoints()[-1].number
with Stops() as stops:
    do("continue")
equal(stops, [number])
equal((value("i"), value("total")), (4, 18))
assert "target evals" in do("info breakpoints")
with Stops() as stops:
    do("continue")
equal(stops, ["stop"], "the condition holds once; then the recording ends")
do("reverse-continue")
equal(value("i"), 4)
do("delete")
do("hbreak triple")
do("continue")
equal(value("number"), 5)
do("ignore 2 1")
do("reverse-continue")
equal(value("number"), 3, "one hit was ignored")
do("delete")
do(f"tbreak {line_of('corrupt')}")
do("continue")
equal(function(), "corrupt")
do("continue")
do("reverse-continue")
equal(function(), "_start", "a temporary breakpoint stops once")
# Conditions that gdb's bytecode can say, and one that only gdb can evaluate.
for condition, hits in (("i % 3 == 2", 2), ("values[i] + 1 == 10 || total < 3", 3), ("$rax != $rax", 0), ("i == 1 && value > -1", 1),
                        ('$_streq(state.name, "start")', 8)):
    do("delete")
    do("starti")
    do(f"break {line_of('add')} if {condition}")
    count = 0
    while True:
        do("continue")
        if function() != "fill":
            break
        count += 1
    equal(count, hits, condition)
# Several breakpoints in one place, and the disabled one.
do("delete")
do("starti")
do(f"break {line_of('add')} if i == 2")
do(f"break {line_of('add')} if i == 6")
do("continue")
equal(value("i"), 2)
do("continue")
equal(value("i"), 6)
gdb.breakpoints()[0].enabled = False
do("reverse-continue")
equal(function(), "_start")
