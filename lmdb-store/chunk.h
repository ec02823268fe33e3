/* SPDX-License-Identifier: MIT */
/*
 * Chunks: pieces of content up to 256 KiB, stored once per trace. Blobs, pages and the maps of page
 * sets all consist of chunks. Internal to lmdb-store.
 *
 * A chunk has a hash, which finds it, and a number, which refers to it: numbers rise, so new chunks
 * are appended to the end of the tree instead of all over it, as hashes would have it, and a
 * reference is 8 bytes. Each chunk counts the references to it; at 0 it can go.
 */
#ifndef RRS_LMDB_STORE_CHUNK_H
#define RRS_LMDB_STORE_CHUNK_H

#include "lmdb-store/error.h"
#include "lmdb-store/hash.h"
#include "lmdb-store/record.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    RRS_CHUNK_MAX_BYTES = 256 << 10,
    RRS_CHUNK_NONE = 0, /* no chunk has this number */
};

/* ---- compression ---- */

struct rrs_packer;
struct rrs_unpacker;

RRS_MUST_CHECK struct rrs_error *rrs_packer_create(struct rrs_packer **packer);
void rrs_packer_destroy(struct rrs_packer *packer);

/** Compresses up to RRS_CHUNK_MAX_BYTES bytes. The result is borrowed until the next call. */
RRS_MUST_CHECK struct rrs_error *rrs_packer_pack(struct rrs_packer *packer, const void *data,
                                                 size_t size_bytes, struct rrs_bytes *packed);

RRS_MUST_CHECK struct rrs_error *rrs_unpacker_create(struct rrs_unpacker **unpacker);
void rrs_unpacker_destroy(struct rrs_unpacker *unpacker);

/* ---- reading ---- */

/** Finds the chunk with content hash `hash`. Error: BAD_TRACE. */
RRS_MUST_CHECK struct rrs_error *rrs_chunk_find(const struct rrs_transaction *transaction,
                                                const struct rrs_hash *hash, uint64_t *id,
                                                bool *found);

struct rrs_chunk_head {
    uint32_t size_bytes; /* before compression */
    struct rrs_hash hash;
};

/** Reads what is known of a chunk without its content. Error: BAD_TRACE. */
RRS_MUST_CHECK struct rrs_error *rrs_chunk_read_head(const struct rrs_transaction *transaction,
                                                     uint64_t id, struct rrs_chunk_head *head);

/**
 * Copies the content of a chunk, which must have `size_bytes` bytes, to `buffer`. Error: BAD_TRACE,
 * also if the size is another.
 */
RRS_MUST_CHECK struct rrs_error *rrs_chunk_read(const struct rrs_transaction *transaction,
                                                struct rrs_unpacker *unpacker, uint64_t id,
                                                void *buffer, size_t size_bytes);

/** Copies the contents of a list of chunks of RRS_CHUNK_MAX_BYTES each (the last: the rest). */
RRS_MUST_CHECK struct rrs_error *rrs_chunk_read_list(const struct rrs_transaction *transaction,
                                                     struct rrs_unpacker *unpacker,
                                                     const uint64_t *ids, void *buffer,
                                                     uint64_t size_bytes);

/** How many chunks `size_bytes` bytes take. */
static inline uint64_t rrs_chunk_count(uint64_t size_bytes)
{
    return size_bytes / RRS_CHUNK_MAX_BYTES + (size_bytes % RRS_CHUNK_MAX_BYTES != 0);
}

/* ---- writing: in the committer's transaction ---- */

/** The number that the next new chunk gets. Error: BAD_TRACE. */
RRS_MUST_CHECK struct rrs_error *rrs_chunk_next_id(const struct rrs_transaction *transaction,
                                                   uint64_t *next_id);

/** Stores a chunk that rrs_chunk_find() does not find, under number `id`, with no references. */
RRS_MUST_CHECK struct rrs_error *rrs_chunk_insert(const struct rrs_transaction *transaction,
                                                  uint64_t id, const struct rrs_chunk_head *head,
                                                  const struct rrs_bytes *packed);

/** Reads the number of references to a chunk. Error: BAD_TRACE. */
RRS_MUST_CHECK struct rrs_error *rrs_chunk_get_refs(const struct rrs_transaction *transaction,
                                                    uint64_t id, uint32_t *n_refs);

/** Adds a reference; `*n_refs` is how many there are then. Errors: BAD_TRACE, DISK_FULL, OS. */
RRS_MUST_CHECK struct rrs_error *rrs_chunk_ref(const struct rrs_transaction *transaction,
                                               uint64_t id, uint32_t *n_refs);

/** Takes a reference away, and the chunk with the last one; `*n_refs` is how many are left. */
RRS_MUST_CHECK struct rrs_error *rrs_chunk_unref(const struct rrs_transaction *transaction,
                                                 uint64_t id, uint32_t *n_refs);

/** Removes all chunks that nothing refers to: what a killed writer has left. */
RRS_MUST_CHECK struct rrs_error *rrs_chunk_sweep(const struct rrs_transaction *transaction);

#endif
