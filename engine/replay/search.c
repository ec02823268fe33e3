/* SPDX-License-Identifier: MIT */
/*
 * Running until something stops it. Backward is a search: the stretch in front of here is run
 * forward from a checkpoint, and the last hit in it is where to go; if it has none, the stretch
 * before it is searched.
 */
#include "engine/replay/step.h"
#include "engine/replay/timeline_internal.h"

#include <stdlib.h>

static const uint64_t chunk_ticks = 20000000;

struct search {
    struct rrs_timeline *timeline;
    const struct rrs_position *limit; /* hits from here on do not count; NULL: no limit */
    bool last_wanted;                 /* the last hit, not the first */
    bool found;
    struct rrs_position at; /* of the hit: where to stand, going backward */
    struct rrs_stop stop;
    bool done;
    /* A write was trapped somewhere from this tick on, behind the hit above. */
    bool trapped;
    struct rrs_position trapped_from;
    struct rrs_position run_from; /* where the stretch under way began */
};

static struct rrs_position here(const struct search *s)
{
    return rrs_replay_position(s->timeline->replayer);
}

static bool at_limit(const struct search *s)
{
    struct rrs_position position = here(s);
    return s->limit && rrs_position_compare(&position, s->limit) >= 0;
}

static void hit(struct search *s, const struct rrs_position *at, const struct rrs_stop *stop)
{
    s->found = true;
    s->trapped = false;
    s->at = *at;
    s->stop = *stop;
    s->done = !s->last_wanted;
}

static bool is_breakpoint(const struct search *s)
{
    struct rrs_timeline *timeline = s->timeline;
    const struct rrs_replay_task *actor = rrs_replay_actor(timeline->replayer);
    const struct rrs_breakpoint *breakpoint =
        actor && !actor->in_call ? rrs_breakpoint_at(timeline, actor->task->regs.rip) : NULL;
    return breakpoint &&
           (!breakpoint->accept || breakpoint->accept(breakpoint->context, timeline, actor->tid));
}

static bool is_caught(const struct search *s)
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
static void look_at_place(struct search *s)
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

static void look_at_memory(struct search *s, const struct rrs_position *before, pid_t tid)
{
    const struct rrs_watchpoint *watch = rrs_watches_changed(s->timeline);
    if (!watch)
        return;
    struct rrs_stop stop = {
        .reason = RRS_STOP_WATCHPOINT,
        .tid = tid,
        .watch_address = watch->address,
        .watch_kind = watch->watch_kind,
    };
    hit(s, before, &stop);
}

static struct rrs_error *step(struct search *s)
{
    struct rrs_position before = here(s);
    const struct rrs_replay_task *actor = rrs_replay_actor(s->timeline->replayer);
    pid_t tid = actor ? actor->tid : 0;
    RRS_TRY(rrs_replay_step_any(s->timeline->replayer));
    look_at_memory(s, &before, tid);
    return NULL;
}

/* --- at full speed --- */

/* A write was trapped: where exactly is found by going there once more, in steps. */
static struct rrs_error *find_write(struct search *s, const struct rrs_position *from)
{
    struct rrs_timeline *timeline = s->timeline;
    struct rrs_stop ignored;
    RRS_TRY(from->pc == RRS_ANY_PC ? rrs_travel_to_tick(timeline, from->event, from->tick, &ignored)
                                   : rrs_travel_to(timeline, from, &ignored));
    rrs_watches_look(timeline);
    while (timeline->replayer->next && !at_limit(s) && !s->done &&
           timeline->replayer->session.clock.ticks <= from->tick + 2)
        RRS_TRY(step(s));
    return NULL;
}

/*
 * The tick that the clock shows in the middle of a block may be one too high. Never in front of
 * where the run began: what was written there has been told of.
 */
static struct rrs_position place_of_write(const struct rrs_timeline *timeline,
                                          const struct rrs_position *before)
{
    uint64_t now = timeline->replayer->session.clock.ticks;
    if (now <= before->tick + 1)
        return *before;
    return (struct rrs_position){before->event, now - 1, RRS_ANY_PC};
}

/* The CPU trapped a write: is it one that stops the run? */
static bool stops_at_write(void *context)
{
    struct search *s = context;
    if (!rrs_watches_changed(s->timeline))
        return false;
    s->trapped = true;
    s->trapped_from = place_of_write(s->timeline, &s->run_from);
    return !s->last_wanted;
}

