# SPDX-License-Identifier: MIT
"""Test what gdb reads beside stepping: memory, searches, checksums, registers, the program's file, maps, a core file."""
connect()
do("break corrupt")
do("continue")
assert "start" in do("x/s state.name")
fails("x/4xb 0", "Cannot access memory")
assert "1 pattern" in do("find &state, +sizeof(state), 't', 'a', 'r', 't'")
assert "not found" in do("find &state, +sizeof(state), 'z', 'z'")
assert "matched" in do("compare-sections .text")
for name in ("rax", "eflags", "st0", "xmm3", "mxcsr", "orig_rax", "fs_base"):
    do(f"info registers {name}")
do("info all-registers")
do("info float")
assert "AT_PHDR" in do("info auxv")
text = do("info proc mappings")
assert "[stack]" in text and os.environ["RECORDING"].rsplit("/")[-1].split(".")[0] in text or "trace" in os.environ["RECORDING"]
do("info proc")
do("info sharedlibrary")
do("info threads")
do("info os processes")
core = os.environ["FOLDER"] + "/core"
do(f"generate-core-file {core}")
assert os.path.getsize(core) > 4096
do("info signals")
do("info inferiors")
do("maint print registers")
