/* SPDX-License-Identifier: MIT */
/*
 * The thorough check of a whole trace: every frame, blob, page and checkpoint is read and decoded.
 *
 * Opening a trace has already checked its page tree; this is about what the tree holds. It is what
 * `rrsoft check` runs.
 */
#ifndef RRS_LMDB_STORE_TRACE_CHECK_H
#define RRS_LMDB_STORE_TRACE_CHECK_H

#include "lmdb-store/error.h"
#include "lmdb-store/trace_reader.h"

#include <stdint.h>

struct rrs_trace_check_report {
    uint64_t n_frames;
    uint64_t n_events;
    uint64_t n_blobs;
    uint64_t blob_bytes; /* sum of the blobs' sizes */
    uint64_t n_chunks;   /* blob parts, pages and map parts, each content once */
    uint64_t n_checkpoints;
    uint64_t n_pages; /* sum over the checkpoints' page sets */
    uint64_t n_damages;
};

/**
 * Reads all of the trace. Each damage found is given to `damage` (NULL: not wanted), which keeps no
 * pointer to it, and the check goes on behind it. `report` is filled even then. Errors: NO_MEMORY,
 * OS: the check itself could not go on; a damaged trace is none.
 */
RRS_MUST_CHECK struct rrs_error *rrs_trace_check(
    struct rrs_trace_reader *reader, void (*damage)(void *context, const struct rrs_error *error),
    void *context, struct rrs_trace_check_report *report);

#endif
