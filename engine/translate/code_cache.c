/* SPDX-License-Identifier: MIT */
#include "engine/translate/code_cache.h"

#include "engine/runtime/layout.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum {
    FIRST_ENTRIES = 1 << 10, /* powers of two */
    PAGE_SLOTS = 1 << 14,
    PAGE_SHIFT = 12,
    JMP_BYTES = 5,
    EXIT_STUB_BYTES = 32,
};

const struct rrs_entry_place rrs_entry_places[RRS_ENTRY_TABLES + 1] = {
    [RRS_ENTRY_JUMP] = {RRS_RUNTIME_JUMPS, RRS_CODE_MISS_JUMP, 0},
    [RRS_ENTRY_RETURN] = {RRS_RUNTIME_RETURNS, RRS_CODE_MISS_RETURN, 1ull << RRS_L2_RETURN_BIT},
    [RRS_ENTRY_CALL] = {RRS_RUNTIME_CALLS, RRS_CODE_MISS_CALL, 1ull << RRS_L2_CALL_BIT},
};

static void *grow(void *array, uint32_t *room, uint32_t needed, size_t element_bytes)
{
    if (needed <= *room)
        return array;
    uint32_t new_room = *room ? *room * 2 : 256;
    while (new_room < needed)
        new_room *= 2;
    void *grown = realloc(array, new_room * element_bytes);
    assert(grown && "out of memory in the translator");
    *room = new_room;
    return grown;
}

static struct rrs_emitter emitter_at(const struct rrs_code_cache *cache, uint32_t offset)
{
    return (struct rrs_emitter){
        .out = cache->memory + offset,
        .here = cache->shadow_base + offset,
        .runtime = cache->runtime,
        .based = cache->based,
        .base = cache->base,
    };
}

struct rrs_emitter rrs_code_cache_emitter(const struct rrs_code_cache *cache)
{
    return emitter_at(cache, cache->used);
}

struct rrs_emitter rrs_code_cache_cold_emitter(const struct rrs_code_cache *cache)
{
    return emitter_at(cache, cache->cold_used);
}

static void reset(struct rrs_code_cache *cache)
{
    cache->used = 0;
    cache->cold_start = cache->cold_used = cache->size / 8 * 5;
    cache->block_count = cache->map_bytes = cache->entry_count = 0;
    cache->exit_count = RRS_FIXED_EXITS;
    memset(cache->entries, 0, cache->entry_room * sizeof cache->entries[0]);
    memset(cache->pages, 0, PAGE_SLOTS * sizeof cache->pages[0]);
    struct rrs_emitter e = rrs_code_cache_emitter(cache);
    rrs_lower_prologue(&e, &cache->prologue);
    cache->stop_stub = (uint32_t)(e.here - cache->shadow_base);
    rrs_lower_exit(&e, RRS_FIXED_EXIT_STOP, cache->shadow_base + cache->prologue.exit_common);
    cache->scratch = ((uint32_t)(e.here - cache->shadow_base) + 63) & ~63u;
    cache->used = cache->scratch + RRS_SCRATCH_BYTES;
}

struct rrs_error *rrs_code_cache_init(struct rrs_code_cache *cache, uint8_t *memory, uint32_t size,
                                      int64_t shadow_base, uint32_t runtime)
{
    *cache = (struct rrs_code_cache){
        .memory = memory, .size = size, .shadow_base = shadow_base, .runtime = runtime};
    cache->entry_room = FIRST_ENTRIES;
    cache->entries = calloc(cache->entry_room, sizeof cache->entries[0]);
    cache->pages = calloc(PAGE_SLOTS, sizeof cache->pages[0]);
    cache->exits = grow(NULL, &cache->exit_room, RRS_FIXED_EXITS, sizeof cache->exits[0]);
    if (!cache->entries || !cache->pages) {
        rrs_code_cache_deinit(cache);
        return rrs_error_no_memory();
    }
    memset(cache->exits, 0, RRS_FIXED_EXITS * sizeof cache->exits[0]);
    cache->exits[RRS_FIXED_EXIT_STOP].kind = RRS_EXIT_STOP;
    cache->exits[RRS_FIXED_EXIT_ALONE].kind = RRS_EXIT_ALONE;
    reset(cache);
    return NULL;
}

void rrs_code_cache_deinit(struct rrs_code_cache *cache)
{
    free(cache->blocks);
    free(cache->exits);
    free(cache->maps);
    free(cache->entries);
    free(cache->pages);
    *cache = (struct rrs_code_cache){0};
}

