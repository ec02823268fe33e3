/* SPDX-License-Identifier: MIT */
/* The flags of calls that make tasks; and that no task escapes by one of them. */
#ifndef RRS_ENGINE_RUN_CLONE_FLAGS_H
#define RRS_ENGINE_RUN_CLONE_FLAGS_H

#include "engine/run/session.h"

/** The CLONE_ flags that `creator`, in a call, has asked for. Errors: OS, if they can't be read. */
RRS_MUST_CHECK struct rrs_error *rrs_clone_flags(const struct rrs_task *creator, uint64_t *flags);

/**
 * The task enters its call: CLONE_UNTRACED is taken out of what the kernel gets to see, since a
 * child that has our filter but not us could make no system call. Then `task->arguments_replaced`.
 */
void rrs_clone_keep_traced(struct rrs_session *session, struct rrs_task *task,
                           struct user_regs_struct *regs);

#endif
