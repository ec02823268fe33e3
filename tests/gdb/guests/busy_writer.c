/* SPDX-License-Identifier: MIT */
/* Writes to a variable more often than a debugger that looks at each write can follow. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static volatile long total;

__attribute__((noinline)) static void work(long rounds)
{
    for (long i = 0; i < rounds; i++)
        total += i % 7; /* mark: hot */
}

int main(int argc, char **argv)
{
    const char *name = getenv("GREETED");
    printf("hello, %s\n", name ? name : "nobody"); /* mark: hello */
    fflush(stdout);
    work(argc > 1 ? atol(argv[1]) : 1000000);
    while (argc > 2)
        pause(); /* until somebody ends it */
    printf("%ld\n", total); /* mark: end */
    return 0;
}
