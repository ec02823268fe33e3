# SPDX-License-Identifier: MIT
"""Test two processes at once (detach-on-fork off): the child stays where it was made, and can be looked at."""
import re
connect()
parent = gdb.selected_inferior().pid
do("set follow-fork-mode parent")
do("set detach-on-fork off")
do(f"break children.c:{line_of('parent', 'children.c')}")
do("continue")
equal((line(), gdb.selected_inferior().pid), (line_of("parent", "children.c"), parent))
text = do("info inferiors")
equal(sorted(int(pid) for pid in re.findall(r"process (\d+)", text)), sorted(inferior.pid for inferior in gdb.inferiors()), text)
other = next(inferior for inferior in gdb.inferiors() if inferior.pid != parent)
do(f"inferior {other.num}")
equal(value("$rax") & 0xffffffff, 0, "what fork returned to the child")
equal(value("stage"), 0)
do("bt")
