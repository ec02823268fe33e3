/* SPDX-License-Identifier: MIT */
/* The session's loop: which task runs, and what each stop means. */
#include "engine/run/session.h"

#include "engine/run/address_space.h"
#include "engine/run/calls.h"
#include "engine/run/clone_flags.h"
#include "engine/run/launch.h"
#include "engine/run/own_signals.h"
#include "engine/run/redirect.h"
#include "engine/run/remote.h"
#include "engine/run/schedule.h"
#include "engine/run/state.h"
#include "lmdb-store/scope.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

void rrs_session_warn(struct rrs_session *session, const char *format, ...)
{
    char message[512];
    va_list arguments;
    if (!session->warn)
        return;
    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    session->warn(session->warn_context, message);
}

rrs_addr rrs_session_next_break(const struct rrs_session *session, rrs_addr pc)
{
    size_t low = 0, high = session->break_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (session->breaks[middle] < pc)
            low = middle + 1;
        else
            high = middle;
    }
    return low < session->break_count ? session->breaks[low] : UINT64_MAX;
}

/* --- beginning and end --- */

struct rrs_error *rrs_session_init(struct rrs_session *session,
                                   const struct rrs_session_options *options)
{
    memset(session, 0, sizeof *session);
    session->options = *options;
    session->pool.fd = -1;
    session->translator.options = options->translate;
    session->translator.decoder = rrs_decoder_create();
    if (!session->translator.decoder)
        return rrs_error_no_memory();
    RRS_TRY(rrs_shared_pool_init(&session->pool));
    RRS_TRY(rrs_shared_pool_take(&session->pool, RRS_RUNTIME_CLASSES + 65536, &session->common));
    session->clock.page = (struct rrs_session_page *)session->common.memory;
    for (uint32_t i = 0; i < RRS_RUNTIME_BASES; i++)
        rrs_lower_runtime_page(session->common.memory + RRS_RUNTIME_CODE + i * 4096,
                               rrs_runtime_bases[i]);
    rrs_calls_fill_classes(session->common.memory + RRS_RUNTIME_CLASSES, !options->trace_all_calls);
    if (options->pin)
        rrs_cpus_pin(&session->cpus);
    return NULL;
}

static void kill_all(struct rrs_session *session)
{
    for (struct rrs_task *task = session->tasks; task; task = task->next)
        if (!task->dead)
            kill(task->tid, SIGKILL);
    int status;
    pid_t tid;
    while (session->tasks && ((tid = waitpid(-1, &status, __WALL)) > 0 || errno == EINTR)) {
        struct rrs_task *task = tid > 0 ? rrs_task_find(session, tid) : NULL;
        if (task && !WIFSTOPPED(status))
            rrs_task_remove(session, task);
    }
    while (session->tasks) /* ended out of turn */
        rrs_task_remove(session, session->tasks);
}

void rrs_session_deinit(struct rrs_session *session)
{
    kill_all(session);
    while (session->processes) {
        struct rrs_process *process = session->processes;
        session->processes = process->next;
        free(process);
    }
    while (session->modules) {
        struct rrs_module *module = session->modules;
        session->modules = module->next;
        rrs_code_cache_deinit(&module->cache);
        rrs_shared_pool_give(&session->pool, &module->piece);
        free(module);
    }
    free(session->ended);
    rrs_scratch_deinit(&session->scratch, &session->pool);
    rrs_shared_pool_give(&session->pool, &session->common);
    rrs_shared_pool_deinit(&session->pool);
    rrs_decoder_destroy(session->translator.decoder);
}

/* --- tasks that begin and end --- */

static struct rrs_error *begin_child(struct rrs_session *session, struct rrs_task *task)
{
    struct user_regs_struct regs;
    if (!task->born || !task->stopped)
        return NULL;
    RRS_TRY(rrs_ptrace_get_regs(task->tid, &regs));
    regs.rip = task->call_regs.rip;
    regs.rdi = task->call_regs.rdi;
    regs.rcx = regs.rip;
    regs.r11 = regs.eflags;
    regs.rax = 0;
    rrs_task_ready_safely(session, task, &regs);
    const struct rrs_observer *observer = session->observer;
    if (!observer)
        return NULL;
    struct rrs_task *creator = rrs_task_find(session, task->creator);
    return observer->task_begins(observer->context, creator, task, task->clone_flags);
}

