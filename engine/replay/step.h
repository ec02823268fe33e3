/* SPDX-License-Identifier: MIT */
/* Between two events: whose turn it is, whether the next event is due, and single instructions. */
#ifndef RRS_ENGINE_REPLAY_STEP_H
#define RRS_ENGINE_REPLAY_STEP_H

#include "engine/replay/replayer.h"
#include "engine/replay/timeline.h"

/** The task that runs until the next event, or that is in its call then; NULL at the end, and
 * before the first program. */
struct rrs_replay_task *rrs_replay_actor(const struct rrs_replayer *replayer);

/** Whether nothing runs any more before the next event happens. */
bool rrs_replay_event_is_due(const struct rrs_replayer *replayer);

/** Where the replay stands. */
struct rrs_position rrs_replay_position(const struct rrs_replayer *replayer);

/** Whether the next event, when it happens, is what an instruction of its task does: a system call
 * or an instruction that the trace answers. */
bool rrs_replay_event_is_insn(const struct rrs_replayer *replayer);

/**
 * Executes one instruction of the actor; no event is due. A rep instruction is one. Errors:
 * DIVERGED, OS.
 */
RRS_MUST_CHECK struct rrs_error *rrs_replay_step_insn(struct rrs_replayer *replayer);

/** One instruction, or the next event if it is due. */
RRS_MUST_CHECK struct rrs_error *rrs_replay_step_any(struct rrs_replayer *replayer);

/**
 * Lets the actor run to the next event, a break, or until `tick` has been reached; no event is due.
 */
RRS_MUST_CHECK struct rrs_error *rrs_replay_run_towards_event(struct rrs_replayer *replayer,
                                                              uint64_t tick);

/**
 * Lets the actor run towards the first place with `tick`, which lies ahead: right behind the
 * instruction that makes it. A stop on the way: as above.
 */
RRS_MUST_CHECK struct rrs_error *rrs_replay_run_towards_tick(struct rrs_replayer *replayer,
                                                             uint64_t tick);

#endif
