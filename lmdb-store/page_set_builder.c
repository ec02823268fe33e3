/* SPDX-License-Identifier: MIT */
#include "lmdb-store/page_set_builder.h"

#include "lmdb-store/scope.h"

#include <string.h>

struct rrs_error *rrs_page_set_builder_init(struct rrs_page_set_builder *builder)
{
    memset(builder, 0, sizeof *builder);
    return rrs_hasher_create(&builder->hasher);
}

void rrs_page_set_builder_deinit(struct rrs_page_set_builder *builder)
{
    rrs_hasher_destroy(builder->hasher);
    rrs_page_map_deinit(&builder->base);
    rrs_page_map_deinit(&builder->made);
}

/* Stores the block of the open region as a chunk. */
static struct rrs_error *store_block(struct rrs_page_set_builder *builder,
                                     struct rrs_committer *committer)
{
    uint8_t bytes[RRS_BLOCK_BYTES];
    rrs_page_block_serialize(&builder->block, bytes);
    struct rrs_chunk_work work = {
        .head.size_bytes = RRS_BLOCK_BYTES,
        .data = bytes,
        .data_bytes = RRS_BLOCK_BYTES,
    };
    rrs_page_block_hash(builder->hasher, bytes, &work.head.hash);
    return rrs_chunk_work_apply(&work, committer, &builder->entry.block);
}

static struct rrs_error *close_region(struct rrs_page_set_builder *builder,
                                      struct rrs_committer *committer)
{
    if (!builder->is_open)
        return NULL;
    builder->is_open = false;
    if (builder->entry.n_pages == 0)
        return NULL;
    if (builder->is_changed)
        RRS_TRY(store_block(builder, committer));
    return rrs_page_map_append(&builder->made, &builder->entry);
}

/* Takes over the base's entries before (space, region). Gives the next one, or NULL. */
static struct rrs_error *copy_base_until(struct rrs_page_set_builder *builder, uint32_t space,
                                         uint64_t region, const struct rrs_page_map_entry **next)
{
    for (; builder->base_index < builder->base.n_entries; builder->base_index++) {
        const struct rrs_page_map_entry *entry = &builder->base.entries[builder->base_index];
        *next = entry;
        if (rrs_page_map_compare(entry->space, entry->region, space, region) >= 0)
            return NULL;
        RRS_TRY(rrs_page_map_append(&builder->made, entry));
    }
    *next = NULL;
    return NULL;
}

static bool is_entry_of(const struct rrs_page_map_entry *entry, uint32_t space, uint64_t region)
{
    return entry && entry->space == space && entry->region == region;
}

static struct rrs_error *open_region(struct rrs_page_set_builder *builder,
                                     struct rrs_committer *committer, uint32_t space,
                                     uint64_t region)
{
    if (builder->is_open && is_entry_of(&builder->entry, space, region))
        return NULL;
    const struct rrs_page_map_entry *base;
    RRS_TRY(close_region(builder, committer));
    RRS_TRY(copy_base_until(builder, space, region, &base));
    if (is_entry_of(base, space, region)) {
        RRS_TRY(rrs_page_block_read(&committer->transaction, committer->unpacker, base,
                                    &builder->block));
        builder->entry = *base;
        builder->base_index++;
    } else {
        memset(&builder->block, 0, sizeof builder->block);
        builder->entry = (struct rrs_page_map_entry){.space = space, .region = region};
    }
    builder->is_open = true;
    builder->is_changed = false;
    return NULL;
}

static void set_page(struct rrs_page_set_builder *builder, uint64_t index, uint64_t chunk_id)
{
    uint64_t *page = &builder->block.pages[index];
    if (*page == chunk_id)
        return;
    builder->entry.n_pages -= *page != RRS_CHUNK_NONE;
    builder->entry.n_pages += chunk_id != RRS_CHUNK_NONE;
    builder->is_changed = true;
    *page = chunk_id;
}

struct rrs_error *rrs_page_set_put(struct rrs_page_set_builder *builder,
                                   struct rrs_committer *committer, uint32_t space,
                                   uint64_t page_number, uint64_t chunk_id)
{
    RRS_TRY(open_region(builder, committer, space, page_number / RRS_BLOCK_PAGES));
    set_page(builder, page_number % RRS_BLOCK_PAGES, chunk_id);
    return NULL;
}

/* Removes what the range and the region of `page_number` have in common, and gives its end. A
 * region that is gone as a whole is not even read. */
static struct rrs_error *remove_in_region(struct rrs_page_set_builder *builder,
                                          struct rrs_committer *committer, uint32_t space,
                                          uint64_t page_number, uint64_t end, uint64_t *next)
{
    uint64_t region = page_number / RRS_BLOCK_PAGES;
    uint64_t region_end = (region + 1) * RRS_BLOCK_PAGES;
    bool is_open = builder->is_open && is_entry_of(&builder->entry, space, region);
    *next = region_end;
    if (!is_open && page_number % RRS_BLOCK_PAGES == 0 && end >= region_end) {
        builder->base_index++;
        return NULL;
    }
    RRS_TRY(open_region(builder, committer, space, region));
    for (; page_number < end && page_number < region_end; page_number++)
        set_page(builder, page_number % RRS_BLOCK_PAGES, RRS_CHUNK_NONE);
    return NULL;
}

/* Only regions that are open or in the base can have pages: the range may be huge. */
struct rrs_error *rrs_page_set_remove(struct rrs_page_set_builder *builder,
                                      struct rrs_committer *committer, uint32_t space,
                                      uint64_t page_number, uint64_t end)
{
    while (page_number < end) {
        uint64_t region = page_number / RRS_BLOCK_PAGES;
        if (!builder->is_open || !is_entry_of(&builder->entry, space, region)) {
            const struct rrs_page_map_entry *base;
            RRS_TRY(close_region(builder, committer));
            RRS_TRY(copy_base_until(builder, space, region, &base));
            if (!base || base->space != space || base->region * RRS_BLOCK_PAGES >= end)
                return NULL;
            if (base->region > region)
                page_number = base->region * RRS_BLOCK_PAGES;
        }
        RRS_TRY(remove_in_region(builder, committer, space, page_number, end, &page_number));
    }
    return NULL;
}

struct rrs_error *rrs_page_set_complete(struct rrs_page_set_builder *builder,
                                        struct rrs_committer *committer)
{
    RRS_TRY(close_region(builder, committer));
    for (; builder->base_index < builder->base.n_entries; builder->base_index++)
        RRS_TRY(rrs_page_map_append(&builder->made, &builder->base.entries[builder->base_index]));
    return NULL;
}