static struct rrs_process *fork_process(struct rrs_session *session,
                                        const struct rrs_process *parent, pid_t tgid,
                                        uint64_t clone_flags)
{
    const uint64_t clear_sighand = 0x100000000; /* CLONE_CLEAR_SIGHAND */
    struct rrs_process *process = rrs_process_create(session, tgid);
    process->parent = parent->tgid;
    memcpy(process->name, parent->name, sizeof process->name);
    memcpy(process->signals, parent->signals, sizeof process->signals);
    for (int i = 1; i <= 64 && (clone_flags & clear_sighand); i++)
        if (process->signals[i].handler != (rrs_addr)(uintptr_t)SIG_IGN)
            process->signals[i].handler = (rrs_addr)(uintptr_t)SIG_DFL;
    return process;
}

struct rrs_error *rrs_handle_new_task(struct rrs_session *session, struct rrs_task *creator,
                                      pid_t tid, uint64_t clone_flags)
{
    struct rrs_task *task = rrs_task_find(session, tid);
    if (!task)
        task = rrs_task_create(session, tid);
    task->born = true;
    task->creator = creator->tid;
    task->clone_flags = clone_flags;
    task->call_regs = creator->call_regs;
    task->trap = creator->trap;
    task->trap_is_ours = creator->trap_is_ours;
    rrs_virtual_inherit(&task->virtual, &creator->virtual);
    task->process = clone_flags & CLONE_THREAD
                        ? creator->process
                        : fork_process(session, creator->process, tid, clone_flags);
    task->process->tasks++;
    if (clone_flags & CLONE_VM) {
        task->space = creator->space;
        task->space->references++;
    } else {
        RRS_TRY(rrs_space_fork(session, creator->space, &task->space));
    }
    return begin_child(session, task);
}

/* An observer is told of a new task before its creator runs on, and changes memory. */
static struct rrs_error *see_child_stop(struct rrs_session *session, pid_t tid)
{
    struct rrs_task *child = rrs_task_find(session, tid);
    int status;
    if (!child || child->stopped)
        return NULL; /* the observer knows it already */
    while (!child->stopped) {
        if (child->reported) {
            child->reported = false;
            session->reported_count--;
            status = child->report;
        } else {
            RRS_TRY(rrs_task_wait(child, &status));
        }
        if (!WIFSTOPPED(status))
            return NULL; /* killed before it did anything */
        child->stopped = true;
    }
    return begin_child(session, child);
}

static struct rrs_error *handle_clone_event(struct rrs_session *session, struct rrs_task *task)
{
    unsigned long child;
    uint64_t flags;
    RRS_TRY(rrs_ptrace_event_message(task->tid, &child));
    RRS_TRY(rrs_clone_flags(task, &flags));
    RRS_TRY(rrs_handle_new_task(session, task, (pid_t)child, flags));
    if (session->observer)
        RRS_TRY(see_child_stop(session, (pid_t)child));
    return rrs_ptrace_resume(task->tid, PTRACE_SYSCALL, 0);
}

static void name_process(struct rrs_process *process)
{
    char link[64], path[512];
    snprintf(link, sizeof link, "/proc/%d/exe", process->tgid);
    ssize_t length = readlink(link, path, sizeof path - 1);
    path[length > 0 ? length : 0] = 0;
    const char *slash = strrchr(path, '/');
    snprintf(process->name, sizeof process->name, "%.63s", slash ? slash + 1 : path);
}

static void reset_dispositions(struct rrs_process *process)
{
    for (int i = 1; i <= 64; i++)
        if (process->signals[i].handler != (rrs_addr)(uintptr_t)SIG_IGN)
            process->signals[i] = (struct rrs_disposition){0};
}

