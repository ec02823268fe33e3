/* SPDX-License-Identifier: MIT */
/*
 * Blobs: byte strings of any size, named by the hash of their content and stored once per trace.
 *
 * A blob is cut into chunks of RRS_BLOB_CHUNK_BYTES, which are shared among blobs too. The name of
 * a blob of one chunk is the hash of its bytes; of a larger one, the hash of its chunks' hashes.
 */
#ifndef RRS_LMDB_STORE_BLOB_H
#define RRS_LMDB_STORE_BLOB_H

#include "lmdb-store/error.h"
#include "lmdb-store/hash.h"
#include "lmdb-store/trace_reader.h"
#include "lmdb-store/trace_writer.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { RRS_BLOB_CHUNK_BYTES = 256 << 10 };

/**
 * Stores `size_bytes` bytes and gives their name. The caller's thread hashes and copies; the
 * writer's threads compress, in parallel if there is more than one chunk. `data` may be NULL if the
 * size is 0. Error: what made writing fail.
 */
RRS_MUST_CHECK struct rrs_error *rrs_blob_put(struct rrs_trace_writer *writer, const void *data,
                                              uint64_t size_bytes, struct rrs_hash *hash);

/**
 * Stores up to `size_bytes` bytes of the file `fd` from `offset_bytes` (pread; to the file's end if
 * that comes first), and gives their name and how many they were. `*stored_bytes` may be NULL.
 * Errors: OS if reading fails; what made writing fail.
 */
RRS_MUST_CHECK struct rrs_error *rrs_blob_put_file(struct rrs_trace_writer *writer, int fd,
                                                   uint64_t offset_bytes, uint64_t size_bytes,
                                                   struct rrs_hash *hash, uint64_t *stored_bytes);

/** Gives the size of a blob. Errors: NOT_FOUND (payload: key), BAD_TRACE. */
RRS_MUST_CHECK struct rrs_error *rrs_blob_size(struct rrs_trace_reader *reader,
                                               const struct rrs_hash *hash, uint64_t *size_bytes);

/**
 * Copies `size_bytes` bytes of a blob from `offset_bytes` to `buffer`, touching only the chunks
 * that hold them. All or nothing. Errors: NOT_FOUND; USAGE if the range reaches beyond the blob's
 * end; BAD_TRACE (key: the blob) if a chunk is damaged: `buffer` is undefined then.
 */
RRS_MUST_CHECK struct rrs_error *rrs_blob_read(struct rrs_trace_reader *reader,
                                               const struct rrs_hash *hash, uint64_t offset_bytes,
                                               void *buffer, uint64_t size_bytes);

/**
 * Calls `visit` with the first `size_bytes` bytes of a blob (UINT64_MAX: all), in pieces of a
 * bounded size and in order; `offset_bytes` is that of the piece. An error that it returns ends
 * this and is passed on. Errors: those of rrs_blob_read().
 */
RRS_MUST_CHECK struct rrs_error *rrs_blob_for_each_piece(
    struct rrs_trace_reader *reader, const struct rrs_hash *hash, uint64_t size_bytes,
    struct rrs_error *(*visit)(void *context, uint64_t offset_bytes, const uint8_t *piece,
                               size_t piece_bytes),
    void *context);

/**
 * Writes the first `size_bytes` bytes of a blob to the file `fd` from `offset_bytes` on (pwrite).
 * Errors: OS if writing fails; those of rrs_blob_read().
 */
RRS_MUST_CHECK struct rrs_error *rrs_blob_copy_to_file(struct rrs_trace_reader *reader,
                                                       const struct rrs_hash *hash,
                                                       uint64_t size_bytes, int fd,
                                                       uint64_t offset_bytes);

/** Calls `visit` for each blob in order of hash, until it returns an error, which is passed on. */
RRS_MUST_CHECK struct rrs_error *rrs_blob_for_each(
    struct rrs_trace_reader *reader,
    struct rrs_error *(*visit)(void *context, const struct rrs_hash *hash, uint64_t size_bytes),
    void *context);

#endif
