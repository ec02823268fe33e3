/* SPDX-License-Identifier: MIT */
/* Running forward until something stops it, or through a stretch for the last hit in it. */
#include "engine/replay/search.h"

#include "engine/replay/step.h"

#include <string.h>

static const uint64_t chunk_ticks = 20000000;

static struct rrs_position here(const struct rrs_search *s)
{
    return rrs_replay_position(s->timeline->replayer);
}

bool rrs_search_at_limit(const struct rrs_search *s)
{
    struct rrs_position position = here(s);
    return s->limit && rrs_position_compare(&position, s->limit) >= 0;
}

bool rrs_search_gives_up(const struct rrs_search *s)
{
    return s->last_wanted && !s->unlimited && s->stops >= RRS_SEARCH_STOPS;
}

static void hit(struct rrs_search *s, const struct rrs_position *at, const struct rrs_stop *stop)
{
    s->found = true;
    s->trapped_count = 0;
    s->at = *at;
    s->stop = *stop;
    s->done = !s->last_wanted;
}

static bool is_breakpoint(struct rrs_search *s)
{
    struct rrs_timeline *timeline = s->timeline;
    const struct rrs_replay_task *actor = rrs_replay_actor(timeline->replayer);
    const struct rrs_breakpoint *breakpoint =
        actor && !actor->in_call ? rrs_breakpoint_at(timeline, actor->task->regs.rip) : NULL;
    s->stops += breakpoint != NULL;
    return breakpoint &&
           (!breakpoint->accept || breakpoint->accept(breakpoint->context, timeline, actor->tid));
}

static bool is_caught(const struct rrs_search *s)
{
    struct rrs_timeline *timeline = s->timeline;
    const struct rrs_event *event = timeline->replayer->next;
    if (!event || event->event_kind >= 64 || !(timeline->caught_kinds >> event->event_kind & 1) ||
        !rrs_replay_event_is_due(timeline->replayer))
        return false;
    return !timeline->accept_event ||
           timeline->accept_event(timeline->accept_event_context, timeline, event->number);
}

/* Hits that are places, not changes. */
void rrs_search_look_at_place(struct rrs_search *s)
{
    struct rrs_position at = here(s);
    struct rrs_stop stop = rrs_timeline_stop(s->timeline, RRS_STOP_BREAKPOINT);
    if (is_breakpoint(s)) {
        hit(s, &at, &stop);
    } else if (is_caught(s)) {
        stop.reason = RRS_STOP_EVENT;
        stop.event = s->timeline->replayer->next->number;
        stop.event_kind = s->timeline->replayer->next->event_kind;
        hit(s, &at, &stop);
    }
}

static void hit_watch(struct rrs_search *s, const struct rrs_watchpoint *watch,
                      const struct rrs_position *before, pid_t tid)
{
    struct rrs_stop stop = {
        .reason = RRS_STOP_WATCHPOINT,
        .tid = tid,
        .watch_address = watch->address,
        .watch_kind = watch->watch_kind,
    };
    hit(s, before, &stop);
}

struct rrs_error *rrs_search_step(struct rrs_search *s)
{
    struct rrs_position before = here(s);
    const struct rrs_replay_task *actor = rrs_replay_actor(s->timeline->replayer);
    pid_t tid = actor ? actor->tid : 0;
    bool happens = rrs_replay_event_is_due(s->timeline->replayer);
    bool loads = happens && s->timeline->replayer->next &&
                 s->timeline->replayer->next->event_kind == RRS_EVENT_EXEC;
    const struct rrs_watchpoint *watch = happens ? NULL : rrs_watches_accessed(s->timeline);
    if (happens) /* its instruction may have a breakpoint, which the run into it would meet again */
        rrs_breaks_enable(s->timeline, false);
    RRS_TRY(rrs_replay_step_any(s->timeline->replayer));
    if (loads) { /* what the old program's memory held did not change: it went */
        rrs_watches_look(s->timeline);
        return NULL;
    }
    const struct rrs_watchpoint *changed = rrs_watches_changed(s->timeline);
    if (changed || watch)
        hit_watch(s, changed ? changed : watch, &before, tid);
    return NULL;
}

/* --- at full speed --- */