void rrs_code_cache_flush(struct rrs_code_cache *cache)
{
    reset(cache);
    cache->flushes++;
}

/* Neighbours among app addresses are neighbours here: they are asked for together. */
static uint32_t hash(uint32_t app, uint32_t room)
{
    uint32_t group = app >> 6, within = app >> 2 & 15;
    return ((group * 0x9e3779b1u >> 12) << 4 | within) & (room - 1);
}

static struct rrs_entry *find(const struct rrs_code_cache *cache, uint32_t app)
{
    uint32_t i = hash(app, cache->entry_room);
    while (cache->entries[i].app_plus_1 && cache->entries[i].app_plus_1 != app + 1)
        i = (i + 1) & (cache->entry_room - 1);
    return &cache->entries[i];
}

static void rehash(struct rrs_code_cache *cache)
{
    struct rrs_entry *old = cache->entries;
    uint32_t old_room = cache->entry_room;
    cache->entry_room *= 2;
    cache->entries = calloc(cache->entry_room, sizeof cache->entries[0]);
    assert(cache->entries && "out of memory in the translator");
    for (uint32_t i = 0; i < old_room; i++)
        if (old[i].app_plus_1)
            *find(cache, old[i].app_plus_1 - 1) = old[i];
    free(old);
}

struct rrs_entry *rrs_code_cache_entry(struct rrs_code_cache *cache, uint32_t app)
{
    if (cache->entry_count * 2 >= cache->entry_room)
        rehash(cache);
    struct rrs_entry *entry = find(cache, app);
    if (!entry->app_plus_1) {
        entry->app_plus_1 = app + 1;
        cache->entry_count++;
    }
    return entry;
}

struct rrs_block *rrs_code_cache_block_at(const struct rrs_code_cache *cache, int64_t app)
{
    if (app < 0 || app >= UINT32_MAX)
        return NULL;
    const struct rrs_entry *entry = find(cache, (uint32_t)app);
    return entry->app_plus_1 && entry->block ? &cache->blocks[entry->block - 1] : NULL;
}

uint32_t rrs_code_cache_entry_at(const struct rrs_code_cache *cache, int64_t app,
                                 enum rrs_entry_kind entry_kind)
{
    assert(entry_kind != RRS_ENTRY_DIRECT && "such an entry stands in no table");
    if (app < 0 || app >= UINT32_MAX)
        return 0;
    const struct rrs_entry *entry = find(cache, (uint32_t)app);
    return entry->app_plus_1 ? entry->table_entry[entry_kind - 1] : 0;
}

enum { SITE_BLOCK_BITS = 20, SITE_BLOCK_MASK = (1 << SITE_BLOCK_BITS) - 1 };

uint32_t rrs_code_cache_site(const struct rrs_code_cache *cache, uint32_t block_index)
{
    return (uint32_t)cache->number << SITE_BLOCK_BITS | (block_index & SITE_BLOCK_MASK);
}

struct rrs_block *rrs_code_cache_block_of_site(const struct rrs_code_cache *cache, uint32_t site)
{
    uint32_t index = site & SITE_BLOCK_MASK;
    bool ours = rrs_code_cache_site(cache, index) == site && index < cache->block_count;
    return ours ? &cache->blocks[index] : NULL;
}

struct rrs_block *rrs_code_cache_block_of_shadow(const struct rrs_code_cache *cache,
                                                 uint32_t shadow)
{
    uint32_t low = 0, high = cache->block_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (cache->blocks[middle].shadow <= shadow)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == 0)
        return NULL;
    struct rrs_block *block = &cache->blocks[low - 1];
    return shadow < block->shadow + block->shadow_bytes ? block : NULL;
}

uint32_t rrs_code_cache_add_exit(struct rrs_code_cache *cache, struct rrs_exit exit)
{
    cache->exits =
        grow(cache->exits, &cache->exit_room, cache->exit_count + 1, sizeof cache->exits[0]);
    cache->exits[cache->exit_count] = exit;
    return cache->exit_count++;
}

struct rrs_block *rrs_code_cache_add_block(struct rrs_code_cache *cache, uint32_t app,
                                           uint32_t shadow)
{
    cache->blocks =
        grow(cache->blocks, &cache->block_room, cache->block_count + 1, sizeof cache->blocks[0]);
    struct rrs_block *block = &cache->blocks[cache->block_count++];
    *block = (struct rrs_block){.app = app, .shadow = shadow};
    return block;
}

