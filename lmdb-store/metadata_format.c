/* SPDX-License-Identifier: MIT */
/* One record in `meta` per field, so that a later version can add fields; see docs/TRACE-FORMAT.md.
 */
#include "lmdb-store/metadata_format.h"

#include "lmdb-store/bytes.h"
#include "lmdb-store/scope.h"

#include <stdio.h>
#include <string.h>

static const char format_key[] = "format";
static const char end_key[] = "end";
static const char start_key[] = "start_wall_ns";

enum { END_KIND = 0, END_CODE = 4, END_WALL = 8, END_DETAIL = 16, END_MIN_BYTES = 16 };

static struct rrs_error *put(const struct rrs_transaction *transaction, const char *key,
                             const void *body, size_t body_bytes)
{
    return rrs_record_put(transaction, RRS_DATABASE_META, key, strlen(key), body, body_bytes);
}

static struct rrs_error *damaged(const struct rrs_transaction *transaction, const char *key,
                                 const char *what)
{
    return rrs_record_damaged(transaction, RRS_DATABASE_META, key, strlen(key), what);
}

struct rrs_error *rrs_metadata_check_version(const struct rrs_transaction *transaction)
{
    const char *path = rrs_environment_data_path(transaction->environment);
    struct rrs_bytes body;
    bool found;
    RRS_TRY(rrs_record_find(transaction, RRS_DATABASE_META, format_key, strlen(format_key), &body,
                            &found));
    if (!found || body.size_bytes != 4)
        return rrs_error_path(RRS_ERROR_BAD_TRACE, path,
                              "this is an LMDB file but not a trace of rrsoft");
    uint32_t version = rrs_load_le32(body.data);
    if (version == RRS_TRACE_FORMAT_VERSION)
        return NULL;
    char text[16];
    snprintf(text, sizeof text, "%u", version);
    const char *advice = version < RRS_TRACE_FORMAT_VERSION ? "record again" : "update rrsoft";
    return rrs_error_with_key(rrs_error_path(RRS_ERROR_OLD_TRACE, path,
                                             "the trace has format version %u, expected %d: %s",
                                             version, RRS_TRACE_FORMAT_VERSION, advice),
                              text);
}

/* A list is its strings, each with its NUL. */
static struct rrs_error *put_list(const struct rrs_transaction *transaction, const char *key,
                                  const struct rrs_string_list *list)
{
    size_t size_bytes = 0;
    for (size_t i = 0; i < list->n_items; i++)
        size_bytes += strlen(list->items[i]) + 1;
    _cleanup_free_ char *joined = malloc(size_bytes + 1);
    if (!joined)
        return rrs_error_no_memory();
    char *to = joined;
    for (size_t i = 0; i < list->n_items; i++)
        to = stpcpy(to, list->items[i]) + 1;
    return put(transaction, key, joined, size_bytes);
}

struct rrs_error *rrs_metadata_write(const struct rrs_transaction *transaction,
                                     const struct rrs_metadata *metadata)
{
    uint8_t number[8];
    rrs_store_le32(number, RRS_TRACE_FORMAT_VERSION);
    RRS_TRY(put(transaction, format_key, number, 4));
    rrs_store_le64(number, metadata->start_wall_ns);
    RRS_TRY(put(transaction, start_key, number, sizeof number));
#define X(name, text) RRS_TRY(put(transaction, #name, metadata->name, strlen(metadata->name)));
    RRS_METADATA_STRINGS(X)
#undef X
#define X(name, text) RRS_TRY(put_list(transaction, #name, &metadata->name));
    RRS_METADATA_LISTS(X)
#undef X
    return NULL;
}

static struct rrs_error *get(const struct rrs_transaction *transaction, const char *key,
                             struct rrs_bytes *body)
{
    return rrs_record_get(transaction, RRS_DATABASE_META, key, strlen(key), body);
}

static struct rrs_error *get_string(const struct rrs_transaction *transaction, const char *key,
                                    char **field)
{
    struct rrs_bytes body;
    RRS_TRY(get(transaction, key, &body));
    if (memchr(body.data, '\0', body.size_bytes))
        return damaged(transaction, key, "there is a NUL in the string");
    _cleanup_free_ char *copy = strndup((const char *)body.data, body.size_bytes);
    return copy ? rrs_metadata_set(field, copy) : rrs_error_no_memory();
}

static struct rrs_error *get_list(const struct rrs_transaction *transaction, const char *key,
                                  struct rrs_string_list *list)
{
    struct rrs_bytes body;
    RRS_TRY(get(transaction, key, &body));
    if (body.size_bytes && body.data[body.size_bytes - 1] != '\0')
        return damaged(transaction, key, "the list is not terminated");
    size_t n_items = 0;
    for (size_t i = 0; i < body.size_bytes; i++)
        n_items += body.data[i] == '\0';
    _cleanup_free_ const char **items = calloc(n_items + 1, sizeof *items);
    if (!items)
        return rrs_error_no_memory();
    const char *from = (const char *)body.data;
    for (size_t i = 0; i < n_items; i++) {
        items[i] = from;
        from += strlen(from) + 1;
    }
    return rrs_string_list_set(list, items, n_items);
}

