/* SPDX-License-Identifier: MIT */
#include "engine/run/lookup_table.h"

#include "engine/arch/x86_64/lower.h"

#include <stdlib.h>

enum {
    L2_ENTRIES = 1 << RRS_L2_BITS,
    LEVELS_BYTES = RRS_RUNTIME_BYTES - RRS_RUNTIME_JUMPS,
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
    uint8_t *tables = made->piece.memory + RRS_LOOKUP_LEVELS_AT;
    for (int kind = RRS_ENTRY_JUMP; kind <= RRS_ENTRY_TABLES; kind++)
        made->direct[kind - 1] =
            (uint64_t *)(tables + rrs_entry_places[kind].table - RRS_RUNTIME_JUMPS);
    made->l2 = (struct rrs_lookup_entry *)(tables + RRS_RUNTIME_L2 - RRS_RUNTIME_JUMPS);
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

static struct rrs_lookup_entry *find(struct rrs_lookup_table *table, uint64_t key)
{
    uint32_t i = rrs_lookup_l2_slot(key);
    while (table->l2[i].key && table->l2[i].key != key)
        i = (i + 1) & (L2_ENTRIES - 1);
    return &table->l2[i];
}

void rrs_lookup_table_add(struct rrs_shared_pool *pool, struct rrs_lookup_table *table,
                          uint32_t runtime, enum rrs_entry_kind entry_kind, uint64_t app_pc,
                          uint64_t shadow_pc)
{
    const struct rrs_entry_place *place = &rrs_entry_places[entry_kind];
    uint64_t key = app_pc | place->key_bit;
    uint64_t miss = runtime + RRS_RUNTIME_CODE + place->miss;
    if (table->count >= L2_FULL)
        rrs_lookup_table_clear(pool, table);
    struct rrs_lookup_entry *entry = find(table, key);
    uint64_t *direct = table->direct[entry_kind - 1] + rrs_lookup_slot(app_pc);
    if (!entry->key)
        table->count++;
    if (!*direct || *direct == entry->shadow_pc - miss) /* else it is of use to another */
        *direct = shadow_pc - miss;
    *entry = (struct rrs_lookup_entry){key, shadow_pc};
}
