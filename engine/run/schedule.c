/* SPDX-License-Identifier: MIT */
#include "engine/run/schedule.h"

#include "engine/run/address_space.h"
#include "engine/run/state.h"

#include <sched.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>

/* --- in turn --- */

static bool can_run(const struct rrs_task *task)
{
    return task->state == RRS_TASK_READY || (task->state == RRS_TASK_FROZEN && !task->job_stopped);
}

static struct rrs_task *next_ready(struct rrs_session *session)
{
    struct rrs_task *after = session->last_runner;
    struct rrs_task *first = NULL;
    bool passed = false;
    for (struct rrs_task *task = session->tasks; task; task = task->next) {
        if (can_run(task) && passed)
            return task;
        if (can_run(task) && !first)
            first = task;
        passed |= task == after;
    }
    return first;
}

/* --- chaos --- */

/*
 * All choices are functions of the seed and of where the program is, not of how often was asked: so
 * that a seed leads to the same run, although calls end sooner or later each time.
 */
enum purpose { SLICE, SLICE_SCALE, LONGEST_SLICE, GIVE_WAY, PRIORITY, TURN };

/* splitmix64's mixing: Steele, Lea, Flood, "Fast splittable pseudorandom number generators" */
static uint64_t mix(uint64_t word)
{
    word += 0x9e3779b97f4a7c15;
    word = (word ^ word >> 30) * 0xbf58476d1ce4e5b9;
    word = (word ^ word >> 27) * 0x94d049bb133111eb;
    return word ^ word >> 31;
}

static uint64_t chance(const struct rrs_session *session, enum purpose purpose, uint64_t where)
{
    return mix(mix(session->options.chaos_seed + purpose) + where);
}

/* Short ones are as likely as long ones; the longest are another length with each seed. */
static uint64_t slice(const struct rrs_session *session)
{
    enum { SHORTEST_LOG = 4, LONGEST_LOG = 15, LONGEST_CHOICES = 8 };
    uint64_t ticks = session->clock.ticks;
    if (!session->options.chaos)
        return session->options.slice_ticks;
    uint64_t choices =
        LONGEST_LOG - SHORTEST_LOG + 1 + chance(session, LONGEST_SLICE, 0) % LONGEST_CHOICES;
    uint64_t scale = SHORTEST_LOG + chance(session, SLICE_SCALE, ticks) % choices;
    uint64_t length = 1 + chance(session, SLICE, ticks) % (2ull << scale);
    return length < session->options.slice_ticks ? length : session->options.slice_ticks;
}

/* Although its slice goes on: at one stop in four, but not before it has done anything. */
static bool gives_way(const struct rrs_session *session)
{
    return session->options.chaos && session->clock.ticks != session->turn_tick &&
           chance(session, GIVE_WAY, session->clock.ticks) % 4 == 0;
}

/*
 * One task in four has to wait for as long as others can run, until the lots are drawn again: after
 * some milliseconds, some hundred switches (all that the others do may be to give way to each
 * other), or some thousand calls.
 */
static uint64_t priority(const struct rrs_session *session, const struct rrs_task *task)
{
    enum { EPOCH_TICKS_LOG = 22, EPOCH_SWITCHES = 256, EPOCH_CALLS = 4096 };
    uint64_t epoch = (session->clock.ticks >> EPOCH_TICKS_LOG) +
                     session->counters.task_switches / EPOCH_SWITCHES +
                     session->counters.stops_syscall / EPOCH_CALLS;
    bool waits = chance(session, PRIORITY, mix(epoch) + task->ordinal) % 4 == 0;
    uint64_t turn = chance(session, TURN, mix(session->clock.ticks) + task->ordinal) >> 2;
    bool had_it = task == session->last_runner;
    return turn + ((uint64_t)!had_it << 62) + ((uint64_t)!waits << 63);
}

static struct rrs_task *next_by_chance(const struct rrs_session *session)
{
    struct rrs_task *best = NULL;
    for (struct rrs_task *task = session->tasks; task; task = task->next)
        if (can_run(task) && (!best || priority(session, task) > priority(session, best)))
            best = task;
    return best;
}

/* Whether a call that somebody has just ended is over already must not depend on the kernel's time.
 */
void rrs_schedule_await_sleep(const struct rrs_session *session)
{
    enum { TRIES = 1000 };
    for (const struct rrs_task *task = session->tasks; task; task = task->next)
        for (int i = 0; i < TRIES && task->state == RRS_TASK_IN_SYSCALL && !task->reported &&
                        rrs_tracee_state(task->tid) == 'R';
             i++)
            sched_yield();
}

/* --- turns --- */

static const uint64_t alone_ticks = 1ull << 40;

void rrs_schedule_charge_call(struct rrs_session *session, int number)
{
    enum { CALLS_PER_SLICE = 512 };
    uint64_t charge = session->options.slice_ticks / CALLS_PER_SLICE;
    if (session->options.chaos)
        return;
    if (number == SYS_sched_yield || charge > session->slice_left)
        charge = session->slice_left;
    session->slice_left -= charge;
}

bool rrs_schedule_is_due(const struct rrs_session *session)
{
    return !session->slice_left && session->tasks->next;
}

static struct rrs_error *switch_from(struct rrs_session *session, struct rrs_task *task)
{
    const struct rrs_observer *observer = session->observer;
    session->counters.task_switches++;
    if (!observer || !task || task->state != RRS_TASK_READY)
        return NULL;
    return observer->preempt(observer->context, task);
}

struct rrs_error *rrs_schedule(struct rrs_session *session)
{
    struct rrs_task *task = session->last_runner;
    if (session->tasks->next && session->slice_left > session->options.slice_ticks)
        session->slice_left = slice(session); /* it was alone until now */
    bool goes_on = task && session->slice_left && task->state == RRS_TASK_READY;
    if (!goes_on || gives_way(session)) {
        task = session->options.chaos ? next_by_chance(session) : next_ready(session);
        if (!task)
            return NULL;
        if (task != session->last_runner)
            RRS_TRY(switch_from(session, session->last_runner));
        session->last_runner = task;
        session->turn_tick = session->clock.ticks;
        /* Alone, it need not give way; whoever comes into being does so at a stop. */
        session->slice_left = session->tasks->next ? slice(session) : alone_ticks;
    }
    struct rrs_error *error;
    if (task->state == RRS_TASK_FROZEN) {
        *task->space->table->cells = task->frozen_cells;
        rrs_clock_arm(&session->clock, session->slice_left);
        if (task->held)
            rrs_clock_expire(&session->clock);
        error = rrs_task_resume_raw(session, task, PTRACE_CONT);
    } else {
        error = rrs_task_resume(session, task, RRS_ENTRY_DIRECT);
    }
    return error;
}
