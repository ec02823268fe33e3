# SPDX-License-Identifier: MIT
"""Test a library whose file is so large that the recording has pieces of it beside the whole: gdb gets the whole."""
connect()
do("break main")
do("continue")
do("break in_large_library")
do("continue")
equal((function(), value("number")), ("in_large_library", 41))
assert "large_library.c" in do("info source")
