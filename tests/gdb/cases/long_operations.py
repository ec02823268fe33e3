# SPDX-License-Identifier: MIT
"""Test a recording that takes a while to go through: gdb's patience (six seconds) is not lost by a longer seek, and Ctrl-C ends
movements of every kind, with gdb and the server in step afterwards."""
import time
do("source " + str(COMMANDS))
ROUNDS = int(os.environ["ARGUMENTS"]) * 1000000
FAR = ROUNDS - 1000000
connect()


def interrupted(command, seconds):
    """Runs a command that Ctrl-C ends, and gives where it did."""
    stops, took = with_ctrl_c(command, seconds)
    if not stops:  # on a slow machine Ctrl-C may come before anything moves
        return interrupted(command, 2 * seconds)
    equal(stops[-1:], ["SIGINT"], command)
    assert took < seconds + 20, f"{command} took {took} s"
    return value("$_tick")


# A journey, before any checkpoint is there to shorten it.
early = interrupted("rrsoft seek end", 0.5)
assert 0 < early < FAR // 2, early
# A packet that gdb waits for without patience: `starti tN` is vRun.
do(f"break {line_of('finish', 'long_loop.c')}")
begin = time.monotonic()
do(f"starti t{FAR}")
took = time.monotonic() - begin
print(f"took {took} s")
assert took > 6.5, f"this was to be slow, and took {took} s: make the recording longer"
equal(value("$_tick"), FAR)
equal(function(), "main")
rounds = value("rounds")
assert FAR - 1000000 < rounds <= FAR, rounds
do("continue")
equal((line(), value("rounds")), (line_of("finish", "long_loop.c"), ROUNDS - 1))
do("delete")
end = value("$_tick")
# Backwards, with a breakpoint that is never met: the whole recording is gone through.
do("break never")
middle = interrupted("reverse-continue", 1.5)
assert 0 < middle <= end, middle
before = value("rounds")
do("stepi")
assert value("rounds") - before in (0, 1)
do("rrsoft seek start")
reached = interrupted("continue", 1.5)
assert 0 < reached < end, reached
assert abs(value("rounds") - reached) < 1000000, "a tick per round"
do("delete")
do("stepi")
do("rrsoft seek start")
equal(value("$_tick"), 0)
