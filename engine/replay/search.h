/* SPDX-License-Identifier: MIT */
/* Between the files that search: search.c runs forward through a stretch, backward.c chooses
 * stretches. */
#ifndef RRS_ENGINE_REPLAY_SEARCH_H
#define RRS_ENGINE_REPLAY_SEARCH_H

#include "engine/replay/timeline_internal.h"

/* A stretch is given up after so many stops: what is left of it may be searched in a better order.
 */
enum { RRS_SEARCH_STOPS = 48 };

struct rrs_search {
    struct rrs_timeline *timeline;
    const struct rrs_position *limit; /* hits from here on do not count; NULL: no limit */
    bool last_wanted;                 /* the last hit, not the first */
    bool unlimited;                   /* RRS_SEARCH_STOPS is no limit */
    uint32_t stops;                   /* hits that were looked at, true or not */
    bool found;
    struct rrs_position at; /* of the hit: where to stand, going backward */
    struct rrs_stop stop;
    bool done;
    /* Where writes were trapped, behind the hit above: each somewhere from there on. */
    struct rrs_position trapped[RRS_SEARCH_STOPS];
    uint32_t trapped_count;
    struct rrs_position run_from; /* where the run under way began */
};

/** Whether the place where the replay stands is a hit: notes it. */
void rrs_search_look_at_place(struct rrs_search *s);

/** One instruction, or the next event; what it changes may be a hit. */
RRS_MUST_CHECK struct rrs_error *rrs_search_step(struct rrs_search *s);

/** At full speed, to the next place where anything has to be looked at. */
RRS_MUST_CHECK struct rrs_error *rrs_search_run(struct rrs_search *s);

/**
 * From here to the limit, to the hit (if the first is wanted), or until rrs_search_gives_up(). An
 * interruption is `done` with its reason in `stop`.
 */
RRS_MUST_CHECK struct rrs_error *rrs_search_forward(struct rrs_search *s);

/** Whether there were too many stops on the way. */
bool rrs_search_gives_up(const struct rrs_search *s);

/** Whether the replay stands at the limit, or behind it. */
bool rrs_search_at_limit(const struct rrs_search *s);

/** Makes hits of the trapped writes that are some: those that come last first, until there is one.
 */
RRS_MUST_CHECK struct rrs_error *rrs_search_settle_traps(struct rrs_search *s);

/** Runs backward to the last hit in front of here, or to the beginning. */
RRS_MUST_CHECK struct rrs_error *rrs_run_backward(struct rrs_timeline *timeline,
                                                  struct rrs_stop *stop);

#endif
