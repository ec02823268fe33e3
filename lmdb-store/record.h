/* SPDX-License-Identifier: MIT */
/*
 * Sealed records: how everything but frames stands in LMDB. A value is an 8-byte checksum of key
 * and body, then the body; so a flipped bit in either is found, and so is a value under a wrong
 * key. Internal to lmdb-store.
 */
#ifndef RRS_LMDB_STORE_RECORD_H
#define RRS_LMDB_STORE_RECORD_H

#include "lmdb-store/environment.h"
#include "lmdb-store/error.h"

#include <lmdb.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { RRS_RECORD_SEAL_BYTES = 8 };

/* A transaction and whose it is. */
struct rrs_transaction {
    struct rrs_environment *environment;
    MDB_txn *txn;
};

/* Bytes in the map, borrowed until the transaction ends or (in a write transaction) goes on. */
struct rrs_bytes {
    const uint8_t *data;
    size_t size_bytes;
};

/** Whether `value` begins with the right seal for `key` and the body behind it. */
bool rrs_record_is_sealed(const void *key, size_t key_bytes, const void *value, size_t value_bytes);

/** Checks the seal of a value found under `key`, and gives its body. Error: BAD_TRACE. */
RRS_MUST_CHECK struct rrs_error *rrs_record_unseal(const struct rrs_transaction *transaction,
                                                   enum rrs_database database, const MDB_val *key,
                                                   const MDB_val *value, struct rrs_bytes *body);

/** Finds a record. `*found` is false if there is none; but if a record of this database is damaged,
 * which may be the one, then that is an error: BAD_TRACE. */
RRS_MUST_CHECK struct rrs_error *rrs_record_find(const struct rrs_transaction *transaction,
                                                 enum rrs_database database, const void *key,
                                                 size_t key_bytes, struct rrs_bytes *body,
                                                 bool *found);

/** Finds a record that must be there: else BAD_TRACE. */
RRS_MUST_CHECK struct rrs_error *rrs_record_get(const struct rrs_transaction *transaction,
                                                enum rrs_database database, const void *key,
                                                size_t key_bytes, struct rrs_bytes *body);

/** Puts a record, in place of one under the same key. Errors: DISK_FULL, OS. */
RRS_MUST_CHECK struct rrs_error *rrs_record_put(const struct rrs_transaction *transaction,
                                                enum rrs_database database, const void *key,
                                                size_t key_bytes, const void *body,
                                                size_t body_bytes);

/** The same with a body in parts, which are put one behind the other. */
RRS_MUST_CHECK struct rrs_error *rrs_record_put_parts(const struct rrs_transaction *transaction,
                                                      enum rrs_database database, const void *key,
                                                      size_t key_bytes,
                                                      const struct rrs_bytes *parts,
                                                      size_t n_parts);

/** Puts a value as it is, unsealed: a frame, which has checksums of its own. */
RRS_MUST_CHECK struct rrs_error *rrs_record_put_plain(const struct rrs_transaction *transaction,
                                                      enum rrs_database database, const void *key,
                                                      size_t key_bytes, const void *value,
                                                      size_t value_bytes);

/** Removes a record; it is fine if there is none. Errors: DISK_FULL, OS. */
RRS_MUST_CHECK struct rrs_error *rrs_record_remove(const struct rrs_transaction *transaction,
                                                   enum rrs_database database, const void *key,
                                                   size_t key_bytes);

/** Makes a BAD_TRACE error about the record under `key`, which is named in the error's key. */
RRS_MUST_CHECK RRS_NEVER_NULL struct rrs_error *rrs_record_damaged(
    const struct rrs_transaction *transaction, enum rrs_database database, const void *key,
    size_t key_bytes, const char *what);

/** A cursor over one database. The caller closes it with mdb_cursor_close(). Errors: BAD_TRACE if a
 * record of this database is damaged, since a walk might pass it by; OS, NO_MEMORY. */
RRS_MUST_CHECK struct rrs_error *rrs_record_cursor(const struct rrs_transaction *transaction,
                                                   enum rrs_database database, MDB_cursor **cursor);

/** The same for one who looks for damage, and visits every record. */
RRS_MUST_CHECK struct rrs_error *rrs_record_cursor_for_all(
    const struct rrs_transaction *transaction, enum rrs_database database, MDB_cursor **cursor);

/**
 * Moves `cursor` by `operation` (for MDB_SET_RANGE `key` is read). `*found` is false at the end.
 * The value's seal is not checked. Errors: BAD_TRACE, OS.
 */
RRS_MUST_CHECK struct rrs_error *rrs_record_move(const struct rrs_transaction *transaction,
                                                 MDB_cursor *cursor, MDB_cursor_op operation,
                                                 MDB_val *key, MDB_val *value, bool *found);

/**
 * Moves `cursor` to the last record with a key <= (or, with `before`, <) `key`, which is replaced
 * by the one found.
 */
RRS_MUST_CHECK struct rrs_error *rrs_record_move_down(const struct rrs_transaction *transaction,
                                                      MDB_cursor *cursor, bool before, MDB_val *key,
                                                      MDB_val *value, bool *found);

static inline void rrs_scope_cursor(MDB_cursor **cursor)
{
    if (*cursor)
        mdb_cursor_close(*cursor);
}

#define _cleanup_cursor_ __attribute__((cleanup(rrs_scope_cursor)))

#endif
