/* SPDX-License-Identifier: MIT */
#include "lmdb-store/record.h"

#include "lmdb-store/bytes.h"
#include "lmdb-store/record_survey.h"

#include <stdio.h>
#include <string.h>
#include <xxhash.h>

static uint64_t seal_of(const void *key, size_t key_bytes, const void *body, size_t body_bytes)
{
    return XXH3_64bits_withSeed(body, body_bytes, XXH3_64bits(key, key_bytes));
}

/* "blobs/3f0a..." : the database and the key, in hexadecimal unless it is plain text. */
static void describe_key(enum rrs_database database, const uint8_t *key, size_t key_bytes,
                         char *text, size_t text_bytes)
{
    static const char *const names[] = {
#define X(name, text) text,
        RRS_DATABASES(X)
#undef X
    };
    int used = snprintf(text, text_bytes, "%s/", names[database]);
    bool is_text = database == RRS_DATABASE_META;
    for (size_t i = 0; i < key_bytes && (size_t)used + 3 < text_bytes; i++)
        used += is_text && key[i] >= ' ' && key[i] < 0x7f
                    ? snprintf(text + used, text_bytes - (size_t)used, "%c", key[i])
                    : snprintf(text + used, text_bytes - (size_t)used, "%02x", key[i]);
}

struct rrs_error *rrs_record_damaged(const struct rrs_transaction *transaction,
                                     enum rrs_database database, const void *key, size_t key_bytes,
                                     const char *what)
{
    char text[160];
    describe_key(database, key, key_bytes, text, sizeof text);
    return rrs_error_with_key(rrs_error_path(RRS_ERROR_BAD_TRACE,
                                             rrs_environment_data_path(transaction->environment),
                                             "record %s: %s", text, what),
                              text);
}

bool rrs_record_is_sealed(const void *key, size_t key_bytes, const void *value, size_t value_bytes)
{
    if (value_bytes < RRS_RECORD_SEAL_BYTES)
        return false;
    return rrs_load_le64(value) == seal_of(key, key_bytes,
                                           (const uint8_t *)value + RRS_RECORD_SEAL_BYTES,
                                           value_bytes - RRS_RECORD_SEAL_BYTES);
}

struct rrs_error *rrs_record_unseal(const struct rrs_transaction *transaction,
                                    enum rrs_database database, const MDB_val *key,
                                    const MDB_val *value, struct rrs_bytes *body)
{
    if (value->mv_size < RRS_RECORD_SEAL_BYTES)
        return rrs_record_damaged(transaction, database, key->mv_data, key->mv_size,
                                  "it is shorter than its checksum");
    if (!rrs_record_is_sealed(key->mv_data, key->mv_size, value->mv_data, value->mv_size))
        return rrs_record_damaged(transaction, database, key->mv_data, key->mv_size,
                                  "its checksum is wrong");
    body->data = (const uint8_t *)value->mv_data + RRS_RECORD_SEAL_BYTES;
    body->size_bytes = value->mv_size - RRS_RECORD_SEAL_BYTES;
    return NULL;
}

static struct rrs_error *convert(const struct rrs_transaction *transaction, int code,
                                 const char *what)
{
    return rrs_lmdb_error(code, rrs_environment_data_path(transaction->environment), what);
}

struct rrs_error *rrs_record_find(const struct rrs_transaction *transaction,
                                  enum rrs_database database, const void *key, size_t key_bytes,
                                  struct rrs_bytes *body, bool *found)
{
    MDB_val key_value = {.mv_size = key_bytes, .mv_data = (void *)key};
    MDB_val value;
    int code = mdb_get(transaction->txn, rrs_environment_dbi(transaction->environment, database),
                       &key_value, &value);
    *found = code == 0;
    if (code == MDB_NOTFOUND)
        return rrs_record_survey_check(transaction->environment, database);
    if (code)
        return convert(transaction, code, "cannot read a record");
    return rrs_record_unseal(transaction, database, &key_value, &value, body);
}

struct rrs_error *rrs_record_get(const struct rrs_transaction *transaction,
                                 enum rrs_database database, const void *key, size_t key_bytes,
                                 struct rrs_bytes *body)
{
    bool found;
    RRS_TRY(rrs_record_find(transaction, database, key, key_bytes, body, &found));
    if (!found)
        return rrs_record_damaged(transaction, database, key, key_bytes, "it is missing");
    return NULL;
}

