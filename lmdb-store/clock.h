/* SPDX-License-Identifier: MIT */
/* The host's clocks. */
#ifndef RRS_LMDB_STORE_CLOCK_H
#define RRS_LMDB_STORE_CLOCK_H

#include <stdint.h>
#include <time.h>

/** What `clock` shows, in ns: CLOCK_MONOTONIC or CLOCK_REALTIME, which do not fail. man 2
 * clock_gettime. */
static inline uint64_t rrs_clock_ns(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

#endif
