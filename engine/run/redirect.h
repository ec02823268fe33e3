/* SPDX-License-Identifier: MIT */
/*
 * A call that may sleep writes to scratch memory. What it wrote is copied to the program's memory
 * at its end, where the event is: no other task sees it sooner in the recording than in replay.
 *
 * Calls are left as they are where nobody else could look, where the program's memory would not
 * take all that may come (so EFAULT and partial results are the kernel's), and where the call is
 * larger than what scratch memory is free. A reader of a stream gets less at a time instead.
 */
#ifndef RRS_ENGINE_RUN_REDIRECT_H
#define RRS_ENGINE_RUN_REDIRECT_H

#include "engine/run/session.h"

/** The task stands at the stop of a call that others may run beside: replaces its arguments, also
 * in `regs`, if there is something to redirect. */
RRS_MUST_CHECK struct rrs_error *rrs_redirect_begin(struct rrs_session *session,
                                                    struct rrs_task *task,
                                                    struct user_regs_struct *regs);

/** Whether the call was not redirected, but cannot take long: it reads a file, into much memory. */
bool rrs_redirect_must_wait(const struct rrs_session *session, const struct rrs_task *task);

/** The arguments with which the task's call is made: task->call_regs but for what is redirected. */
struct user_regs_struct rrs_redirect_arguments(const struct rrs_task *task);

/**
 * The call ended with `result`: copies what it wrote, and gives `app` the program's arguments.
 * Nothing if it was not redirected.
 */
RRS_MUST_CHECK struct rrs_error *rrs_redirect_finish(struct rrs_session *session,
                                                     struct rrs_task *task, int64_t result,
                                                     struct user_regs_struct *app);

/** Forgets the redirection of a task whose call comes to no end. */
void rrs_redirect_drop(struct rrs_session *session, struct rrs_task *task);

/** The six registers that hold a call's arguments. */
void rrs_copy_arguments(struct user_regs_struct *to, const struct user_regs_struct *from);

#endif