void rrs_code_cache_add_map(struct rrs_code_cache *cache, struct rrs_block *block,
                            const struct rrs_map_writer *map)
{
    cache->maps = grow(cache->maps, &cache->map_room, cache->map_bytes + map->bytes, 1);
    memcpy(cache->maps + cache->map_bytes, map->entries, map->bytes);
    block->map = cache->map_bytes;
    block->map_bytes = map->bytes;
    cache->map_bytes += map->bytes;
}

static uint32_t *page_slot(const struct rrs_code_cache *cache, uint32_t app)
{
    return &cache->pages[(app >> PAGE_SHIFT) & (PAGE_SLOTS - 1)];
}

void rrs_code_cache_index_page(struct rrs_code_cache *cache, uint32_t block_index)
{
    struct rrs_block *block = &cache->blocks[block_index];
    uint32_t *slot = page_slot(cache, block->app);
    block->next_on_page = *slot;
    *slot = block_index + 1;
}

/* Turns the first shadow bytes of a block into a jump to a new exit for its app address. */
static void drop_block(struct rrs_code_cache *cache, uint32_t index)
{
    struct rrs_block *block = &cache->blocks[index];
    struct rrs_entry *entry = find(cache, block->app);
    block->dropped = true;
    if (entry->block == index + 1)
        entry->block = 0;
    uint32_t id = rrs_code_cache_add_exit(cache, (struct rrs_exit){.kind = RRS_EXIT_LINK,
                                                                   .app = block->app,
                                                                   .next = entry->dropped,
                                                                   .patch = block->shadow + 1});
    entry->dropped = id;
    struct rrs_emitter e = rrs_code_cache_cold_emitter(cache);
    uint8_t *start = e.out;
    int64_t stub = e.here;
    rrs_lower_exit(&e, id, cache->shadow_base + cache->prologue.exit_common);
    cache->cold_used += (uint32_t)(e.out - start);
    uint8_t *jump = cache->memory + block->shadow;
    *jump = 0xe9;
    rrs_patch_rel32(jump + 1, cache->shadow_base + block->shadow + 1, stub);
}

/* A block that found nothing to fetch has no bytes, but says so about its first one. */
static bool overlaps(const struct rrs_block *block, int64_t from, int64_t to)
{
    uint32_t bytes = block->app_bytes ? block->app_bytes : 1;
    return !block->dropped && block->app < to && (int64_t)block->app + bytes > from;
}

uint32_t rrs_code_cache_drop(struct rrs_code_cache *cache, int64_t from, int64_t to)
{
    uint32_t dropped = 0;
    int64_t first_page = (from >> PAGE_SHIFT) - 1; /* a block may reach over from the page before */
    if (first_page < 0)
        first_page = 0;
    int64_t last_page = (to - 1) >> PAGE_SHIFT;
    if (last_page - first_page >= PAGE_SLOTS)
        last_page = first_page + PAGE_SLOTS - 1;
    for (int64_t page = first_page; page <= last_page; page++)
        for (uint32_t i = cache->pages[page & (PAGE_SLOTS - 1)]; i;
             i = cache->blocks[i - 1].next_on_page)
            if (overlaps(&cache->blocks[i - 1], from, to)) {
                if (cache->cold_used + EXIT_STUB_BYTES > cache->size)
                    return dropped; /* too full to note it: the caller flushes such a cache */
                drop_block(cache, i - 1);
                dropped++;
            }
    return dropped;
}

void rrs_code_cache_arm_stop(struct rrs_code_cache *cache, uint32_t at, uint8_t saved[5])
{
    uint8_t *jump = cache->memory + at;
    memcpy(saved, jump, JMP_BYTES);
    *jump = 0xe9;
    rrs_patch_rel32(jump + 1, cache->shadow_base + at + 1, cache->shadow_base + cache->stop_stub);
}

void rrs_code_cache_disarm_stop(struct rrs_code_cache *cache, uint32_t at, const uint8_t saved[5])
{
    memcpy(cache->memory + at, saved, JMP_BYTES);
}

bool rrs_code_cache_load_scratch(struct rrs_code_cache *cache, const struct rrs_insn *insn,
                                 int64_t app)
{
    struct rrs_emitter e = emitter_at(cache, cache->scratch);
    rrs_map_begin(&cache->scratch_map, e.out);
    if (!rrs_lower_plain(&e, insn, app + insn->length, &cache->scratch_map))
        return false;
    rrs_map_instruction(&cache->scratch_map, e.out, insn->length);
    rrs_lower_exit(&e, RRS_FIXED_EXIT_ALONE, cache->shadow_base + cache->prologue.exit_common);
    return true;
}
