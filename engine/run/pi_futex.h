/* SPDX-License-Identifier: MIT */
/*
 * Futexes with priority inheritance. The kernel writes to the word of one when a task begins to
 * wait for it, not when the call ends: an observer is told of the call once that is done.
 */
#ifndef RRS_ENGINE_RUN_PI_FUTEX_H
#define RRS_ENGINE_RUN_PI_FUTEX_H

#include "engine/run/session.h"

/** The word that the task's call changes by waiting, or 0 if it is no such call. */
rrs_addr rrs_pi_futex_word(const struct rrs_task *task);

/** Waits until the task, which is in such a call, sleeps or has been reported. */
void rrs_pi_futex_await_sleep(struct rrs_session *session, struct rrs_task *task);

#endif
