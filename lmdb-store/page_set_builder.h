/* SPDX-License-Identifier: MIT */
/*
 * Builds the map and the blocks of one page set, in rising order of address, by merging changes
 * into the set of a base checkpoint. Runs in the committer, which has the pages as chunks already.
 * Internal to lmdb-store.
 */
#ifndef RRS_LMDB_STORE_PAGE_SET_BUILDER_H
#define RRS_LMDB_STORE_PAGE_SET_BUILDER_H

#include "lmdb-store/checkpoint_format.h"
#include "lmdb-store/hash.h"
#include "lmdb-store/writer_state.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct rrs_page_set_builder {
    struct rrs_hasher *hasher; /* of the committer's thread */
    struct rrs_page_map base;
    size_t base_index; /* entries below it are in `made`, replaced or removed */
    struct rrs_page_map made;
    /* The region being filled. */
    bool is_open, is_changed;
    struct rrs_page_map_entry entry; /* its block is that of the base while nothing is changed */
    struct rrs_page_block block;
};

/** Begins with an empty set; to begin with another, fill in `base`. Errors: NO_MEMORY. */
RRS_MUST_CHECK struct rrs_error *rrs_page_set_builder_init(struct rrs_page_set_builder *builder);
void rrs_page_set_builder_deinit(struct rrs_page_set_builder *builder);

/** Sets a page to a chunk. Page numbers are addresses / 4096. */
RRS_MUST_CHECK struct rrs_error *rrs_page_set_put(struct rrs_page_set_builder *builder,
                                                  struct rrs_committer *committer, uint32_t space,
                                                  uint64_t page_number, uint64_t chunk_id);

/** Removes the pages from `page_number` up to but not including `end`. */
RRS_MUST_CHECK struct rrs_error *rrs_page_set_remove(struct rrs_page_set_builder *builder,
                                                     struct rrs_committer *committer,
                                                     uint32_t space, uint64_t page_number,
                                                     uint64_t end);

/** Completes `made`; nothing can be put any more. */
RRS_MUST_CHECK struct rrs_error *rrs_page_set_complete(struct rrs_page_set_builder *builder,
                                                       struct rrs_committer *committer);

#endif
