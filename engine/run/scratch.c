/* SPDX-License-Identifier: MIT */
#include "engine/run/scratch.h"

#include <string.h>

enum { PAGE = 4096 };

struct rrs_error *rrs_scratch_init(struct rrs_scratch *scratch, struct rrs_shared_pool *pool)
{
    return rrs_shared_pool_take(pool, RRS_OUTPUTS_BYTES, &scratch->piece);
}

void rrs_scratch_deinit(struct rrs_scratch *scratch, struct rrs_shared_pool *pool)
{
    rrs_shared_pool_give(pool, &scratch->piece);
}

static uint32_t page_count(uint64_t bytes)
{
    return (uint32_t)((bytes + PAGE - 1) / PAGE);
}

/* The first of `count` free pages in [from, to), or `to`. */
static uint32_t find(const struct rrs_scratch *scratch, uint32_t from, uint32_t to, uint32_t count)
{
    uint32_t found = 0;
    for (uint32_t i = from; i < to; i++) {
        found = scratch->used[i] ? 0 : found + 1;
        if (found == count)
            return i + 1 - count;
    }
    return to;
}

bool rrs_scratch_take(struct rrs_scratch *scratch, uint64_t bytes, uint64_t *offset)
{
    if (!scratch->piece.memory || bytes > RRS_OUTPUTS_BYTES)
        return false;
    uint32_t count = page_count(bytes);
    uint32_t at = find(scratch, scratch->next, RRS_OUTPUTS_PAGES, count);
    if (at == RRS_OUTPUTS_PAGES)
        at = find(scratch, 0, RRS_OUTPUTS_PAGES, count);
    if (at == RRS_OUTPUTS_PAGES)
        return false;
    memset(scratch->used + at, 1, count);
    scratch->next = at + count;
    *offset = (uint64_t)at * PAGE;
    return true;
}

/* What is used least lately is found first: few pages are ever touched. */
void rrs_scratch_give(struct rrs_scratch *scratch, uint64_t offset, uint64_t bytes)
{
    uint32_t at = (uint32_t)(offset / PAGE);
    memset(scratch->used + at, 0, page_count(bytes));
    if (at < scratch->next)
        scratch->next = at;
}
