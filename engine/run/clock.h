/* SPDX-License-Identifier: MIT */
/*
 * The clock: how many tick instructions have retired, and when the runner has to stop.
 *
 * Sites count down in one of several cells, dealt out to them in turn when they are translated,
 * because one cell would bind each site to the one before by the latency of a store and a load
 * (docs/INTERNALS.md has figures). A budget of N ticks is spread over the cells, so a site that
 * fires says that at most N have retired, and the rest can be spread anew: the sum is exact at
 * every stop, and N is reached exactly after a few of them.
 */
#ifndef RRS_ENGINE_RUN_CLOCK_H
#define RRS_ENGINE_RUN_CLOCK_H

#include "engine/runtime/layout.h"

#include <stdbool.h>

struct rrs_clock {
    struct rrs_session_page *page;
    int64_t armed[RRS_TICK_CELLS]; /* what each cell was last set to */
    uint64_t use[RRS_TICK_CELLS];  /* how much each counted lately: how budgets are spread */
    bool written;                  /* the program wrote to the cells: nothing can be relied on */
    uint64_t ticks;                /* T: retired in the session, as of the last settling */
};

/** Lets sites count `budget` ticks down. No task may run. */
void rrs_clock_arm(struct rrs_clock *clock, uint64_t budget);

/**
 * Adds what has retired since the last arming or settling to `ticks`; returns it. With
 * `tick_pending`, one of the reserved ticks is given back.
 */
int64_t rrs_clock_settle(struct rrs_clock *clock, bool tick_pending);

/** Makes the next site fire. No task may run. */
void rrs_clock_expire(struct rrs_clock *clock);

/** Whether no tick has been counted since the last arming or settling. */
bool rrs_clock_stands_still(const struct rrs_clock *clock);

#endif
