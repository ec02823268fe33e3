/* SPDX-License-Identifier: MIT */
/* A function is called N times and writes a variable each time; then as much is done elsewhere:
 * replay_hits N. */
#include <stdlib.h>

volatile long counter;
static volatile long other;

__attribute__((noinline)) void hit(long i)
{
    counter += i;
}

int main(int argc, char **argv)
{
    long count = argc > 1 ? atol(argv[1]) : 1;
    for (long i = 0; i < count; i++)
        hit(i + 1);
    for (long i = 0; i < count / 4; i++)
        other += i;
    return 0;
}
