# SPDX-License-Identifier: MIT
"""Loads rrsoft's gdb commands: `source .../rrsoft.py`, or installed below gdb's auto-load directory.

Nothing is printed and nothing of gdb's is changed until a command is used. Sourcing it twice is fine.
"""
import os
import sys

import gdb

if tuple(int(part) for part in gdb.VERSION.split(".")[0:1]) < (12,):
    raise gdb.GdbError("rrsoft's commands need gdb 12 or later; this is " + gdb.VERSION)

# Not __file__: where one script sources another, gdb leaves that of the first.
_here = os.path.dirname(os.path.abspath(sys._getframe().f_code.co_filename))
if _here not in sys.path:
    sys.path.insert(0, _here)

import rrsoft_gdb  # noqa: E402

rrsoft_gdb.load()
