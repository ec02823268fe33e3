/* SPDX-License-Identifier: MIT */
/*
 * Which task runs next, and for how long. Usually they take turns in the order in which they came
 * into being. With chaos all of that is left to chance: the length of slices, who waits for long,
 * and who comes first of those that could run.
 */
#ifndef RRS_ENGINE_RUN_SCHEDULE_H
#define RRS_ENGINE_RUN_SCHEDULE_H

#include "engine/run/session.h"

/** Lets a task run, if one can: it is the runner then. Errors: those of resuming it. */
RRS_MUST_CHECK struct rrs_error *rrs_schedule(struct rrs_session *session);

/**
 * Takes what a system call costs from the runner's slice, or all of it for sched_yield(): a loop of
 * calls that waits for another task retires few ticks, but its stops take time. With chaos a slice
 * is of ticks only.
 */
void rrs_schedule_charge_call(struct rrs_session *session, int number);

/** Whether the slice is over and there are other tasks, although perhaps none that can run. */
bool rrs_schedule_is_due(const struct rrs_session *session);

/** Waits, if not for long, until every task that is in a call sleeps there or has come out. */
void rrs_schedule_await_sleep(const struct rrs_session *session);

#endif
