/* SPDX-License-Identifier: MIT */
/* How metadata stands in the trace. Internal to lmdb-store. */
#ifndef RRS_LMDB_STORE_METADATA_FORMAT_H
#define RRS_LMDB_STORE_METADATA_FORMAT_H

#include "lmdb-store/error.h"
#include "lmdb-store/metadata.h"
#include "lmdb-store/record.h"

#include <stdbool.h>

enum { RRS_EXTRA_NAME_MAX_BYTES = 200, RRS_EXTRA_MAX_BYTES = 16 << 20 };

/** Errors: BAD_TRACE if this is no trace of rrsoft; OLD_TRACE if it is of another version. */
RRS_MUST_CHECK struct rrs_error *rrs_metadata_check_version(
    const struct rrs_transaction *transaction);

/** Writes the format version and all fields of `metadata`. */
RRS_MUST_CHECK struct rrs_error *rrs_metadata_write(const struct rrs_transaction *transaction,
                                                    const struct rrs_metadata *metadata);

/** Reads all fields into `metadata`, which the caller ends with rrs_metadata_deinit(). */
RRS_MUST_CHECK struct rrs_error *rrs_metadata_read(const struct rrs_transaction *transaction,
                                                   struct rrs_metadata *metadata);

RRS_MUST_CHECK struct rrs_error *rrs_trace_end_write(const struct rrs_transaction *transaction,
                                                     const struct rrs_trace_end *end);

/** `*found` is false if the trace says nothing of its end. */
RRS_MUST_CHECK struct rrs_error *rrs_trace_end_read(const struct rrs_transaction *transaction,
                                                    struct rrs_trace_end *end, bool *found);

RRS_MUST_CHECK struct rrs_error *rrs_extra_write(const struct rrs_transaction *transaction,
                                                 const char *name, const void *data,
                                                 size_t size_bytes);
RRS_MUST_CHECK struct rrs_error *rrs_extra_read(const struct rrs_transaction *transaction,
                                                const char *name, struct rrs_bytes *data);

#endif
