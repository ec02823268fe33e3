/* SPDX-License-Identifier: MIT */
/*
 * The tables in which shadow code finds the targets of indirect transfers (runtime/layout.h). The
 * tracee only reads them; entries are added when a lookup missed. Address spaces share one object
 * after a fork, until either changes its code. The cells page goes with them.
 */
#ifndef RRS_ENGINE_RUN_LOOKUP_TABLE_H
#define RRS_ENGINE_RUN_LOOKUP_TABLE_H

#include "engine/runtime/layout.h"
#include "engine/tracee/shared_pool.h"
#include "engine/translate/translate.h"

enum { RRS_LOOKUP_LEVELS_AT = 4096 }; /* offset of the tables within the piece */

struct rrs_lookup_table {
    uint32_t references;
    struct rrs_shared_piece piece; /* the cells page, then the tables */
    struct rrs_cells *cells;
    uint64_t *direct[RRS_ENTRY_TABLES]; /* by entry kind - 1 */
    struct rrs_lookup_entry *l2;
    uint32_t count; /* entries in use in the complete table */
};

RRS_MUST_CHECK struct rrs_error *rrs_lookup_table_create(struct rrs_shared_pool *pool,
                                                         struct rrs_lookup_table **table);

/** Drops one reference. NULL is fine. */
void rrs_lookup_table_release(struct rrs_shared_pool *pool, struct rrs_lookup_table *table);

/**
 * Adds or replaces the entry of `app_pc` for jumps or returns (`entry_kind`), at a runtime base of
 * `runtime`. A full table is emptied first: it refills by misses.
 */
void rrs_lookup_table_add(struct rrs_shared_pool *pool, struct rrs_lookup_table *table,
                          uint32_t runtime, enum rrs_entry_kind entry_kind, uint64_t app_pc,
                          uint64_t shadow_pc);

/** Forgets all entries. */
void rrs_lookup_table_clear(struct rrs_shared_pool *pool, struct rrs_lookup_table *table);

#endif
