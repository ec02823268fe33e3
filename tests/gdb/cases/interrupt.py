# SPDX-License-Identifier: MIT
"""Test that Ctrl-C ends long movements of every kind as a SIGINT stop, and that gdb stays in step afterwards."""
do("source " + str(COMMANDS))
connect()


def interrupted(command, seconds=0.5):
    stops, took = with_ctrl_c(command, seconds)
    assert stops, command
    assert took < 5, f"{command} took {took} s"
    assert value("$rsp") != 0
    return stops


equal(interrupted("continue", 1.5), ["SIGINT"])
assert value("$_tick") > 0
do("stepi")
equal(interrupted("reverse-continue"), ["SIGINT"])
do("stepi")
interrupted("rrsoft seek end")
do("stepi")
do("rrsoft seek start")
do("rrsoft when")