struct rrs_error *rrs_record_put_parts(const struct rrs_transaction *transaction,
                                       enum rrs_database database, const void *key,
                                       size_t key_bytes, const struct rrs_bytes *parts,
                                       size_t n_parts)
{
    MDB_val key_value = {.mv_size = key_bytes, .mv_data = (void *)key};
    MDB_val value = {.mv_size = RRS_RECORD_SEAL_BYTES};
    for (size_t i = 0; i < n_parts; i++)
        value.mv_size += parts[i].size_bytes;
    int code = mdb_put(transaction->txn, rrs_environment_dbi(transaction->environment, database),
                       &key_value, &value, MDB_RESERVE);
    if (code)
        return convert(transaction, code, "cannot write to the trace");
    uint8_t *body = (uint8_t *)value.mv_data + RRS_RECORD_SEAL_BYTES, *to = body;
    for (size_t i = 0; i < n_parts; i++) {
        if (parts[i].size_bytes)
            memcpy(to, parts[i].data, parts[i].size_bytes);
        to += parts[i].size_bytes;
    }
    rrs_store_le64(value.mv_data, seal_of(key, key_bytes, body, (size_t)(to - body)));
    return NULL;
}

struct rrs_error *rrs_record_put(const struct rrs_transaction *transaction,
                                 enum rrs_database database, const void *key, size_t key_bytes,
                                 const void *body, size_t body_bytes)
{
    const struct rrs_bytes part = {body, body_bytes};
    return rrs_record_put_parts(transaction, database, key, key_bytes, &part, 1);
}

struct rrs_error *rrs_record_put_plain(const struct rrs_transaction *transaction,
                                       enum rrs_database database, const void *key,
                                       size_t key_bytes, const void *value, size_t value_bytes)
{
    MDB_val key_value = {.mv_size = key_bytes, .mv_data = (void *)key};
    MDB_val data = {.mv_size = value_bytes, .mv_data = (void *)value};
    int code = mdb_put(transaction->txn, rrs_environment_dbi(transaction->environment, database),
                       &key_value, &data, 0);
    return code ? convert(transaction, code, "cannot write to the trace") : NULL;
}

struct rrs_error *rrs_record_remove(const struct rrs_transaction *transaction,
                                    enum rrs_database database, const void *key, size_t key_bytes)
{
    MDB_val key_value = {.mv_size = key_bytes, .mv_data = (void *)key};
    int code = mdb_del(transaction->txn, rrs_environment_dbi(transaction->environment, database),
                       &key_value, NULL);
    return code && code != MDB_NOTFOUND ? convert(transaction, code, "cannot remove a record")
                                        : NULL;
}

struct rrs_error *rrs_record_cursor(const struct rrs_transaction *transaction,
                                    enum rrs_database database, MDB_cursor **cursor)
{
    RRS_TRY(rrs_record_survey_check(transaction->environment, database));
    return rrs_record_cursor_for_all(transaction, database, cursor);
}

struct rrs_error *rrs_record_cursor_for_all(const struct rrs_transaction *transaction,
                                            enum rrs_database database, MDB_cursor **cursor)
{
    int code = mdb_cursor_open(transaction->txn,
                               rrs_environment_dbi(transaction->environment, database), cursor);
    return code ? convert(transaction, code, "cannot walk the trace") : NULL;
}

struct rrs_error *rrs_record_move(const struct rrs_transaction *transaction, MDB_cursor *cursor,
                                  MDB_cursor_op operation, MDB_val *key, MDB_val *value,
                                  bool *found)
{
    int code = mdb_cursor_get(cursor, key, value, operation);
    *found = code == 0;
    if (code && code != MDB_NOTFOUND)
        return convert(transaction, code, "cannot walk the trace");
    return NULL;
}

struct rrs_error *rrs_record_move_down(const struct rrs_transaction *transaction,
                                       MDB_cursor *cursor, bool before, MDB_val *key,
                                       MDB_val *value, bool *found)
{
    MDB_val wanted = *key, at = *key;
    RRS_TRY(rrs_record_move(transaction, cursor, MDB_SET_RANGE, &at, value, found));
    bool is_equal = *found && at.mv_size == wanted.mv_size &&
                    memcmp(at.mv_data, wanted.mv_data, wanted.mv_size) == 0;
    if (!is_equal || before)
        RRS_TRY(
            rrs_record_move(transaction, cursor, *found ? MDB_PREV : MDB_LAST, &at, value, found));
    if (*found)
        *key = at;
    return NULL;
}
