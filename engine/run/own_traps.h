/* SPDX-License-Identifier: MIT */
/*
 * Traps of the engine's making leave no mark. A write to a guarded page is a SIGSEGV for the
 * kernel, which unblocks it, resets its disposition if it was blocked or ignored, and remembers the
 * fault for all frames to come (Linux v6.1 kernel/signal.c force_sig_info_to_task(),
 * arch/x86/mm/fault.c set_signal_archinfo()).
 */
#ifndef RRS_ENGINE_RUN_OWN_TRAPS_H
#define RRS_ENGINE_RUN_OWN_TRAPS_H

#include "engine/run/state.h"

/** Before the task runs where a guard may be met: remembers which signals it blocks. */
RRS_MUST_CHECK struct rrs_error *rrs_own_traps_expect(struct rrs_task *task);

/** The task is at the signal's stop of a guard fault: makes it undone. May inject a call. */
RRS_MUST_CHECK struct rrs_error *rrs_own_traps_undo(struct rrs_session *session,
                                                    struct rrs_task *task);

/**
 * The kernel has just built a signal frame, at `stack`: gives it the trap number, the error code
 * and the fault address of the program's own last fault. `raised`: the frame is of such a fault.
 */
RRS_MUST_CHECK struct rrs_error *rrs_own_traps_correct_frame(struct rrs_task *task, rrs_addr stack,
                                                             bool raised);

/** The engine raises `signal` for an instruction that the CPU itself would not have let pass. */
void rrs_own_traps_raise(struct rrs_task *task, int signal);

#endif
