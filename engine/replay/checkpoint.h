/* SPDX-License-Identifier: MIT */
/*
 * Live checkpoints: the hosts forked, and memory that they share with each other copied. A
 * checkpoint never runs; what goes on from it is a copy of it.
 */
#ifndef RRS_ENGINE_REPLAY_CHECKPOINT_H
#define RRS_ENGINE_REPLAY_CHECKPOINT_H

#include "engine/replay/replayer.h"
#include "engine/replay/timeline.h"

struct rrs_live_checkpoint {
    struct rrs_position position;
    struct rrs_replay_task *tasks;
    struct rrs_contents shared; /* this checkpoint's copies */
    pid_t current;
    int exit_status;
    bool stopped;
    struct rrs_run_stop stop;
};

/** Makes a checkpoint of where the replayer stands. Error: OS. */
RRS_MUST_CHECK struct rrs_error *rrs_live_checkpoint_create(
    struct rrs_replayer *replayer, struct rrs_live_checkpoint **checkpoint);
void rrs_live_checkpoint_destroy(struct rrs_replayer *replayer,
                                 struct rrs_live_checkpoint *checkpoint);

/** Puts the replayer where the checkpoint was made. The checkpoint stays. Errors: OS, BAD_TRACE. */
RRS_MUST_CHECK struct rrs_error *rrs_live_checkpoint_restore(
    struct rrs_replayer *replayer, const struct rrs_live_checkpoint *checkpoint);

#endif
