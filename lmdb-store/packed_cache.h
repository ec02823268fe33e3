/* SPDX-License-Identifier: MIT */
/*
 * Files that were stored before, hashed and packed, in a directory of the user's. Programs and
 * their libraries are recorded again and again; to hash and pack them took most of the time of a
 * short recording. Internal to lmdb-store.
 *
 * This is a cache: whatever does not work, or does not look right, means that a file is not in it.
 * A file is known by device, inode, size and times. One that changed within the last two seconds
 * is not kept, because a change that follows may leave the times as they are: they are as coarse as
 * the kernel's clock tick.
 *
 * An entry is a file that is complete from the moment it has its name:
 *
 *   head     struct entry_head, with the key
 *   index    a struct entry_chunk for each chunk
 *   data     the packed chunks, in the order in which they came
 */
#ifndef RRS_LMDB_STORE_PACKED_CACHE_H
#define RRS_LMDB_STORE_PACKED_CACHE_H

#include "lmdb-store/chunk.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct rrs_packed_cache;

/** Opens the cache in `path`, making it if needed. NULL if it cannot be used. */
struct rrs_packed_cache *rrs_packed_cache_open(const char *path);
void rrs_packed_cache_close(struct rrs_packed_cache *cache);

/* What part of what file, as it was when. */
struct rrs_packed_key {
    uint64_t device, inode, size_bytes, modified_ns, changed_ns, offset_bytes, part_bytes;
};

/**
 * The key of `part_bytes` bytes (to the file's end if that comes first) from `offset_bytes`. False
 * if they are not to be kept: no regular file, a young one, or too little.
 */
bool rrs_packed_key_of(int fd, uint64_t offset_bytes, uint64_t part_bytes,
                       struct rrs_packed_key *key);

/* ---- reading an entry ---- */

struct rrs_packed_entry;

/** NULL if there is none. */
struct rrs_packed_entry *rrs_packed_entry_open(struct rrs_packed_cache *cache,
                                               const struct rrs_packed_key *key);
void rrs_packed_entry_close(struct rrs_packed_entry *entry);

/** Gives the next chunk, whose packed content the caller frees. False at the end, or if damaged. */
bool rrs_packed_entry_next(struct rrs_packed_entry *entry, struct rrs_chunk_head *head,
                           uint8_t **data, size_t *data_bytes);

/** Whether all chunks were given. If not, the entry is damaged, and is removed. */
bool rrs_packed_entry_ends_well(struct rrs_packed_entry *entry);

/* ---- making an entry ---- */

struct rrs_packed_filling;

/** NULL if none can be made. */
struct rrs_packed_filling *rrs_packed_filling_begin(struct rrs_packed_cache *cache,
                                                    const struct rrs_packed_key *key);

/** Adds chunk number `index`. Any thread. */
void rrs_packed_filling_add(struct rrs_packed_filling *filling, uint32_t index,
                            const struct rrs_chunk_head *head, const struct rrs_bytes *packed);

/** There will be no entry: the file has changed meanwhile. */
void rrs_packed_filling_give_up(struct rrs_packed_filling *filling);

/** Gives the entry its name if it is complete. Old entries go if there are too many. */
void rrs_packed_filling_end(struct rrs_packed_filling *filling);

/** One owner more, who is to destroy it, too. Returns `filling`. NULL is fine. */
struct rrs_packed_filling *rrs_packed_filling_share(struct rrs_packed_filling *filling);

/** The last owner frees it; without an end before, there is no entry. NULL is fine. */
void rrs_packed_filling_destroy(struct rrs_packed_filling *filling);

#endif
