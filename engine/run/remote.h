/* SPDX-License-Identifier: MIT */
/*
 * System calls that the engine makes in a stopped task. The task's registers are lost by them:
 * whoever resumes it sets all of them. Asynchronous signals that arrive meanwhile are held.
 */
#ifndef RRS_ENGINE_RUN_REMOTE_H
#define RRS_ENGINE_RUN_REMOTE_H

#include "engine/run/session.h"

/** Makes one call; `*result` is what the kernel returned, -errno included. */
RRS_MUST_CHECK struct rrs_error *rrs_remote_call(struct rrs_session *session, struct rrs_task *task,
                                                 long number, const uint64_t arguments[6],
                                                 int64_t *result);

/** The same; a result of -errno is an error that says `what`. */
RRS_MUST_CHECK struct rrs_error *rrs_remote_call_ok(struct rrs_session *session,
                                                    struct rrs_task *task, const char *what,
                                                    long number, const uint64_t arguments[6],
                                                    int64_t *result);

/**
 * Keeps a wait status for the session's loop. A later one of the same task is its end, and all that
 * counts.
 */
void rrs_task_keep_report(struct rrs_session *session, pid_t tid, int status);

/**
 * Waits for the next stop of this one task. If the task ended instead: RRS_ERROR_TRACEE_GONE, with
 * task->dead and task->dead_status set.
 */
RRS_MUST_CHECK struct rrs_error *rrs_task_wait(struct rrs_task *task, int *status);

/** Resumes the task and waits until it is at a seccomp stop, or `*status` shows something else. */
RRS_MUST_CHECK struct rrs_error *rrs_task_run_to_stop(struct rrs_session *session,
                                                      struct rrs_task *task, int request,
                                                      int *status);

/* Wait statuses in words. */
static inline int rrs_status_event(int status)
{
    return status >> 16;
}

enum { RRS_STATUS_SYSCALL_STOP = 0x80 | 5 }; /* WSTOPSIG under PTRACE_O_TRACESYSGOOD */

#define RRS_ARGUMENTS(...) ((const uint64_t[6]){__VA_ARGS__})

#endif
