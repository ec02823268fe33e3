/* SPDX-License-Identifier: MIT */
/*
 * Memory that the tracer and its tracees share: pieces of one memfd. A tracee opens the memfd
 * through /proc while it maps a piece and closes it again, so no descriptor stays in the program.
 */
#ifndef RRS_ENGINE_TRACEE_SHARED_POOL_H
#define RRS_ENGINE_TRACEE_SHARED_POOL_H

#include "lmdb-store/error.h"

#include <stdint.h>

enum { RRS_POOL_FREE_MAX = 64 };

struct rrs_shared_piece {
    uint64_t offset; /* in the memfd */
    uint64_t size;   /* bytes, whole pages */
    uint8_t *memory; /* the tracer's mapping, readable and writable; NULL: no piece */
};

struct rrs_shared_pool {
    int fd;
    uint64_t used;
    struct rrs_shared_piece free[RRS_POOL_FREE_MAX]; /* given back, not mapped */
    uint32_t free_count;
};

RRS_MUST_CHECK struct rrs_error *rrs_shared_pool_init(struct rrs_shared_pool *pool);
void rrs_shared_pool_deinit(struct rrs_shared_pool *pool);

/** Takes a piece of `size` bytes (rounded up to pages), all zero. */
RRS_MUST_CHECK struct rrs_error *rrs_shared_pool_take(struct rrs_shared_pool *pool, uint64_t size,
                                                      struct rrs_shared_piece *piece);

/** Gives a piece back. No tracee may use its mapping any more. */
void rrs_shared_pool_give(struct rrs_shared_pool *pool, struct rrs_shared_piece *piece);

/** Makes a piece all zero again without touching its pages one by one. */
void rrs_shared_pool_clear(struct rrs_shared_pool *pool, const struct rrs_shared_piece *piece);

#endif
