/* SPDX-License-Identifier: MIT */
#include "lmdb-store/reader_state.h"

#include "lmdb-store/metadata_format.h"
#include "lmdb-store/scope.h"

#include <string.h>

struct rrs_error *rrs_trace_reader_create(struct rrs_environment *environment,
                                          struct rrs_trace_reader **reader)
{
    _cleanup_free_ struct rrs_trace_reader *made = calloc(1, sizeof *made);
    if (!made)
        return rrs_error_no_memory();
    RRS_TRY(rrs_unpacker_create(&made->unpacker));
    struct rrs_error *error = rrs_environment_begin_read(environment, &made->transaction.txn);
    if (error) {
        rrs_unpacker_destroy(made->unpacker);
        return error;
    }
    made->transaction.environment = rrs_environment_ref(environment);
    *reader = rrs_steal_pointer(&made);
    return NULL;
}

struct rrs_error *rrs_trace_reader_open(const char *path, struct rrs_trace_reader **reader)
{
    struct rrs_environment *environment;
    RRS_TRY(rrs_environment_open(path, false, &environment));
    struct rrs_error *error = rrs_trace_reader_create(environment, reader);
    rrs_environment_unref(environment);
    return error;
}

struct rrs_error *rrs_trace_reader_share(struct rrs_trace_reader *reader,
                                         struct rrs_trace_reader **other)
{
    return rrs_trace_reader_create(reader->transaction.environment, other);
}

static bool is_own_process(const struct rrs_environment *environment)
{
    struct rrs_error *error = rrs_environment_check_process(environment);
    rrs_error_destroy(error);
    return !error;
}

void rrs_trace_reader_destroy(struct rrs_trace_reader *reader)
{
    if (!reader)
        return;
    /* In a forked child, ending the transaction would free the parent's slot in the lock file. */
    if (is_own_process(reader->transaction.environment))
        mdb_txn_abort(reader->transaction.txn);
    rrs_unpacker_destroy(reader->unpacker);
    rrs_environment_unref(reader->transaction.environment);
    free(reader);
}

struct rrs_error *rrs_trace_reader_refresh(struct rrs_trace_reader *reader)
{
    const struct rrs_environment *environment = reader->transaction.environment;
    RRS_TRY(rrs_environment_check_process(environment));
    reader->generation++;
    mdb_txn_reset(reader->transaction.txn);
    int code = mdb_txn_renew(reader->transaction.txn);
    if (code)
        return rrs_lmdb_error(code, rrs_environment_data_path(environment),
                              "cannot read the newest state");
    return NULL;
}

const char *rrs_trace_reader_path(const struct rrs_trace_reader *reader)
{
    return rrs_environment_path(reader->transaction.environment);
}

struct rrs_error *rrs_trace_reader_metadata(struct rrs_trace_reader *reader,
                                            struct rrs_metadata *metadata)
{
    return rrs_metadata_read(&reader->transaction, metadata);
}

struct rrs_error *rrs_trace_reader_end(struct rrs_trace_reader *reader, struct rrs_trace_end *end)
{
    /* Asked for first: a writer that finishes in between has then not been seen as gone. */
    bool has_writer = rrs_environment_has_writer(reader->transaction.environment);
    struct rrs_trace_end read;
    bool found;
    RRS_TRY(rrs_trace_end_read(&reader->transaction, &read, &found));
    if (!found)
        read = (struct rrs_trace_end){.end_kind = has_writer ? RRS_TRACE_END_RECORDING
                                                             : RRS_TRACE_END_UNFINISHED};
    *end = read;
    return NULL;
}

struct rrs_error *rrs_trace_reader_extra(struct rrs_trace_reader *reader, const char *name,
                                         const void **data, size_t *size_bytes)
{
    struct rrs_bytes bytes;
    RRS_TRY(rrs_extra_read(&reader->transaction, name, &bytes));
    *data = bytes.data;
    *size_bytes = bytes.size_bytes;
    return NULL;
}
