/* SPDX-License-Identifier: MIT */
/* Benchmark: deep and wide recursion: fib(argv[1]), and argv[2] descents of 10,000 frames. */
#include <stdio.h>
#include <stdlib.h>

__attribute__((noinline)) static unsigned long fib(unsigned long n)
{
    return n < 2 ? n : fib(n - 1) + fib(n - 2);
}

__attribute__((noinline)) static unsigned long descend(unsigned long n)
{
    volatile unsigned long local = n;
    return n ? descend(n - 1) + local : 0;
}

int main(int argc, char **argv)
{
    unsigned long sum = 0, n = argc > 1 ? strtoul(argv[1], NULL, 10) : 20;
    long descents = argc > 2 ? atol(argv[2]) : 10;
    for (long i = 0; i < descents; i++)
        sum += descend(10000);
    printf("%lu %lu\n", fib(n), sum);
    return 0;
}
