/* SPDX-License-Identifier: MIT */
/* What an open reader is, for the files that read through it. Internal to lmdb-store. */
#ifndef RRS_LMDB_STORE_READER_STATE_H
#define RRS_LMDB_STORE_READER_STATE_H

#include "lmdb-store/chunk.h"
#include "lmdb-store/record.h"
#include "lmdb-store/trace_reader.h"

#include <stdint.h>

struct rrs_trace_reader {
    struct rrs_transaction transaction;
    struct rrs_unpacker *unpacker;
    uint64_t generation; /* rises with each refresh */
};

/** Makes a reader of `environment`, of which it becomes a user on success. */
RRS_MUST_CHECK struct rrs_error *rrs_trace_reader_create(struct rrs_environment *environment,
                                                         struct rrs_trace_reader **reader);

#endif
