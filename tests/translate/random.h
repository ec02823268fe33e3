/* SPDX-License-Identifier: MIT */
/* Random numbers of a seed: splitmix64, so that every case of a test can be made again alone. */
#ifndef RRS_TESTS_TRANSLATE_RANDOM_H
#define RRS_TESTS_TRANSLATE_RANDOM_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct random {
    uint64_t state;
};

static inline uint64_t random_next(struct random *r)
{
    uint64_t z = (r->state += 0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
}

/* 0 .. bound - 1 */
static inline uint32_t random_below(struct random *r, uint32_t bound)
{
    return (uint32_t)((random_next(r) >> 32) * bound >> 32);
}

static inline bool random_percent(struct random *r, uint32_t percent)
{
    return random_below(r, 100) < percent;
}

static inline void random_fill(struct random *r, void *bytes, size_t count)
{
    uint8_t *at = bytes;
    for (; count >= 8; count -= 8, at += 8) {
        uint64_t value = random_next(r);
        memcpy(at, &value, 8);
    }
    while (count--)
        *at++ = (uint8_t)random_next(r);
}

/** The seed of this run: `given`, or a fresh one if that is 0. Prints it. */
static inline uint64_t random_seed(uint64_t given)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    uint64_t seed = given ? given : (uint64_t)now.tv_sec * 1000000007u ^ (uint64_t)now.tv_nsec;
    printf("seed %llu\n", (unsigned long long)seed);
    fflush(stdout);
    return seed;
}

#endif
