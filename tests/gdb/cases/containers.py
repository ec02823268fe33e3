# SPDX-License-Identifier: MIT
"""Test a C++ program: pretty-printers that gdb finds for libraries of this machine, and calls with strings in them."""
import glob
connect()
do("source " + str(COMMANDS))
do("break deposit")
do("continue")
do("disable 1")
do("break done")
do("continue")
if glob.glob("/usr/share/gdb/auto-load/usr/lib/*/libstdc++.so.6*-gdb.py"):
    text = do("print accounts")
    assert re.search(r'std::map with 2 elements = {\["user0"\] = {owner = "owner", balance = 6,', text), text
    assert "moves = std::vector of length 3" in text, text
else:
    print("SKIPPED: this machine has no pretty-printers for libstdc++")
equal(value('count_letters("four")'), 4)
equal(value('count_letters("three") + count_letters("")'), 5)
equal(value("letters"), 4, "what the calls did is gone")
assert "not in the recording" not in do("rrsoft when")

# The string is in the program's memory when gdb finds that it cannot go on: nothing has been changed that anybody wanted.
fails('print accounts["user1"]', "cast|conver|operator")
place = pc()
text = do("stepi")
assert "copy" not in text, text
assert "not in the recording" not in do("rrsoft when")
do("reverse-stepi")
equal(pc(), place)
fails('print accounts["user1"]', "cast|conver|operator")
do("enable 1")
with Stops() as stops:
    text = do("reverse-continue")
equal(stops, [1])
assert "dropped" not in text, text

# Changes that were made on purpose are given up with a word, and going back leads on, not only to where they were made.
do("set variable letters = 50")
with Stops() as stops:
    text = do("reverse-continue")
equal(stops, [1])
assert "dropped" in text, text
assert "not in the recording" not in do("rrsoft when")
equal(value("letters"), 0)
do("set variable letters = 50")
do("stepi")
place = pc()
do("reverse-stepi")
assert pc() != place
equal(value("letters"), 0)
