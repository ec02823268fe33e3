/* SPDX-License-Identifier: MIT */
/* The `rrsoft` program: finds the command named by its first argument and runs it. */
#include <stdio.h>

int main(void)
{
    fprintf(stderr, "rrsoft: no command given; see 'rrsoft --help'\n");
    return 2;
}