static struct rrs_error *run(struct search *s)
{
    struct rrs_timeline *timeline = s->timeline;
    struct rrs_replayer *replayer = timeline->replayer;
    struct rrs_position before = here(s);
    uint64_t to = before.tick + chunk_ticks;
    bool watching = timeline->watchpoint_count;
    bool limited = s->limit && s->limit->event == before.event && s->limit->tick <= to;
    if (limited && s->limit->tick == before.tick)
        return step(s);
    if (limited)
        to = s->limit->tick;
    if (replayer->stopped && replayer->stop.stop_kind == RRS_RUN_TICK && to == before.tick + 1)
        return step(s);
    rrs_watches_follow_actor(timeline);
    rrs_breaks_enable(timeline, true);
    if (watching && !rrs_watches_arm(timeline, true))
        to = before.tick + 2; /* tick by tick, for want of registers */
    s->run_from = before;
    replayer->stops_at_write = watching ? stops_at_write : NULL;
    replayer->stops_at_write_context = s;
    struct rrs_error *error = rrs_replay_run_towards_event(replayer, to - 1);
    replayer->stops_at_write = NULL;
    if (watching)
        rrs_watches_arm(timeline, false);
    if (error)
        return error;
    if (watching && replayer->stop.stop_kind != RRS_RUN_WRITE && rrs_watches_changed(timeline)) {
        s->trapped = true; /* no register told of it */
        s->trapped_from = place_of_write(timeline, &before);
    }
    if (s->trapped && !s->last_wanted) {
        struct rrs_position from = s->trapped_from;
        s->trapped = false;
        timeline->lost |= replayer->stop.stop_kind == RRS_RUN_WRITE;
        return find_write(s, &from);
    }
    /* An instruction that a break is in the middle of: none of ours. */
    const struct rrs_replay_task *actor = rrs_replay_actor(replayer);
    if (replayer->stop.stop_kind == RRS_RUN_BREAK &&
        !rrs_breakpoint_at(timeline, actor->task->regs.rip) && !at_limit(s))
        return step(s);
    return NULL;
}

/* --- forward --- */

static struct rrs_error *search_forward(struct search *s)
{
    struct rrs_timeline *timeline = s->timeline;
    struct rrs_replayer *replayer = timeline->replayer;
    struct rrs_position passed = here(s);
    rrs_watches_look(timeline);
    while (replayer->next && !at_limit(s) && !s->done) {
        struct rrs_position position = here(s);
        if (rrs_timeline_is_interrupted(timeline)) {
            s->stop = rrs_timeline_stop(timeline, RRS_STOP_INTERRUPTED);
            s->done = true;
            return NULL;
        }
        if (rrs_position_compare(&position, &passed))
            look_at_place(s);
        if (s->done)
            return NULL;
        passed = position;
        RRS_TRY(rrs_timeline_maybe_checkpoint(timeline));
        const struct rrs_replay_task *actor = rrs_replay_actor(replayer);
        bool at_break = actor && rrs_breakpoint_at(timeline, actor->task->regs.rip);
        RRS_TRY(at_break || rrs_replay_event_is_due(replayer) ? step(s) : run(s));
    }
    return NULL;
}

static struct rrs_error *run_forward(struct rrs_timeline *timeline, struct rrs_stop *stop)
{
    struct search s = {.timeline = timeline};
    if (timeline->watchpoint_count) /* a write that is trapped is found from here */
        RRS_TRY(rrs_timeline_checkpoint_near(timeline));
    RRS_TRY(search_forward(&s));
    *stop = s.done ? s.stop : rrs_timeline_stop(timeline, RRS_STOP_END);
    return NULL;
}

/* --- backward --- */

static struct rrs_error *run_backward(struct rrs_timeline *timeline, struct rrs_stop *stop)
{
    struct rrs_position limit = rrs_replay_position(timeline->replayer), start = limit;
    size_t at = rrs_checkpoint_before(timeline, &limit);
    for (;;) {
        struct search s = {.timeline = timeline, .limit = &limit, .last_wanted = true};
        const struct rrs_live_checkpoint *from = timeline->checkpoints[at];
        struct rrs_position begin = from->position;
        RRS_TRY(rrs_timeline_restore(timeline, from));
        look_at_place(&s); /* the stretch begins with this place */
        RRS_TRY(search_forward(&s));
        if (s.trapped && !s.done) {
            struct rrs_position write = s.trapped_from;
            RRS_TRY(find_write(&s, &write));
        }
        if (s.done) { /* interrupted */
            *stop = s.stop;
            struct rrs_stop ignored;
            return rrs_travel_to(timeline, &start, &ignored);
        }
        if (s.found) {
            struct rrs_stop reached;
            RRS_TRY(rrs_travel_to(timeline, &s.at, &reached));
            *stop = s.stop;
            return NULL;
        }
        if (at == 0)
            break;
        at = rrs_checkpoint_before(timeline, &begin);
        limit = begin;
    }
    RRS_TRY(rrs_timeline_restore(timeline, timeline->checkpoints[0]));
    *stop = rrs_timeline_stop(timeline, RRS_STOP_BEGIN);
    return NULL;
}

struct rrs_error *rrs_timeline_run(struct rrs_timeline *timeline, enum rrs_direction direction,
                                   struct rrs_stop *stop)
{
    if (timeline->trial)
        return rrs_trial_run(timeline, stop);
    return direction == RRS_FORWARD ? run_forward(timeline, stop) : run_backward(timeline, stop);
}

/* --- single steps --- */

static bool is_at_begin(const struct rrs_timeline *timeline)
{
    struct rrs_position position = rrs_replay_position(timeline->replayer);
    return rrs_position_compare(&position, &timeline->checkpoints[0]->position) <= 0;
}

