/* SPDX-License-Identifier: MIT */
/*
 * System calls that a signal cut short although nobody handles it. Natively such a signal is
 * dropped when it is sent; a traced task is woken by it (Linux v6.1 kernel/signal.c sig_ignored()).
 * Where the kernel does not make the call again by itself, it is made again here, with the time or
 * the bytes that are left. Calls that never end early by a signal, or are restarted, need nothing.
 *
 * A limit that is the socket's (SO_RCVTIMEO, SO_SNDTIMEO) begins anew.
 */
#ifndef RRS_ENGINE_RUN_CUT_CALLS_H
#define RRS_ENGINE_RUN_CUT_CALLS_H

#include "engine/run/state.h"

/** The program makes a call: task->call and call_regs are set. */
void rrs_cut_call_begin(struct rrs_task *task);

/**
 * The call has ended with regs->rax. If it was cut short, the task is put in front of the call
 * again, with other arguments, and `*again` is true. `ignored_here`: the task stands at the stop of
 * a signal that is ignored.
 */
RRS_MUST_CHECK struct rrs_error *rrs_cut_call_again(struct rrs_session *session,
                                                    struct rrs_task *task,
                                                    struct user_regs_struct *regs,
                                                    bool ignored_here, bool *again);

/** Gives `app`, the state behind the call, its own arguments and the whole result. */
void rrs_cut_call_finish(const struct rrs_task *task, struct user_regs_struct *app);

#endif
