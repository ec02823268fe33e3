/* SPDX-License-Identifier: MIT */
/*
 * Stored checkpoints: what a live one holds as processes, as pages and a payload in the trace. The
 * layout of the payload is in docs/TRACE-FORMAT.md, "What a checkpoint holds".
 */
#ifndef RRS_ENGINE_REPLAY_STORED_H
#define RRS_ENGINE_REPLAY_STORED_H

#include "engine/replay/replayer.h"
#include "lmdb-store/checkpoint.h"

/** Where the replayer stands, as a checkpoint's name. */
struct rrs_checkpoint_place rrs_stored_place(const struct rrs_replayer *replayer);

/**
 * Stores a checkpoint of where the replayer stands, which is at a position with an event to come,
 * under the name `place`. Waits until it is committed. Errors: EXISTS; OS; what made writing fail.
 */
RRS_MUST_CHECK struct rrs_error *rrs_stored_write(struct rrs_replayer *replayer,
                                                  struct rrs_trace_writer *writer,
                                                  const struct rrs_checkpoint_place *place);

/**
 * Puts the replayer where the checkpoint at `place` was made. After an error it stands nowhere, and
 * can only be put elsewhere. Errors: NOT_FOUND, BAD_TRACE, OS.
 */
RRS_MUST_CHECK struct rrs_error *rrs_stored_restore(struct rrs_replayer *replayer,
                                                    const struct rrs_checkpoint_place *place);

/* The number of the first "space" that is shared memory, not an address space. */
enum { RRS_STORED_SHARED = 1 << 30 };

/* The payload's first number: readers pass over checkpoints with another one. */
enum { RRS_STORED_VERSION = 1 };

#endif
