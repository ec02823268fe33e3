# Prints a C file of at least argv[1] lines: many functions of loops, switches, structs and calls; always the same text.
import random
import sys

random.seed(30000)
wanted = int(sys.argv[1])
lines = ["#include <stddef.h>", "struct point { int x, y; long z[4]; struct point *next; };"]
names = []


def expression(depth):
    if depth == 0:
        return random.choice(["a", "b", "p->x", "p->y", "(int) p->z[i & 3]", str(random.randrange(1000))])
    operator = random.choice(["+", "-", "*", "^", "&", "|", "<<"])
    right = str(random.randrange(1, 8)) if operator == "<<" else expression(depth - 1)
    return f"({expression(depth - 1)} {operator} {right})"


number = 0
while len(lines) < wanted:
    name = f"function_{number}"
    lines += [f"int {name}(struct point *p, int a, int b)", "{", "    int i, sum = 0;",
              f"    for (i = 0; i < {random.randrange(3, 60)}; i++) {{"]
    for _ in range(random.randrange(3, 8)):
        lines.append(f"        sum += {expression(2)};")
    lines.append(f"        switch (sum & {random.choice([3, 7])}) {{")
    for label in range(random.randrange(2, 5)):
        lines += [f"        case {label}:", f"            p->z[{label & 3}] = {expression(1)};", "            break;"]
    lines += ["        default:", f"            a = {expression(1)};", "        }", "    }"]
    if names:
        lines += [f"    if (a > b && p->next)", f"        sum += {random.choice(names[-50:])}(p->next, b, {expression(1)});"]
    lines += ["    return sum;", "}", ""]
    names.append(name)
    number += 1
print("\n".join(lines))
