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

/** An error ends the visit. */
typedef struct rrs_error *rrs_other_memory_visitor(void *context, const struct rrs_task *target,
                                                   rrs_addr start, uint64_t bytes);

/** Visits the memory of a task that the call, which returned `result` bytes, has written to by
 * process_vm_writev or a /proc/PID/mem. */
RRS_MUST_CHECK struct rrs_error *rrs_other_memory_written(struct rrs_session *session,
                                                          struct rrs_task *task, uint64_t result,
                                                          rrs_other_memory_visitor *visit,
                                                          void *context);

/** The position of the task's descriptor; 0 if it has none. */
uint64_t rrs_file_position(const struct rrs_task *task, int fd);

/** Where in its file the task's write, of whatever kind, has written these `bytes`. */
uint64_t rrs_written_file_offset(const struct rrs_task *task, uint64_t bytes);

/** Whether somebody has the file open for writing. False if that cannot be found out. */
bool rrs_code_file_has_writer(const char *path);

#endif
