/* SPDX-License-Identifier: MIT */
/* Replays a whole recording once and stores checkpoints on the way. */
#ifndef RRS_ENGINE_REPLAY_INDEX_H
#define RRS_ENGINE_REPLAY_INDEX_H

#include "engine/replay/replayer.h"
#include "lmdb-store/trace_writer.h"

struct rrs_index_options {
    uint64_t every_ticks; /* 0: by time */
    uint64_t every_ns;    /* of the replay's time, if every_ticks is 0 */
    /* Asked many times a second; false: it is to end here. */
    bool (*goes_on)(void *context, uint64_t tick, uint64_t last_tick);
    void (*warn)(void *context, const char *message);
    void *context;
};

struct rrs_index_result {
    uint64_t made, found; /* checkpoints; those that were there before */
    bool interrupted;     /* `goes_on` said no: what is made stays, and is built upon next time */
};

/**
 * Stores checkpoints in the trace that `writer` has open. Checkpoints that are there count: by
 * ticks, gaps between them are filled; by time, it goes on behind the last one. Each is committed
 * as it is made. `reader` comes from rrs_trace_writer_reader(). Errors: those of a replay, and of
 * writing.
 */
RRS_MUST_CHECK struct rrs_error *rrs_index(struct rrs_trace_reader *reader,
                                           struct rrs_trace_writer *writer,
                                           const struct rrs_index_options *options,
                                           struct rrs_index_result *result);

#endif
