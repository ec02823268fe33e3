/* SPDX-License-Identifier: MIT */
/*
 * ptrace(2) requests as functions that return errors, and reading and writing a stopped tracee.
 *
 * A tracee can die under any request (SIGKILL): that is RRS_ERROR_TRACEE_GONE here, and its wait
 * status is still to come.
 */
#ifndef RRS_ENGINE_TRACEE_PTRACE_H
#define RRS_ENGINE_TRACEE_PTRACE_H

#include "lmdb-store/error.h"

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/user.h>

/* An address in a tracee. Never a pointer of ours. */
typedef uint64_t rrs_addr;

RRS_MUST_CHECK struct rrs_error *rrs_ptrace_seize(pid_t tid, unsigned long options);
RRS_MUST_CHECK struct rrs_error *rrs_ptrace_get_regs(pid_t tid, struct user_regs_struct *regs);
RRS_MUST_CHECK struct rrs_error *rrs_ptrace_set_regs(pid_t tid,
                                                     const struct user_regs_struct *regs);
RRS_MUST_CHECK struct rrs_error *rrs_ptrace_get_siginfo(pid_t tid, siginfo_t *info);
RRS_MUST_CHECK struct rrs_error *rrs_ptrace_set_siginfo(pid_t tid, const siginfo_t *info);
RRS_MUST_CHECK struct rrs_error *rrs_ptrace_get_sigmask(pid_t tid, uint64_t *mask);
RRS_MUST_CHECK struct rrs_error *rrs_ptrace_set_sigmask(pid_t tid, uint64_t mask);
RRS_MUST_CHECK struct rrs_error *rrs_ptrace_event_message(pid_t tid, unsigned long *message);

/**
 * The XSAVE image in the standard form (SDM vol. 1 §13.4). RRS_XSTATE_MAX_BYTES are room enough for
 * any CPU so far.
 */
enum { RRS_XSTATE_MAX_BYTES = 16384 };
/** At a seccomp stop: the system call is not made, whatever else happens. */
RRS_MUST_CHECK struct rrs_error *rrs_ptrace_skip_call(pid_t tid);
RRS_MUST_CHECK struct rrs_error *rrs_ptrace_get_xstate(pid_t tid, void *image, size_t room,
                                                       size_t *bytes);
RRS_MUST_CHECK struct rrs_error *rrs_ptrace_set_xstate(pid_t tid, const void *image, size_t bytes);

/** Resumes with PTRACE_CONT, PTRACE_SYSCALL, PTRACE_SINGLESTEP or PTRACE_LISTEN. */
RRS_MUST_CHECK struct rrs_error *rrs_ptrace_resume(pid_t tid, int request, int signal);

/** Whether a task that was stopped is so no more: SIGKILL has ended it. */
bool rrs_ptrace_is_gone(pid_t tid);

/** The letter of a thread's state (man 5 proc_pid_stat); X if there is no such thread. */
char rrs_tracee_state(pid_t tid);

/** Waits until a task that is about to end is a zombie, or gone. */
void rrs_ptrace_await_zombie(pid_t tid);

/** Reads up to `size` bytes; returns how many could be read, from the start on. */
size_t rrs_tracee_read(pid_t tid, rrs_addr address, void *buffer, size_t size);

/** Reads or writes all of it, or fails with RRS_ERROR_FAULT. Protections are obeyed. */
RRS_MUST_CHECK struct rrs_error *rrs_tracee_read_all(pid_t tid, rrs_addr address, void *buffer,
                                                     size_t size);
RRS_MUST_CHECK struct rrs_error *rrs_tracee_write(pid_t tid, rrs_addr address, const void *buffer,
                                                  size_t size);

#endif