/* A write was trapped: where exactly is found by going there once more, in steps. */
static struct rrs_error *find_write(struct rrs_search *s, const struct rrs_position *from)
{
    struct rrs_timeline *timeline = s->timeline;
    struct rrs_stop ignored;
    RRS_TRY(from->pc == RRS_ANY_PC ? rrs_travel_to_tick(timeline, from->event, from->tick, &ignored)
                                   : rrs_travel_to(timeline, from, &ignored));
    rrs_watches_look(timeline);
    while (timeline->replayer->next && !rrs_search_at_limit(s) && !s->done &&
           timeline->replayer->session.clock.ticks <= from->tick + 2)
        RRS_TRY(rrs_search_step(s));
    return NULL;
}

struct rrs_error *rrs_search_settle_traps(struct rrs_search *s)
{
    struct rrs_position traps[RRS_SEARCH_STOPS];
    uint32_t left = s->trapped_count;
    memcpy(traps, s->trapped, left * sizeof *traps);
    s->trapped_count = 0;
    bool found_before = s->found;
    s->found = false;
    while (left && !s->found)
        RRS_TRY(find_write(s, &traps[--left]));
    s->found |= found_before;
    return NULL;
}

/*
 * The tick that the clock shows in the middle of a block may be one too high. Never in front of
 * where the run began: what was written there has been told of.
 */
static void note_trap(struct rrs_search *s)
{
    uint64_t now = s->timeline->replayer->session.clock.ticks;
    struct rrs_position from = s->run_from;
    if (now > from.tick + 1)
        from = (struct rrs_position){from.event, now - 1, RRS_ANY_PC};
    s->stops++;
    if (s->trapped_count == RRS_SEARCH_STOPS) { /* the first is the least likely one to matter */
        s->trapped_count--;
        memmove(s->trapped, s->trapped + 1, s->trapped_count * sizeof *s->trapped);
    }
    s->trapped[s->trapped_count++] = from;
}

/* The CPU trapped a write: is it one that stops the run? */
static bool stops_at_write(void *context)
{
    struct rrs_search *s = context;
    if (!rrs_watches_changed(s->timeline) && !rrs_watches_reads(s->timeline))
        return false;
    note_trap(s);
    return !s->last_wanted || rrs_search_gives_up(s);
}

/* Settles the traps, and goes on to behind the last one even if the hit lies before it. */
static struct rrs_error *settle_and_pass(struct rrs_search *s)
{
    struct rrs_position behind = s->trapped[s->trapped_count - 1], at;
    struct rrs_stop ignored;
    RRS_TRY(rrs_search_settle_traps(s));
    if (s->done)
        return NULL;
    at = here(s);
    behind.tick++;
    behind.pc = RRS_ANY_PC;
    if (s->limit && rrs_position_compare(&behind, s->limit) >= 0)
        return rrs_travel_to(s->timeline, s->limit, &ignored);
    return rrs_position_compare(&at, &behind) < 0
               ? rrs_travel_to_tick(s->timeline, behind.event, behind.tick, &ignored)
               : NULL;
}

/* How far the run from `before` goes at most: a tick. */
static uint64_t end_of_run(const struct rrs_search *s, const struct rrs_position *before)
{
    uint64_t to = before->tick + chunk_ticks;
    return s->limit && s->limit->event == before->event && s->limit->tick <= to ? s->limit->tick
                                                                                : to;
}

/* A debug register trapped between the site and the tick instruction, where the run was to end. */
static bool trapped_late(const struct rrs_replayer *replayer)
{
    const struct rrs_run_stop *stop = &replayer->stop;
    return replayer->stopped && stop->stop_kind == RRS_RUN_RAISED &&
           stop->info.si_signo == SIGTRAP && stop->info.si_code == TRAP_HWBKPT;
}

