# SPDX-License-Identifier: MIT
"""Test signals and system calls as stops, in both directions, and what is not to stop."""
connect()
do("break main")
do("continue")
with Stops() as stops:
    do("continue")
    equal(value("$_siginfo.si_signo"), 10)
    do("continue")
equal(stops, ["SIGUSR1", "SIGUSR2"])
do("break handle")
do("continue")
equal(value("signal"), 12)
equal(value("handled"), 10)
do("up 2")
do("delete")
with Stops() as stops:
    do("reverse-continue")
    do("reverse-continue")
equal(stops, ["SIGUSR2", "SIGUSR1"])
do("handle SIGUSR1 SIGUSR2 nostop noprint pass")
do("catch syscall write")
with Stops() as stops:
    do("continue")
    do("continue")
equal(len(stops), 2, "entry and return")
equal(value("handled"), 22)
equal(value("$rax"), 5, "what write returned")
with Stops() as stops:
    do("reverse-continue")
assert isinstance(stops[0], int), stops
do("delete")
do("tbreak make_child")
do("reverse-continue")
equal(function(), "make_child")
do("next")
do("next")
equal(value("child > 0"), 1)
