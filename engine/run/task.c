/* SPDX-License-Identifier: MIT */
/* Tasks and processes as records, and the clock. */
#include "engine/run/address_space.h"
#include "engine/run/redirect.h"

#include <assert.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

struct rrs_task *rrs_task_find(struct rrs_session *session, pid_t tid)
{
    struct rrs_task *task = session->tasks;
    while (task && task->tid != tid)
        task = task->next;
    return task;
}

struct rrs_task *rrs_task_create(struct rrs_session *session, pid_t tid)
{
    struct rrs_task *task = calloc(1, sizeof *task);
    assert(task && "out of memory for a task");
    task->session = session;
    task->tid = tid;
    task->ordinal = session->tasks_made++;
    task->held_end = &task->held;
    struct rrs_task **link = &session->tasks; /* at the end: tasks take turns in this order */
    while (*link)
        link = &(*link)->next;
    *link = task;
    return task;
}

static void drop_held(struct rrs_task *task, struct rrs_held_signal **link)
{
    struct rrs_held_signal *held = *link;
    *link = held->next;
    if (task->held_end == &held->next)
        task->held_end = link;
    free(held);
}

void rrs_task_pass_signals_on(struct rrs_task *from, struct rrs_task *to)
{
    while (from->held) {
        if (from->held->info.si_code != SI_TKILL) /* sent to the process */
            rrs_task_hold_signal(to, &from->held->info);
        drop_held(from, &from->held);
    }
}

/* Some other thread of the process, or NULL. */
static struct rrs_task *sibling(struct rrs_session *session, const struct rrs_task *task)
{
    struct rrs_task *other = session->tasks;
    while (other && (other == task || other->process != task->process))
        other = other->next;
    return other;
}

void rrs_task_remove(struct rrs_session *session, struct rrs_task *task)
{
    struct rrs_task **link = &session->tasks;
    while (*link != task)
        link = &(*link)->next;
    *link = task->next;
    if (session->runner == task)
        session->runner = NULL;
    if (session->last_runner == task)
        session->last_runner = NULL;
    session->reported_count -= task->reported;
    struct rrs_task *heir = task->held && task->process ? sibling(session, task) : NULL;
    if (heir)
        rrs_task_pass_signals_on(task, heir);
    while (task->held)
        drop_held(task, &task->held);
    rrs_redirect_drop(session, task);
    rrs_virtual_deinit(&task->virtual);
    rrs_space_release(session, task->space);
    if (task->process && --task->process->tasks == 0)
        task->process->ended = true;
    free(task);
}

struct rrs_process *rrs_process_create(struct rrs_session *session, pid_t tgid)
{
    struct rrs_process *process = calloc(1, sizeof *process);
    assert(process && "out of memory for a process");
    process->tgid = tgid;
    process->next = session->processes;
    session->processes = process;
    return process;
}

bool rrs_is_stop_signal(int signal)
{
    return signal == SIGSTOP || signal == SIGTSTP || signal == SIGTTIN || signal == SIGTTOU;
}

void rrs_task_hold_signal(struct rrs_task *task, const siginfo_t *info)
{
    /* As the kernel does with pending ones: a SIGCONT discards stop signals, and the reverse. */
    for (struct rrs_held_signal **link = &task->held; *link;) {
        int held = (*link)->info.si_signo;
        if ((info->si_signo == SIGCONT && rrs_is_stop_signal(held)) ||
            (rrs_is_stop_signal(info->si_signo) && held == SIGCONT))
            drop_held(task, link);
        else
            link = &(*link)->next;
    }
    struct rrs_held_signal *held = calloc(1, sizeof *held);
    assert(held && "out of memory for a signal");
    held->info = *info;
    *task->held_end = held;
    task->held_end = &held->next;
}

bool rrs_task_has_signal(const struct rrs_task *task, uint64_t blocked)
{
    for (const struct rrs_held_signal *held = task->held; held; held = held->next)
        if (!(blocked >> (held->info.si_signo - 1) & 1))
            return true;
    return false;
}

bool rrs_task_take_signal(struct rrs_task *task, uint64_t blocked, siginfo_t *info)
{
    for (struct rrs_held_signal **link = &task->held; *link; link = &(*link)->next)
        if (!(blocked >> ((*link)->info.si_signo - 1) & 1)) {
            *info = (*link)->info;
            drop_held(task, link);
            return true;
        }
    return false;
}

void rrs_session_settle(struct rrs_session *session, bool tick_pending)
{
    struct rrs_task *task = session->runner;
    int64_t retired = rrs_clock_settle(&session->clock, tick_pending);
    /* Below 0: a fault gave back a tick that a job control stop had settled. */
    session->slice_left -=
        retired < (int64_t)session->slice_left ? (uint64_t)retired : session->slice_left;
    if (task) {
        task->ticks += (uint64_t)retired;
        task->process->ticks += (uint64_t)retired;
    }
}
