# SPDX-License-Identifier: MIT
"""Test 1,000 random movements against a model: the run as single steps forward show it."""
import random
connect()
seed = int(os.environ.get("SEED", random.randrange(2**32)))
print("SEED =", seed)
random.seed(seed)


def state():
    return pc(), value("(long)$rsp"), value("(long)$rax"), value("total"), value("state.count"), value("values[5]")


do("set suppress-cli-notifications on")
model = [state()]
while True:
    gdb.execute("stepi")
    now = state()
    if now == model[-1]:
        break
    model.append(now)
last = len(model) - 1
print(len(model), "steps")
stops = {name: value(f"(long)&{name}") for name in ("triple", "factorial", "corrupt")}
at = last
for turn in range(1000):
    what = random.choice(("stepi", "reverse-stepi", "stepi", "reverse-stepi", "continue", "reverse-continue", "watch", "seek"))
    if what in ("stepi", "reverse-stepi"):
        count = random.choice((1, 1, 2, 7, 40))
        gdb.execute(f"{what} {count}")
        at = min(last, at + count) if what == "stepi" else max(0, at - count)
    elif what == "seek":
        tick = random.randrange(40)
        gdb.execute(f"monitor seek {tick}", to_string=True)
        gdb.execute("stepi")
        at = next((i for i, row in enumerate(model) if row == state()), None)
        assert at is not None, "a place of the run"
    elif what == "watch":
        forward = random.random() < 0.5
        gdb.execute("watch total", to_string=True)
        gdb.execute("continue" if forward else "reverse-continue")
        if forward:
            at = next((i for i in range(at + 1, last + 1) if model[i][3] != model[i - 1][3]), last)
        else:
            at = next((i for i in range(at - 1, -1, -1) if model[i][3] != model[i + 1][3]), 0)
        gdb.execute("delete")
    else:
        name = random.choice(list(stops))
        gdb.execute(f"break *{stops[name]:#x}", to_string=True)
        gdb.execute(what)
        if what == "continue":
            at = next((i for i in range(at + 1, last + 1) if model[i][0] == stops[name]), last)
        else:
            at = next((i for i in range(at - 1, -1, -1) if model[i][0] == stops[name]), 0)
        gdb.execute("delete")
    equal(state(), model[at], f"turn {turn}: {what}")
