/* SPDX-License-Identifier: MIT */
/*
 * The content hash that names blobs, chunks and pages: BLAKE2b-512 of libcrypto, its first 256
 * bits.
 *
 * A recorded program may be hostile and may know this code. If it could make two pages with one
 * hash, one would replace the other in the trace and the replay would be wrong without notice; so
 * the hash must resist collisions, which rules xxh3-128 out (17 GB/s, but not made for that). Among
 * those that resist, measured on 4 KiB pages: SHA-256 1.75 GB/s with the SHA instructions and 0.65
 * GB/s without them (most Intel servers before 2019); BLAKE2b 1.26 GB/s with none; libb2's BLAKE2b
 * 0.58 GB/s. BLAKE2b has no slow machine. The figures are of OpenSSL 3.0 on an AMD EPYC core.
 */
#ifndef RRS_LMDB_STORE_HASH_H
#define RRS_LMDB_STORE_HASH_H

#include "lmdb-store/error.h"

#include <stddef.h>
#include <stdint.h>

enum { RRS_HASH_BYTES = 32, RRS_HASH_TEXT_BYTES = 2 * RRS_HASH_BYTES + 1 };

struct rrs_hash {
    uint8_t bytes[RRS_HASH_BYTES];
};

struct rrs_hasher;

/** Makes a hasher: the reusable state of the library. Not for two threads at a time. */
RRS_MUST_CHECK struct rrs_error *rrs_hasher_create(struct rrs_hasher **hasher);

/** Frees `hasher`; NULL is fine. */
void rrs_hasher_destroy(struct rrs_hasher *hasher);

/** Hashes `size_bytes` bytes. `data` may be NULL if there are none. */
void rrs_hasher_digest(struct rrs_hasher *hasher, const void *data, size_t size_bytes,
                       struct rrs_hash *hash);

/** The same in parts: begin, add any number of times, end. */
void rrs_hasher_begin(struct rrs_hasher *hasher);
void rrs_hasher_add(struct rrs_hasher *hasher, const void *data, size_t size_bytes);
void rrs_hasher_end(struct rrs_hasher *hasher, struct rrs_hash *hash);

/** Writes `hash` as 64 lower-case hexadecimal digits and a NUL. Returns `text`. */
char *rrs_hash_format(const struct rrs_hash *hash, char text[RRS_HASH_TEXT_BYTES]);

/** Reads 64 hexadecimal digits. Error: USAGE if `text` is anything else. */
RRS_MUST_CHECK struct rrs_error *rrs_hash_parse(const char *text, struct rrs_hash *hash);

#endif