/* An exec by a thread that is not the leader gives it the leader's number. */
static struct rrs_error *merge_into_leader(struct rrs_session *session, struct rrs_task *leader)
{
    unsigned long former;
    RRS_TRY(rrs_ptrace_event_message(leader->tid, &former));
    struct rrs_task *thread = rrs_task_find(session, (pid_t)former);
    if (thread && thread != leader) {
        rrs_virtual_inherit(&leader->virtual, &thread->virtual);
        rrs_task_remove(session, thread);
    }
    return NULL;
}

static bool is_32_bit(const struct rrs_task *task)
{
    char path[64];
    unsigned char ident[5] = {0};
    snprintf(path, sizeof path, "/proc/%d/exe", task->tid);
    _cleanup_fclose_ FILE *file = fopen(path, "re");
    return file && fread(ident, 1, sizeof ident, file) == sizeof ident && ident[4] == 1;
}

/* It is too late to let the execve fail. */
static struct rrs_error *refuse_32_bit(struct rrs_session *session, struct rrs_task *task)
{
    if (!session->started)
        return rrs_error_create(RRS_ERROR_UNSUPPORTED, "32-bit programs are not supported");
    name_process(task->process);
    rrs_session_warn(session, "process %d: %s: 32-bit programs are not supported; it is killed",
                     task->tid, task->process->name);
    kill(task->tid, SIGKILL);
    task->state = RRS_TASK_IN_SYSCALL;
    return NULL;
}

/* The end of the other threads is a part of the exec. */
static void replace_siblings(struct rrs_session *session, const struct rrs_task *leader)
{
    for (struct rrs_task *task = session->tasks; task; task = task->next)
        task->replaced |= task != leader && task->process == leader->process;
}

struct rrs_error *rrs_handle_exec(struct rrs_session *session, struct rrs_task *task)
{
    int status;
    RRS_TRY(merge_into_leader(session, task));
    replace_siblings(session, task);
    if (session->runner == task)
        session->runner = NULL;
    task->in_call = task->at_call = task->natural = false;
    rrs_redirect_drop(session, task);
    rrs_space_release(session, task->space);
    task->space = NULL;
    if (is_32_bit(task))
        return refuse_32_bit(session, task);
    RRS_TRY(rrs_task_run_to_stop(session, task, PTRACE_SYSCALL, &status));
    RRS_TRY(rrs_ptrace_get_regs(task->tid, &task->regs));
    reset_dispositions(task->process);
    name_process(task->process);
    struct user_regs_struct initial = task->regs;
    RRS_TRY(rrs_space_create(session, task));
    RRS_TRY(rrs_virtual_after_exec(session, task));
    rrs_task_ready_safely(session, task, &initial);
    session->started = true;
    const struct rrs_observer *observer = session->observer;
    return observer ? observer->exec(observer->context, task) : NULL;
}

static void report_end(struct rrs_session *session, const struct rrs_task *task)
{
    if (!task->process)
        return;
    if (session->ended_count == session->ended_room) {
        session->ended_room = session->ended_room ? session->ended_room * 2 : 64;
        session->ended = realloc(session->ended, session->ended_room * sizeof *session->ended);
        assert(session->ended && "out of memory for a report");
    }
    session->ended[session->ended_count++] =
        (struct rrs_task_report){task->tid, task->process->tgid, task->ticks};
}

static struct rrs_error *end_task(struct rrs_session *session, struct rrs_task *task, int status)
{
    const struct rrs_observer *observer = session->observer;
    struct rrs_error *error = NULL;
    if (session->runner == task)
        rrs_session_settle(session, false);
    if (observer && task->space && !task->replaced)
        error = observer->task_ends(observer->context, task, status);
    if (task->process && task->tid == task->process->tgid)
        task->process->status = status;
    if (task->tid == session->root) {
        session->root_status = status;
        session->root_ended = true;
    }
    report_end(session, task);
    rrs_task_remove(session, task);
    return error;
}