/* Lets shadow code run with breakpoints and watchpoints in it. */
static struct rrs_error *run_watched(struct rrs_search *s, uint64_t to)
{
    struct rrs_timeline *timeline = s->timeline;
    struct rrs_replayer *replayer = timeline->replayer;
    bool watching = timeline->watchpoint_count;
    s->run_from = here(s);
    rrs_watches_follow_actor(timeline);
    rrs_breaks_enable(timeline, true);
    bool armed = !watching || rrs_watches_arm(timeline, true);
    if (!armed && rrs_watches_reads(timeline))
        return rrs_search_step(s); /* nothing else tells of a read */
    if (!armed)
        to = s->run_from.tick + 2; /* tick by tick, for want of registers */
    replayer->stops_at_write = watching ? stops_at_write : NULL;
    replayer->stops_at_write_context = s;
    struct rrs_error *error = rrs_replay_run_towards_event(replayer, to - 1);
    replayer->stops_at_write = NULL;
    if (watching)
        rrs_watches_arm(timeline, false);
    bool late = trapped_late(replayer);
    if (late)
        replayer->stopped = false;
    if (!error && watching && replayer->stop.stop_kind != RRS_RUN_WRITE &&
        (rrs_watches_changed(timeline) || (late && rrs_watches_reads(timeline))))
        note_trap(s); /* nobody was asked about it */
    return error;
}

struct rrs_error *rrs_search_run(struct rrs_search *s)
{
    struct rrs_timeline *timeline = s->timeline;
    struct rrs_replayer *replayer = timeline->replayer;
    struct rrs_position before = here(s);
    uint64_t to = end_of_run(s, &before);
    bool in_front = replayer->stopped && replayer->stop.stop_kind == RRS_RUN_TICK;
    if (to == before.tick || (in_front && to == before.tick + 1))
        return rrs_search_step(s);
    RRS_TRY(run_watched(s, to));
    if (s->trapped_count && (!s->last_wanted || replayer->stop.stop_kind == RRS_RUN_WRITE)) {
        timeline->lost |= replayer->stop.stop_kind == RRS_RUN_WRITE;
        return settle_and_pass(s);
    }
    /* An instruction that a break is in the middle of: none of ours. */
    const struct rrs_replay_task *actor = rrs_replay_actor(replayer);
    if (replayer->stop.stop_kind == RRS_RUN_BREAK && !rrs_replay_event_is_due(replayer) &&
        !rrs_breakpoint_at(timeline, actor->task->regs.rip) && !rrs_search_at_limit(s))
        return rrs_search_step(s);
    return NULL;
}

/* --- the whole stretch --- */

struct rrs_error *rrs_search_forward(struct rrs_search *s)
{
    struct rrs_timeline *timeline = s->timeline;
    struct rrs_replayer *replayer = timeline->replayer;
    struct rrs_position passed = here(s);
    rrs_watches_look(timeline);
    while (replayer->next && !rrs_search_at_limit(s) && !rrs_search_gives_up(s)) {
        struct rrs_position position = here(s);
        if (rrs_timeline_is_interrupted(timeline)) {
            s->stop = rrs_timeline_stop(timeline, RRS_STOP_INTERRUPTED);
            s->done = true;
        } else if (rrs_position_compare(&position, &passed)) {
            rrs_search_look_at_place(s);
        }
        if (s->done)
            return NULL;
        passed = position;
        RRS_TRY(rrs_timeline_maybe_checkpoint(timeline));
        const struct rrs_replay_task *actor = rrs_replay_actor(replayer);
        bool at_break = actor && rrs_breakpoint_at(timeline, actor->task->regs.rip);
        bool slowly = at_break || rrs_replay_event_is_due(replayer) ||
                      (s->unlimited && timeline->watchpoint_count); /* more traps than are kept */
        RRS_TRY(slowly ? rrs_search_step(s) : rrs_search_run(s));
        if (s->done)
            return NULL;
    }
    return NULL;
}

static struct rrs_error *run_forward(struct rrs_timeline *timeline, struct rrs_stop *stop)
{
    struct rrs_search s = {.timeline = timeline};
    if (timeline->watchpoint_count) /* a write that is trapped is found from here */
        RRS_TRY(rrs_timeline_checkpoint_near(timeline));
    RRS_TRY(rrs_search_forward(&s));
    *stop = s.done ? s.stop : rrs_timeline_stop(timeline, RRS_STOP_END);
    return NULL;
}

struct rrs_error *rrs_timeline_run(struct rrs_timeline *timeline, enum rrs_direction direction,
                                   struct rrs_stop *stop)
{
    if (timeline->trial)
        return rrs_trial_run(timeline, stop);
    return direction == RRS_FORWARD ? run_forward(timeline, stop)
                                    : rrs_run_backward(timeline, stop);
}
