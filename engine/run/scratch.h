/* SPDX-License-Identifier: MIT */
/* Scratch memory of a session: mapped behind the runtime in each of its address spaces. */
#ifndef RRS_ENGINE_RUN_SCRATCH_H
#define RRS_ENGINE_RUN_SCRATCH_H

#include "engine/runtime/layout.h"
#include "engine/tracee/shared_pool.h"

#include <stdbool.h>

enum { RRS_OUTPUTS_PAGES = RRS_OUTPUTS_BYTES / 4096 };

struct rrs_scratch {
    struct rrs_shared_piece piece;
    uint8_t used[RRS_OUTPUTS_PAGES];
    uint32_t next; /* where the search begins */
};

RRS_MUST_CHECK struct rrs_error *rrs_scratch_init(struct rrs_scratch *scratch,
                                                  struct rrs_shared_pool *pool);
void rrs_scratch_deinit(struct rrs_scratch *scratch, struct rrs_shared_pool *pool);

/** Takes memory for `bytes`, from `*offset` on, a page boundary; false if there is none. */
bool rrs_scratch_take(struct rrs_scratch *scratch, uint64_t bytes, uint64_t *offset);
void rrs_scratch_give(struct rrs_scratch *scratch, uint64_t offset, uint64_t bytes);

#endif