/* --- stops --- */

static bool is_group_stop(int status)
{
    int signal = WSTOPSIG(status);
    return signal == SIGSTOP || signal == SIGTSTP || signal == SIGTTIN || signal == SIGTTOU;
}

/* Whether the runner, stopped by job control, goes on to its next safe point, and stops there. */
static struct rrs_error *leave_unsafe_point(struct rrs_session *session, struct rrs_task *task,
                                            bool *goes_on)
{
    struct user_regs_struct regs;
    RRS_TRY(rrs_ptrace_get_regs(task->tid, &regs));
    *goes_on = session->observer && !rrs_task_at_safe_point(session, task, regs.rip);
    if (!*goes_on)
        return NULL;
    RRS_TRY(rrs_state_rewind_site(task));
    rrs_clock_expire(&session->clock);
    task->stop_owed = true;
    return rrs_ptrace_resume(task->tid, PTRACE_CONT, 0);
}

static struct rrs_error *freeze(struct rrs_session *session, struct rrs_task *task)
{
    const struct rrs_observer *observer = session->observer;
    RRS_TRY(rrs_state_rewind_site(task));
    rrs_session_settle(session, false);
    task->frozen_cells = *task->space->table->cells;
    task->state = RRS_TASK_FROZEN;
    session->runner = NULL;
    return observer ? observer->preempt(observer->context, task) : NULL;
}

static struct rrs_error *handle_job_control(struct rrs_session *session, struct rrs_task *task,
                                            int status)
{
    if (session->runner == task && !task->in_call) {
        bool goes_on;
        RRS_TRY(leave_unsafe_point(session, task, &goes_on));
        if (goes_on)
            return NULL;
        RRS_TRY(freeze(session, task));
    }
    if (is_group_stop(status)) {
        if (task->state == RRS_TASK_RUNNING) { /* in a call that it made as the only task */
            task->state = RRS_TASK_IN_SYSCALL;
            session->runner = NULL;
        }
        task->job_stopped = true;
        RRS_TRY(rrs_ptrace_resume(task->tid, PTRACE_LISTEN, 0));
        if (task->tid == session->root)
            rrs_own_signals_root_stopped();
        return NULL;
    }
    task->job_stopped = false;
    if (task->state == RRS_TASK_FROZEN)
        return NULL; /* its turn will come */
    if (task->in_call)
        return rrs_ptrace_resume(task->tid, session->runner == task ? PTRACE_CONT : PTRACE_SYSCALL,
                                 0);
    rrs_task_ready_safely(session, task, &task->regs);
    return NULL;
}

static struct rrs_error *handle_stop(struct rrs_session *session, struct rrs_task *task, int status)
{
    if (rrs_status_event(status))
        session->counters.stops_event += rrs_status_event(status) != PTRACE_EVENT_SECCOMP;
    switch (rrs_status_event(status)) {
    case PTRACE_EVENT_SECCOMP:
        return task->space ? rrs_handle_seccomp_stop(session, task)
                           : rrs_ptrace_resume(task->tid, PTRACE_CONT, 0);
    case PTRACE_EVENT_EXEC:
        return rrs_handle_exec(session, task);
    case PTRACE_EVENT_FORK:
    case PTRACE_EVENT_VFORK:
    case PTRACE_EVENT_CLONE:
        return handle_clone_event(session, task);
    case PTRACE_EVENT_STOP:
        if (task->state == RRS_TASK_NEW && !task->stopped) {
            task->stopped = true;
            return begin_child(session, task);
        }
        return handle_job_control(session, task, status);
    case 0:
        break;
    default:
        return rrs_ptrace_resume(task->tid, PTRACE_CONT, 0);
    }
    if (!task->space) /* before its first exec: nothing of ours is in it */
        return rrs_ptrace_resume(task->tid, PTRACE_CONT, WSTOPSIG(status));
    if (WSTOPSIG(status) == RRS_STATUS_SYSCALL_STOP)
        return rrs_handle_call_exit(session, task);
    return rrs_handle_signal(session, task);
}

