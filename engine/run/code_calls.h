/* SPDX-License-Identifier: MIT */
/* What system calls do to code, beyond what the hooks of run/calls.c see: see code_calls.c. */
#ifndef RRS_ENGINE_RUN_CODE_CALLS_H
#define RRS_ENGINE_RUN_CODE_CALLS_H

#include "engine/run/session.h"

enum rrs_code_concern {
    RRS_CODE_BY_CLASS, /* the call's class says how often it stops */
    RRS_CODE_SPARED,   /* it has a hook, but cannot concern code: nobody need see its end */
    RRS_CODE_WATCHED,  /* it may change code: rrs_code_call_done() is to see its end */
};

/** What the call that the task stands at, with the entry registers `regs`, may do to code. */
enum rrs_code_concern rrs_code_concern(const struct rrs_session *session,
                                       const struct rrs_task *task,
                                       const struct user_regs_struct *regs);

/** A watched call returned `*result` (-errno included), which may be corrected. */
RRS_MUST_CHECK struct rrs_error *rrs_code_call_done(struct rrs_session *session,
                                                    struct rrs_task *task, uint64_t *result);

/** Whether somebody has the file open for writing. False if that cannot be found out. */
bool rrs_code_file_has_writer(const char *path);

#endif