static struct rrs_error *read_fields(const struct rrs_transaction *transaction,
                                     struct rrs_metadata *metadata)
{
    struct rrs_bytes body;
    metadata->format_version = RRS_TRACE_FORMAT_VERSION; /* others do not open */
    RRS_TRY(get(transaction, start_key, &body));
    if (body.size_bytes != 8)
        return damaged(transaction, start_key, "its size is wrong");
    metadata->start_wall_ns = rrs_load_le64(body.data);
#define X(name, text) RRS_TRY(get_string(transaction, #name, &metadata->name));
    RRS_METADATA_STRINGS(X)
#undef X
#define X(name, text) RRS_TRY(get_list(transaction, #name, &metadata->name));
    RRS_METADATA_LISTS(X)
#undef X
    return NULL;
}

struct rrs_error *rrs_metadata_read(const struct rrs_transaction *transaction,
                                    struct rrs_metadata *metadata)
{
    struct rrs_metadata read;
    rrs_metadata_init(&read);
    struct rrs_error *error = read_fields(transaction, &read);
    if (error)
        rrs_metadata_deinit(&read);
    else
        *metadata = read;
    return error;
}

struct rrs_error *rrs_trace_end_write(const struct rrs_transaction *transaction,
                                      const struct rrs_trace_end *end)
{
    uint8_t body[END_DETAIL + RRS_TRACE_END_DETAIL_BYTES];
    size_t detail_bytes = strnlen(end->detail, RRS_TRACE_END_DETAIL_BYTES - 1);
    rrs_store_le32(body + END_KIND, (uint32_t)end->end_kind);
    rrs_store_le32(body + END_CODE, (uint32_t)end->code);
    rrs_store_le64(body + END_WALL, end->wall_ns);
    memcpy(body + END_DETAIL, end->detail, detail_bytes);
    return put(transaction, end_key, body, END_DETAIL + detail_bytes);
}

struct rrs_error *rrs_trace_end_read(const struct rrs_transaction *transaction,
                                     struct rrs_trace_end *end, bool *found)
{
    struct rrs_bytes body;
    RRS_TRY(
        rrs_record_find(transaction, RRS_DATABASE_META, end_key, strlen(end_key), &body, found));
    if (!*found)
        return NULL;
    if (body.size_bytes < END_MIN_BYTES ||
        body.size_bytes - END_DETAIL >= RRS_TRACE_END_DETAIL_BYTES)
        return damaged(transaction, end_key, "its size is wrong");
    uint32_t end_kind = rrs_load_le32(body.data + END_KIND);
    if (end_kind > RRS_TRACE_END_FAILED)
        return damaged(transaction, end_key, "it is of an unknown kind");
    *end = (struct rrs_trace_end){
        .end_kind = (enum rrs_trace_end_kind)end_kind,
        .code = (int32_t)rrs_load_le32(body.data + END_CODE),
        .wall_ns = rrs_load_le64(body.data + END_WALL),
    };
    memcpy(end->detail, body.data + END_DETAIL, body.size_bytes - END_DETAIL);
    return NULL;
}

/* Extra records are told from fields by a ':' in front. */
static size_t make_extra_key(const char *name, char key[RRS_EXTRA_NAME_MAX_BYTES + 2])
{
    return (size_t)snprintf(key, RRS_EXTRA_NAME_MAX_BYTES + 2, ":%.*s", RRS_EXTRA_NAME_MAX_BYTES,
                            name);
}

struct rrs_error *rrs_extra_write(const struct rrs_transaction *transaction, const char *name,
                                  const void *data, size_t size_bytes)
{
    char key[RRS_EXTRA_NAME_MAX_BYTES + 2];
    size_t key_bytes = make_extra_key(name, key);
    return rrs_record_put(transaction, RRS_DATABASE_META, key, key_bytes, data, size_bytes);
}

struct rrs_error *rrs_extra_read(const struct rrs_transaction *transaction, const char *name,
                                 struct rrs_bytes *data)
{
    char key[RRS_EXTRA_NAME_MAX_BYTES + 2];
    bool found = false;
    size_t key_bytes = make_extra_key(name, key);
    if (strlen(name) <= RRS_EXTRA_NAME_MAX_BYTES)
        RRS_TRY(rrs_record_find(transaction, RRS_DATABASE_META, key, key_bytes, data, &found));
    if (found)
        return NULL;
    return rrs_error_with_key(rrs_error_path(RRS_ERROR_NOT_FOUND,
                                             rrs_environment_data_path(transaction->environment),
                                             "the trace has no '%s'", name),
                              name);
}