/* --- the loop --- */

/*
 * A task that died under a request, by itself or by way of its memory or its files in /proc: its
 * end has been seen, or is still to be reported. `tid`: the one that was handled.
 */
static struct rrs_error *absorb_death(struct rrs_session *session, pid_t tid,
                                      struct rrs_error *error)
{
    if (!error)
        return NULL;
    bool by_request = error->code == RRS_ERROR_TRACEE_GONE;
    bool by_effect = error->code == RRS_ERROR_FAULT || error->code == RRS_ERROR_OS;
    if (!by_request && !(by_effect && rrs_ptrace_is_gone(tid)))
        return error;
    struct rrs_task *task = rrs_task_find(session, by_request ? error->task : tid);
    rrs_error_destroy(error);
    if (!task)
        return NULL;
    if (task->dead) {
        return end_task(session, task, task->dead_status);
    } else {
        task->state = RRS_TASK_IN_SYSCALL;
        if (session->runner == task)
            session->runner = NULL;
    }
    return NULL;
}

/*
 * While the runner runs, an observer could not be told at which tick something befell another task,
 * and the runner might see memory change before it was told: such a report waits for the runner's.
 */
static pid_t report_of_runner(struct rrs_session *session, int *status)
{
    for (;;) {
        pid_t tid = waitpid(-1, status, __WALL);
        if (tid <= 0 || !session->runner || tid == session->runner->tid)
            return tid;
        rrs_task_keep_report(session, tid, *status);
    }
}

/* Waits for any task; what came while the engine waited for another comes first. */
static pid_t next_report(struct rrs_session *session, int *status)
{
    if (session->observer && session->runner && !session->runner->reported)
        return report_of_runner(session, status);
    struct rrs_task *task = session->reported_count ? session->tasks : NULL;
    while (task && !task->reported)
        task = task->next;
    if (!task)
        return waitpid(-1, status, __WALL);
    session->reported_count--;
    task->reported = false;
    *status = task->report;
    return task->tid;
}

static struct rrs_error *handle_report(struct rrs_session *session, pid_t tid, int status)
{
    struct rrs_task *task = rrs_task_find(session, tid);
    session->counters.stops++;
    if (!WIFSTOPPED(status)) {
        return task ? end_task(session, task, status) : NULL;
    }
    if (!task) /* a child whose creator has not reported it yet */
        task = rrs_task_create(session, tid);
    return absorb_death(session, tid, handle_stop(session, task, status));
}

static struct rrs_error *wait_and_handle(struct rrs_session *session)
{
    int status;
    pid_t tid = next_report(session, &status);
    if (tid < 0)
        return errno == EINTR ? NULL : rrs_error_os(errno, NULL, "waiting for the program");
    return handle_report(session, tid, status);
}

/* Between two runners: whatever befell the others in the meantime. */
static struct rrs_error *handle_what_waits(struct rrs_session *session)
{
    int status;
    pid_t tid;
    if (session->options.chaos)
        rrs_schedule_await_sleep(session);
    while (session->reported_count && !session->runner)
        RRS_TRY(wait_and_handle(session));
    while (!session->runner && (tid = waitpid(-1, &status, __WALL | WNOHANG)) > 0)
        RRS_TRY(handle_report(session, tid, status));
    return NULL;
}

/* A signal that came before fork had done anything: what follows is the same call, or a handler. */
static bool is_made_again(struct rrs_session *session, pid_t tid)
{
    const struct rrs_task *task = rrs_task_find(session, tid);
    return task && task->in_call && task->state == RRS_TASK_IN_SYSCALL;
}

