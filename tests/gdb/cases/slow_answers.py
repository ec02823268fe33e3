# SPDX-License-Identifier: MIT
"""Test that gdb, whose patience is six seconds, survives an answer that takes longer."""
import time
connect()
do("monitor seek end")
do("stepi")
begin = time.monotonic()
do("starti t5")
assert time.monotonic() - begin > 7, "this was to be slow"
equal(function(), "triple")
do("info registers rip")
equal(value("number") in (0, 1), True)
do("stepi")
