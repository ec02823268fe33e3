/* SPDX-License-Identifier: MIT */
#include "engine/run/lookup_table.h"

#include "engine/arch/x86_64/lower.h"

#include <stdlib.h>

enum {
    L2_ENTRIES = 1 << RRS_L2_BITS,
    LEVELS_BYTES = RRS_RUNTIME_BYTES - RRS_RUNTIME_L1,
    L2_FULL = L2_ENTRIES / 4 * 3,
};

struct rrs_error *rrs_lookup_table_create(struct rrs_shared_pool *pool,
                                          struct rrs_lookup_table **table)
{
    struct rrs_lookup_table *made = calloc(1, sizeof *made);
    if (!made)
        return rrs_error_no_memory();
    struct rrs_error *error =
        rrs_shared_pool_take(pool, RRS_LOOKUP_LEVELS_AT + LEVELS_BYTES, &made->piece);
    if (error) {
        free(made);
        return error;
    }
    made->references = 1;
    made->cells = (struct rrs_cells *)made->piece.memory;
    made->l1 = (struct rrs_l1_entry *)(made->piece.memory + RRS_LOOKUP_LEVELS_AT);
    made->l2 = (struct rrs_lookup_entry *)(made->piece.memory + RRS_LOOKUP_LEVELS_AT +
                                           RRS_RUNTIME_L2 - RRS_RUNTIME_L1);
    *table = made;
    return NULL;
}

void rrs_lookup_table_release(struct rrs_shared_pool *pool, struct rrs_lookup_table *table)
{
    if (!table || --table->references)
        return;
    rrs_shared_pool_give(pool, &table->piece);
    free(table);
}

void rrs_lookup_table_clear(struct rrs_shared_pool *pool, struct rrs_lookup_table *table)
{
    if (!table->count)
        return;
    struct rrs_shared_piece levels = {.offset = table->piece.offset + RRS_LOOKUP_LEVELS_AT,
                                      .size = LEVELS_BYTES};
    rrs_shared_pool_clear(pool, &levels);
    table->count = 0;
}

void rrs_lookup_table_add(struct rrs_shared_pool *pool, struct rrs_lookup_table *table,
                          uint64_t app_pc, uint64_t shadow_pc)
{
    if (table->count >= L2_FULL)
        rrs_lookup_table_clear(pool, table);
    uint32_t i = rrs_lookup_l2_slot(app_pc);
    while (table->l2[i].app_pc && table->l2[i].app_pc != app_pc)
        i = (i + 1) & (L2_ENTRIES - 1);
    if (!table->l2[i].app_pc)
        table->count++;
    table->l2[i] = (struct rrs_lookup_entry){app_pc, shadow_pc};
    table->l1[rrs_lookup_l1_slot(app_pc)] = (struct rrs_l1_entry){-app_pc, shadow_pc};
}