struct rrs_error *rrs_session_finish_call(struct rrs_session *session, struct rrs_task *task)
{
    pid_t tid = task->tid, leader = task->process->tgid;
    bool stays_as_zombie = task->call == SYS_exit && tid == leader && task->process->tasks > 1;
    RRS_TRY(rrs_ptrace_resume(tid, PTRACE_SYSCALL, 0));
    if (stays_as_zombie) { /* its end is reported with that of the last thread */
        rrs_ptrace_await_zombie(tid);
        return session->observer->call_begins(session->observer->context, task);
    }
    for (;;) {
        int status;
        pid_t found = waitpid(-1, &status, __WALL);
        if (found < 0 && errno != EINTR)
            return rrs_error_os(errno, NULL, "waiting for task %d", tid);
        bool execs = found == leader && rrs_status_event(status) == PTRACE_EVENT_EXEC;
        if (found != tid && !execs) {
            if (found > 0)
                rrs_task_keep_report(session, found, status);
            continue;
        }
        int event = WIFSTOPPED(status) ? rrs_status_event(status) : 0;
        RRS_TRY(handle_report(session, found, status));
        if (event == PTRACE_EVENT_VFORK)
            return session->observer->call_begins(session->observer->context, task);
        if (event == PTRACE_EVENT_FORK || event == PTRACE_EVENT_CLONE)
            continue;
        if (!WIFSTOPPED(status) || execs || !is_made_again(session, tid))
            return NULL;
        if (!task->begin_recorded)
            RRS_TRY(session->observer->call_begins(session->observer->context, task));
        if (task->job_stopped)
            return NULL;
    }
}

static struct rrs_error *run_one(struct rrs_session *session)
{
    struct rrs_error *error = rrs_schedule(session);
    return absorb_death(session, session->last_runner ? session->last_runner->tid : 0, error);
}

static struct rrs_error *loop(struct rrs_session *session)
{
    while (session->tasks) {
        if (session->attend)
            session->attend(session->attend_context);
        if (!session->runner && session->observer)
            RRS_TRY(handle_what_waits(session));
        if (!session->runner && session->tasks)
            RRS_TRY(run_one(session));
        if (session->tasks)
            RRS_TRY(wait_and_handle(session));
    }
    return NULL;
}

static struct rrs_error *exec_failure(int error_fd, const char *program)
{
    int failure;
    if (read(error_fd, &failure, sizeof failure) != sizeof failure)
        return NULL;
    return rrs_error_os(failure, program, "cannot execute");
}

void rrs_session_collect(struct rrs_session *session)
{
    session->counters.blocks = session->translator.blocks;
    session->counters.insns = session->translator.insns;
    session->counters.traces = session->translator.traces;
    session->counters.cache_bytes = 0;
    for (const struct rrs_module *module = session->modules; module; module = module->next)
        session->counters.cache_bytes +=
            module->cache.used + module->cache.cold_used - module->cache.cold_start;
}

/* What the tracer ignores, its child ignores. */
static void inherit_dispositions(struct rrs_process *process)
{
    struct sigaction action;
    for (int i = 1; i <= 64; i++)
        if (sigaction(i, NULL, &action) == 0 && action.sa_handler == SIG_IGN)
            process->signals[i].handler = (rrs_addr)(uintptr_t)SIG_IGN;
}

struct rrs_error *rrs_session_run(struct rrs_session *session, char *const argv[])
{
    _cleanup_close_ int error_fd = -1;
    if (session->observer)
        RRS_TRY(rrs_scratch_init(&session->scratch, &session->pool));
    RRS_TRY(rrs_launch(&session->options, argv, &session->root, &error_fd));
    struct rrs_task *root = rrs_task_create(session, session->root);
    root->process = rrs_process_create(session, session->root);
    root->process->tasks = 1;
    rrs_virtual_init(&root->virtual, &session->cpus);
    root->process->parent = getpid();
    root->born = root->stopped = true;
    root->state = RRS_TASK_IN_SYSCALL;
    inherit_dispositions(root->process);
    struct rrs_own_signals own_signals;
    rrs_own_signals_begin(&own_signals, session->root, session->keeps_signal,
                          session->wake_after_ns);
    struct rrs_error *error = loop(session);
    rrs_own_signals_end(&own_signals);
    return error ? error : exec_failure(error_fd, argv[0]);
}
