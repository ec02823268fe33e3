/* SPDX-License-Identifier: MIT */
#ifndef RRS_ENGINE_REPLAY_TRACE_FILE_H
#define RRS_ENGINE_REPLAY_TRACE_FILE_H

#include "lmdb-store/event_log_reader.h"
#include "lmdb-store/trace_reader.h"

/**
 * A file that was mapped at any time of the recording, by the path that it had: opens an unnamed
 * file of the host with what of it is in the trace (what was never mapped reads as zeros). The
 * caller closes `*fd`. Errors: NOT_FOUND, OS, BAD_TRACE.
 */
RRS_MUST_CHECK struct rrs_error *rrs_trace_open_file(struct rrs_trace_reader *reader,
                                                     struct rrs_event_log *log, const char *path,
                                                     int *fd);

#endif
