/* SPDX-License-Identifier: MIT */
/* A program that computes, allocates and makes system calls for as long as asked: replay_rounds
 * ROUNDS. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum { NUMBERS = 20000 };

static int by_value(const void *a, const void *b)
{
    uint32_t left = *(const uint32_t *)a, right = *(const uint32_t *)b;
    return left < right ? -1 : left > right;
}

int main(int argc, char **argv)
{
    uint32_t state = 1, sum = 0;
    long rounds = argc > 1 ? atol(argv[1]) : 1;
    for (long round = 0; round < rounds; round++) {
        struct timespec now;
        uint32_t *numbers = malloc(NUMBERS * sizeof *numbers);
        clock_gettime(CLOCK_REALTIME, &now);
        for (int i = 0; i < NUMBERS; i++)
            numbers[i] = state = state * 1664525 + 1013904223 + (uint32_t)(now.tv_nsec & 1);
        qsort(numbers, NUMBERS, sizeof *numbers, by_value);
        sum += numbers[NUMBERS / 2];
        free(numbers);
        getppid();
    }
    return printf("%s\n", sum ? "sorted" : "sorted to nothing") < 0;
}
