/* SPDX-License-Identifier: MIT */
/*
 * How checkpoints and page sets stand in the trace. Internal to lmdb-store.
 *
 * A page set is a tree of three levels, all of them chunks: the map, a sorted list of regions; a
 * block per region, the chunk numbers of its 512 pages (2 MiB); the pages. Blocks that two page
 * sets have in common are one chunk, so what a checkpoint has unchanged costs 24 bytes per 2 MiB.
 *
 * References: a map entry refers to its block (one reference each), and a block that is referred to
 * at all refers to its pages (one reference each, however often the block is referred to).
 */
#ifndef RRS_LMDB_STORE_CHECKPOINT_FORMAT_H
#define RRS_LMDB_STORE_CHECKPOINT_FORMAT_H

#include "lmdb-store/checkpoint.h"
#include "lmdb-store/chunk.h"
#include "lmdb-store/error.h"
#include "lmdb-store/record.h"

#include <stddef.h>
#include <stdint.h>

enum {
    RRS_BLOCK_PAGES = 512,
    RRS_BLOCK_BYTES = 8 * RRS_BLOCK_PAGES,
    RRS_CHECKPOINT_KEY_BYTES = 16,
};

/* Pages are counted within their space: page number = address / 4096; region = page number / 512.
 */
struct rrs_page_map_entry {
    uint32_t space;
    uint32_t n_pages; /* in the block: 1 to RRS_BLOCK_PAGES */
    uint64_t region;
    uint64_t block; /* number of the chunk */
};

struct rrs_page_map {
    struct rrs_page_map_entry *entries; /* in rising order of (space, region) */
    size_t n_entries, capacity;
};

struct rrs_page_block {
    uint64_t pages[RRS_BLOCK_PAGES]; /* chunk numbers; RRS_CHUNK_NONE where there is no page */
};

struct rrs_checkpoint_record {
    struct rrs_checkpoint_info info;
    uint64_t map_bytes;
    uint64_t *ids; /* chunk numbers: those of the map, then those of the payload; on the heap */
    uint64_t n_map_ids, n_payload_ids;
};

void rrs_checkpoint_key(uint8_t key[RRS_CHECKPOINT_KEY_BYTES],
                        const struct rrs_checkpoint_place *place);

/** Takes a record apart; the caller frees `record->ids`. Errors: BAD_TRACE, NO_MEMORY. */
RRS_MUST_CHECK struct rrs_error *rrs_checkpoint_record_parse(
    const struct rrs_transaction *transaction, const MDB_val *key, const struct rrs_bytes *body,
    struct rrs_checkpoint_record *record);

/** Finds the checkpoint at `place`; the caller frees `record->ids`. Errors: NOT_FOUND, BAD_TRACE.
 */
RRS_MUST_CHECK struct rrs_error *rrs_checkpoint_record_get(
    const struct rrs_transaction *transaction, const struct rrs_checkpoint_place *place,
    struct rrs_checkpoint_record *record);

/** Puts a checkpoint's record. Errors: NO_MEMORY, DISK_FULL, OS. */
RRS_MUST_CHECK struct rrs_error *rrs_checkpoint_record_put(
    const struct rrs_transaction *transaction, const struct rrs_checkpoint_record *record);

/** Reads the page map of a checkpoint; the caller ends it with rrs_page_map_deinit(). */
RRS_MUST_CHECK struct rrs_error *rrs_page_map_read(const struct rrs_transaction *transaction,
                                                   struct rrs_unpacker *unpacker,
                                                   const struct rrs_checkpoint_record *record,
                                                   struct rrs_page_map *map);

void rrs_page_map_deinit(struct rrs_page_map *map);

/** Appends an entry, which must come after all others. Error: NO_MEMORY. */
RRS_MUST_CHECK struct rrs_error *rrs_page_map_append(struct rrs_page_map *map,
                                                     const struct rrs_page_map_entry *entry);

/** The index of the first entry at or after (space, region); n_entries if there is none. */
size_t rrs_page_map_search(const struct rrs_page_map *map, uint32_t space, uint64_t region);

/** Writes the map as bytes to a heap block, which the caller frees. Error: NO_MEMORY. */
RRS_MUST_CHECK struct rrs_error *rrs_page_map_serialize(const struct rrs_page_map *map,
                                                        uint8_t **bytes, uint64_t *size_bytes);

/** Reads the block of `entry`. Error: BAD_TRACE, also if it has not as many pages as that says. */
RRS_MUST_CHECK struct rrs_error *rrs_page_block_read(const struct rrs_transaction *transaction,
                                                     struct rrs_unpacker *unpacker,
                                                     const struct rrs_page_map_entry *entry,
                                                     struct rrs_page_block *block);

void rrs_page_block_serialize(const struct rrs_page_block *block, uint8_t bytes[RRS_BLOCK_BYTES]);

/** Hashes a serialised block, so that it is never taken for a page with the same bytes. */
void rrs_page_block_hash(struct rrs_hasher *hasher, const uint8_t bytes[RRS_BLOCK_BYTES],
                         struct rrs_hash *hash);

static inline int rrs_page_map_compare(uint32_t space_a, uint64_t region_a, uint32_t space_b,
                                       uint64_t region_b)
{
    if (space_a != space_b)
        return space_a < space_b ? -1 : 1;
    return region_a < region_b ? -1 : region_a > region_b;
}

#endif