/* Whether what happens next is an instruction of `tid` (0: of anybody), or takes it elsewhere. */
static bool next_is_step_of(const struct rrs_timeline *timeline, pid_t tid)
{
    const struct rrs_replayer *replayer = timeline->replayer;
    const struct rrs_replay_task *actor = rrs_replay_actor(replayer);
    if (!actor || (tid && actor->tid != tid))
        return false;
    if (!rrs_replay_event_is_due(replayer))
        return true;
    return rrs_replay_event_is_insn(replayer) || replayer->next->event_kind == RRS_EVENT_SIGNAL;
}

static struct rrs_error *step_forward(struct rrs_timeline *timeline, pid_t tid,
                                      struct rrs_stop *stop)
{
    struct search s = {.timeline = timeline};
    struct rrs_replayer *replayer = timeline->replayer;
    bool stepped = false, moved = false;
    rrs_watches_look(timeline);
    while (!stepped && replayer->next) {
        if (moved)
            look_at_place(&s);
        if (!s.done && rrs_timeline_is_interrupted(timeline)) {
            *stop = rrs_timeline_stop(timeline, RRS_STOP_INTERRUPTED);
            return NULL;
        }
        if (!s.done) {
            stepped = next_is_step_of(timeline, tid);
            const struct rrs_replay_task *actor = rrs_replay_actor(replayer);
            bool others = tid && actor && actor->tid != tid && !rrs_replay_event_is_due(replayer) &&
                          !rrs_breakpoint_at(timeline, actor->task->regs.rip);
            RRS_TRY(others ? run(&s) : step(&s));
            moved = true;
        }
        if (s.done) {
            *stop = s.stop;
            return NULL;
        }
    }
    *stop = rrs_timeline_stop(timeline, stepped ? RRS_STOP_STEPPED : RRS_STOP_END);
    return NULL;
}

/* Walks to `limit` and notes the last place where a step of `tid` began. */
static struct rrs_error *find_last_step(struct rrs_timeline *timeline, pid_t tid,
                                        const struct rrs_position *limit, struct rrs_position *last,
                                        bool *found)
{
    struct rrs_replayer *replayer = timeline->replayer;
    *found = false;
    while (replayer->next && !rrs_timeline_is_interrupted(timeline)) {
        struct rrs_position position = rrs_replay_position(replayer);
        if (rrs_position_compare(&position, limit) >= 0)
            return NULL;
        if (next_is_step_of(timeline, tid)) {
            *last = position;
            *found = true;
        }
        RRS_TRY(rrs_replay_step_any(replayer));
    }
    return NULL;
}

static struct rrs_error *step_backward(struct rrs_timeline *timeline, pid_t tid,
                                       struct rrs_stop *stop)
{
    struct rrs_position limit = rrs_replay_position(timeline->replayer), last;
    struct rrs_stop ignored;
    bool found = false;
    for (uint64_t back = 0; !found && !is_at_begin(timeline); back = back ? back * 4 : 1) {
        RRS_TRY(
            rrs_timeline_seek_tick(timeline, limit.tick > back ? limit.tick - back : 0, &ignored));
        struct rrs_position from = rrs_replay_position(timeline->replayer);
        if (rrs_position_compare(&from, &limit) >= 0)
            continue;
        if (!timeline->near || rrs_position_compare(&timeline->near->position, &from))
            RRS_TRY(rrs_timeline_checkpoint_near(timeline));
        RRS_TRY(find_last_step(timeline, tid, &limit, &last, &found));
        if (!found && back > limit.tick)
            break;
    }
    if (!found) {
        RRS_TRY(rrs_timeline_restore(timeline, timeline->checkpoints[0]));
        *stop = rrs_timeline_stop(timeline, RRS_STOP_BEGIN);
        return NULL;
    }
    RRS_TRY(rrs_travel_to(timeline, &last, &ignored));
    *stop = rrs_timeline_stop(timeline, RRS_STOP_STEPPED);
    return NULL;
}

struct rrs_error *rrs_timeline_step(struct rrs_timeline *timeline, enum rrs_direction direction,
                                    pid_t tid, struct rrs_stop *stop)
{
    if (timeline->trial)
        return rrs_trial_step(timeline, stop);
    return direction == RRS_FORWARD ? step_forward(timeline, tid, stop)
                                    : step_backward(timeline, tid, stop);
}

struct rrs_error *rrs_timeline_step_range(struct rrs_timeline *timeline, pid_t tid, rrs_addr low,
                                          rrs_addr high, struct rrs_stop *stop)
{
    for (;;) {
        RRS_TRY(rrs_timeline_step(timeline, RRS_FORWARD, tid, stop));
        const struct rrs_replay_task *actor = rrs_replay_actor(timeline->replayer);
        if (stop->reason != RRS_STOP_STEPPED || !actor || (tid && actor->tid != tid))
            return NULL;
        rrs_addr pc = actor->task->regs.rip;
        if (pc < low || pc >= high || rrs_breakpoint_at(timeline, pc))
            return NULL;
    }
}
