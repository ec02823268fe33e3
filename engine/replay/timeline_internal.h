/* SPDX-License-Identifier: MIT */
/* Between the files that make up the timeline. */
#ifndef RRS_ENGINE_REPLAY_TIMELINE_INTERNAL_H
#define RRS_ENGINE_REPLAY_TIMELINE_INTERNAL_H

#include "engine/replay/checkpoint.h"
#include "engine/replay/replayer.h"
#include "engine/replay/timeline.h"
#include "lmdb-store/checkpoint.h"

#include <signal.h>

struct rrs_breakpoint {
    rrs_addr pc;
    rrs_accept_fn accept;
    void *context;
};

struct rrs_watchpoint {
    rrs_addr address;
    uint64_t bytes;
    enum rrs_watch_kind watch_kind;
    uint8_t *before; /* what the range held when it was last looked at */
    uint64_t before_bytes;
};

enum { RRS_RUNGS_MAX = 12 };

/* Where the last steps of a task began, in order: where steps backward lead. */
struct rrs_walk {
    pid_t tid; /* 0: of any task */
    struct rrs_position *positions;
    size_t count, room;
};

struct rrs_timeline {
    struct rrs_trace_reader *reader;
    struct rrs_replayer *replayer;
    struct rrs_trace_files *files; /* that were mapped; NULL: not looked for yet */
    struct rrs_timeline_options options;
    volatile sig_atomic_t interrupted;
    bool lost; /* the replayer stands at no position: it was stopped in the middle of something */

    struct rrs_live_checkpoint **checkpoints; /* ascending; the first is the beginning */
    size_t checkpoint_count;
    struct rrs_checkpoint_info *stored; /* in the trace; ascending */
    size_t stored_count;
    struct rrs_live_checkpoint *near; /* close in front of where the user steps; or NULL */
    /* Further in front of there, each some times as far as the next one; ascending. */
    struct rrs_live_checkpoint *rungs[RRS_RUNGS_MAX];
    size_t rung_count;
    struct rrs_walk walk;
    uint64_t checkpoint_spacing_ns; /* of the host's time */
    uint64_t last_checkpoint_ns;
    uint64_t last_progress_ns;

    struct rrs_breakpoint *breakpoints; /* ascending by PC */
    size_t breakpoint_count;
    rrs_addr *breaks; /* the same PCs, for the session */
    struct rrs_watchpoint *watchpoints;
    size_t watchpoint_count;
    const struct rrs_replay_space *watched; /* whose memory `before` is */
    uint64_t caught_kinds;
    bool (*accept_event)(void *context, struct rrs_timeline *timeline, uint64_t event);
    void *accept_event_context;

    struct rrs_live_checkpoint *trial; /* where it began; NULL: none */
};

/* --- travel.c --- */

enum { RRS_ANY_PC = 0 };

/** A new stop, for a reason. */
struct rrs_stop rrs_timeline_stop(const struct rrs_timeline *timeline, enum rrs_stop_reason reason);

/**
 * Goes exactly to `position`, from the nearest place that is known. INTERRUPTED, or REACHED in
 * `*stop`.
 */
RRS_MUST_CHECK struct rrs_error *rrs_travel_to(struct rrs_timeline *timeline,
                                               const struct rrs_position *position,
                                               struct rrs_stop *stop);

/** Goes to the first place with that tick at or behind event number `event`. */
RRS_MUST_CHECK struct rrs_error *rrs_travel_to_tick(struct rrs_timeline *timeline, uint64_t event,
                                                    uint64_t tick, struct rrs_stop *stop);

/** The event that comes next when the tick is first reached; UINT64_MAX behind the end. */
RRS_MUST_CHECK struct rrs_error *rrs_event_at_tick(struct rrs_timeline *timeline, uint64_t tick,
                                                   uint64_t *event);

/** The last checkpoint in front of `position`, or the beginning; its index. */
size_t rrs_checkpoint_before(const struct rrs_timeline *timeline,
                             const struct rrs_position *position);
RRS_MUST_CHECK struct rrs_error *rrs_timeline_restore(struct rrs_timeline *timeline,
                                                      const struct rrs_live_checkpoint *checkpoint);

/** Makes a checkpoint here. */
RRS_MUST_CHECK struct rrs_error *rrs_timeline_add_checkpoint(struct rrs_timeline *timeline);

/** Finds out which checkpoints the trace holds. Error: BAD_TRACE. */
RRS_MUST_CHECK struct rrs_error *rrs_timeline_list_stored(struct rrs_timeline *timeline);

/**
 * If a stored checkpoint lies nearer in front of `position` than any live one (`or_here`: or the
 * place where the replayer stands), goes there and makes it a live one.
 */
RRS_MUST_CHECK struct rrs_error *rrs_timeline_load_stored(struct rrs_timeline *timeline,
                                                          const struct rrs_position *position,
                                                          bool or_here);

/** Makes a checkpoint here if the last one is long ago. The replayer stands at a position. */
RRS_MUST_CHECK struct rrs_error *rrs_timeline_maybe_checkpoint(struct rrs_timeline *timeline);

/** Replaces the checkpoint close to where the user steps by one of here. */
RRS_MUST_CHECK struct rrs_error *rrs_timeline_checkpoint_near(struct rrs_timeline *timeline);

/** The last checkpoint or rung in front of a position; the first checkpoint if there is none. */
const struct rrs_live_checkpoint *rrs_known_before(const struct rrs_timeline *timeline,
                                                   const struct rrs_position *position);

/**
 * Makes checkpoints in front of `tick`, the closer to it the more of them, so that one step
 * backward after the other costs little from there on. It leads to somewhere in front of `tick`.
 */
RRS_MUST_CHECK struct rrs_error *rrs_timeline_lay_rungs(struct rrs_timeline *timeline,
                                                        uint64_t tick);

/** Tells of progress, and whether the movement is to end. */
bool rrs_timeline_is_interrupted(struct rrs_timeline *timeline);

/* --- trial.c: the movements while a trial is under way --- */

RRS_MUST_CHECK struct rrs_error *rrs_trial_run(struct rrs_timeline *timeline,
                                               struct rrs_stop *stop);
RRS_MUST_CHECK struct rrs_error *rrs_trial_step(struct rrs_timeline *timeline,
                                                struct rrs_stop *stop);

/* --- stops.c --- */

/** Makes shadow code stop at the breakpoints, or (not `on`) at none. */
void rrs_breaks_enable(struct rrs_timeline *timeline, bool on);

/** The breakpoint at `pc`, or NULL. */
const struct rrs_breakpoint *rrs_breakpoint_at(const struct rrs_timeline *timeline, rrs_addr pc);

/** Looks at the watched memory as the actor sees it: what it holds now counts as known. */
void rrs_watches_look(struct rrs_timeline *timeline);

/** The same, if what was looked at last is another task's memory. */
void rrs_watches_follow_actor(struct rrs_timeline *timeline);

/** The first watchpoint whose bytes are not those known, or NULL. They are known then. */
const struct rrs_watchpoint *rrs_watches_changed(struct rrs_timeline *timeline);

/** Whether any watchpoint is for more than changes. */
bool rrs_watches_reads(const struct rrs_timeline *timeline);

/**
 * The first watchpoint for reads, or for accesses, that the actor's next instruction does what it
 * watches for; or NULL. No event is due that happens instead.
 */
const struct rrs_watchpoint *rrs_watches_accessed(struct rrs_timeline *timeline);

/** Lets the CPU trap accesses to watched memory. False: not all of it can be. */
bool rrs_watches_arm(struct rrs_timeline *timeline, bool on);

#endif
