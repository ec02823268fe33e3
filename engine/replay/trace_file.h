/* SPDX-License-Identifier: MIT */
#ifndef RRS_ENGINE_REPLAY_TRACE_FILE_H
#define RRS_ENGINE_REPLAY_TRACE_FILE_H

#include "lmdb-store/event_log_reader.h"
#include "lmdb-store/trace_reader.h"

/* Which files were mapped in a recording, and where the trace has their contents. */
struct rrs_trace_files;

/** Frees the index. NULL is fine. */
void rrs_trace_files_destroy(struct rrs_trace_files *files);

/**
 * A file that was mapped at any time of the recording, by the path that it had: opens an unnamed
 * file of the host with what of it is in the trace (what was never mapped reads as zeros). If it
 * had several contents in turn, the one that was mapped last before event `at` counts. The caller
 * closes `*fd`. The first call reads all events and makes `*files`, which the caller destroys.
 * Errors: NOT_FOUND, OS, BAD_TRACE.
 */
RRS_MUST_CHECK struct rrs_error *rrs_trace_open_file(struct rrs_trace_reader *reader,
                                                     struct rrs_event_log *log,
                                                     struct rrs_trace_files **files,
                                                     const char *path, uint64_t at, int *fd);

#endif
