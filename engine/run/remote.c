/* SPDX-License-Identifier: MIT */
#include "engine/run/remote.h"

#include "engine/run/address_space.h"

#include <errno.h>
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/wait.h>

void rrs_task_keep_report(struct rrs_session *session, pid_t tid, int status)
{
    struct rrs_task *task = rrs_task_find(session, tid);
    if (!task && !WIFSTOPPED(status))
        return;
    if (!task)
        task = rrs_task_create(session, tid);
    session->reported_count += !task->reported;
    task->reported = true;
    task->report = status;
}

static struct rrs_error *gone(const struct rrs_task *task)
{
    struct rrs_error *error = rrs_error_create(RRS_ERROR_TRACEE_GONE, "task %d ended", task->tid);
    error->task = task->tid;
    return error;
}

/*
 * The end of a group's leader is not reported before its other threads are reaped: a wait for it
 * has to take what comes from them.
 */
static pid_t awaited(const struct rrs_task *task)
{
    const struct rrs_process *process = task->process;
    return process && process->tgid == task->tid && process->tasks > 1 ? -1 : task->tid;
}

struct rrs_error *rrs_task_wait(struct rrs_task *task, int *status)
{
    for (;;) {
        pid_t pid = waitpid(awaited(task), status, __WALL);
        if (pid < 0 && errno != EINTR)
            return rrs_error_os(errno, NULL, "waiting for task %d", task->tid);
        if (pid == task->tid)
            break;
        if (pid > 0)
            rrs_task_keep_report(task->session, pid, *status);
    }
    task->session->counters.stops++;
    if (rrs_status_event(*status) == PTRACE_EVENT_EXEC) {
        /* Another thread's exec ended this one and took its number. */
        rrs_task_keep_report(task->session, task->tid, *status);
        return gone(task);
    }
    if (WIFSTOPPED(*status)) {
        bool job_stop = rrs_status_event(*status) == PTRACE_EVENT_STOP;
        task->stop_owed |= job_stop && WSTOPSIG(*status) != SIGTRAP;
        return NULL;
    }
    task->dead = true;
    task->dead_status = *status;
    return gone(task);
}

static bool is_plain_signal_stop(int status)
{
    return rrs_status_event(status) == 0 && WSTOPSIG(status) != RRS_STATUS_SYSCALL_STOP;
}

/* Holds a signal that came between; true if the stop was nothing more than that. */
static struct rrs_error *hold(struct rrs_task *task, int status, bool *was_signal)
{
    *was_signal = is_plain_signal_stop(status);
    if (!*was_signal)
        return NULL;
    siginfo_t info;
    RRS_TRY(rrs_ptrace_get_siginfo(task->tid, &info));
    rrs_task_hold_signal(task, &info);
    return NULL;
}

struct rrs_error *rrs_task_run_to_stop(struct rrs_session *session, struct rrs_task *task,
                                       int request, int *status)
{
    (void)session;
    for (;;) {
        RRS_TRY(rrs_ptrace_resume(task->tid, request, 0));
        RRS_TRY(rrs_task_wait(task, status));
        if (rrs_status_event(*status) == PTRACE_EVENT_STOP)
            continue;
        bool was_signal;
        RRS_TRY(hold(task, *status, &was_signal));
        if (!was_signal)
            return NULL;
    }
}

static struct rrs_error *unexpected(const struct rrs_task *task, const char *where, int status)
{
    return rrs_error_create(RRS_ERROR_OS, "task %d: unexpected stop %#x %s", task->tid,
                            (unsigned)status, where);
}

static struct rrs_error *call_once(struct rrs_session *session, struct rrs_task *task, long number,
                                   const uint64_t arguments[6], int64_t *result)
{
    struct user_regs_struct regs;
    int status;
    session->counters.remote_calls++;
    if (session->oracle)
        RRS_TRY(session->oracle->permit(session->oracle->context, task, number, arguments));
    RRS_TRY(rrs_ptrace_get_regs(task->tid, &regs));
    regs.rdi = arguments[0];
    regs.rsi = arguments[1];
    regs.rdx = arguments[2];
    regs.r10 = arguments[3];
    regs.r8 = arguments[4];
    regs.r9 = arguments[5];
    if (!task->at_call) {
        regs.rip = task->space->call_insn;
        regs.rax = (uint64_t)number;
        regs.orig_rax = (uint64_t)-1;
        RRS_TRY(rrs_ptrace_set_regs(task->tid, &regs));
        RRS_TRY(rrs_task_run_to_stop(session, task, PTRACE_CONT, &status));
        if (rrs_status_event(status) != PTRACE_EVENT_SECCOMP)
            return unexpected(task, "before an injected call", status);
    } else {
        regs.orig_rax = (uint64_t)number;
        RRS_TRY(rrs_ptrace_set_regs(task->tid, &regs));
    }
    task->at_call = false;
    RRS_TRY(rrs_task_run_to_stop(session, task, PTRACE_SYSCALL, &status));
    if (WSTOPSIG(status) != RRS_STATUS_SYSCALL_STOP)
        return unexpected(task, "in an injected call", status);
    RRS_TRY(rrs_ptrace_get_regs(task->tid, &regs));
    *result = (int64_t)regs.rax;
    return NULL;
}

static bool set_limit(const struct rrs_task *task, int resource, const struct rlimit *limit)
{
    return !prlimit(task->tid, resource, limit, NULL);
}

/* As far as the tracer may: the hard limit, or none at all. */
static bool lift_limit(const struct rrs_task *task, int resource, struct rlimit *before)
{
    enum { FILES = 1 << 20 }; /* no process may have more, whatever its limits */
    if (prlimit(task->tid, resource, NULL, before))
        return false;
    rlim_t most = resource == RLIMIT_NOFILE ? FILES : RLIM_INFINITY;
    return set_limit(task, resource, &(struct rlimit){most, most}) ||
           set_limit(task, resource, &(struct rlimit){before->rlim_max, before->rlim_max});
}

/* What the engine maps and opens is not to be limited by what the program may. */
struct rrs_error *rrs_remote_call(struct rrs_session *session, struct rrs_task *task, long number,
                                  const uint64_t arguments[6], int64_t *result)
{
    struct rlimit before;
    RRS_TRY(call_once(session, task, number, arguments, result));
    if (*result != -ENOMEM && *result != -EMFILE)
        return NULL;
    int resource = *result == -ENOMEM ? RLIMIT_AS : RLIMIT_NOFILE;
    if (!lift_limit(task, resource, &before))
        return NULL;
    struct rrs_error *error = call_once(session, task, number, arguments, result);
    set_limit(task, resource, &before);
    return error;
}

struct rrs_error *rrs_remote_call_ok(struct rrs_session *session, struct rrs_task *task,
                                     const char *what, long number, const uint64_t arguments[6],
                                     int64_t *result)
{
    int64_t ignored;
    RRS_TRY(rrs_remote_call(session, task, number, arguments, result ? result : &ignored));
    int64_t value = result ? *result : ignored;
    if (value < 0 && value > -4096)
        return rrs_error_os((int)-value, NULL, "%s in task %d", what, task->tid);
    return NULL;
}
