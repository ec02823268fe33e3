/* SPDX-License-Identifier: MIT */
/* Runs for as many million rounds as its argument says, so that going through it takes a while. */
#include <stdlib.h>

static volatile long rounds;

__attribute__((noinline)) static void never(void)
{
    rounds = -1; /* mark: never */
}

__attribute__((noinline)) static void finish(void)
{
    rounds++; /* mark: finish */
}

int main(int argc, char **argv)
{
    long wanted = (argc > 1 ? atol(argv[1]) : 1) * 1000000;
    for (long i = 0; i < wanted; i++)
        rounds = i; /* mark: round */
    if (rounds < 0)
        never();
    finish();
    return 0;
}
