/* SPDX-License-Identifier: MIT */
/* One instruction forward or backward. */
#include "engine/replay/search.h"
#include "engine/replay/step.h"

#include <stdlib.h>

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
    struct rrs_search s = {.timeline = timeline};
    struct rrs_replayer *replayer = timeline->replayer;
    bool stepped = false, moved = false;
    rrs_watches_look(timeline);
    while (!stepped && replayer->next) {
        if (moved)
            rrs_search_look_at_place(&s);
        if (!s.done && rrs_timeline_is_interrupted(timeline)) {
            *stop = rrs_timeline_stop(timeline, RRS_STOP_INTERRUPTED);
            return NULL;
        }
        if (!s.done) {
            stepped = next_is_step_of(timeline, tid);
            const struct rrs_replay_task *actor = rrs_replay_actor(replayer);
            bool others = tid && actor && actor->tid != tid && !rrs_replay_event_is_due(replayer) &&
                          !rrs_breakpoint_at(timeline, actor->task->regs.rip);
            RRS_TRY(others ? rrs_search_run(&s) : rrs_search_step(&s));
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

static struct rrs_error *walk_add(struct rrs_walk *walk, const struct rrs_position *position)
{
    if (walk->count == walk->room) {
        size_t room = walk->room ? 2 * walk->room : 64;
        struct rrs_position *larger = reallocarray(walk->positions, room, sizeof *larger);
        if (!larger)
            return rrs_error_no_memory();
        walk->positions = larger;
        walk->room = room;
    }
    walk->positions[walk->count++] = *position;
    return NULL;
}

/* Walks to `limit` and notes the places where steps of `tid` began. */
static struct rrs_error *find_steps(struct rrs_timeline *timeline, pid_t tid,
                                    const struct rrs_position *limit, bool *interrupted)
{
    struct rrs_replayer *replayer = timeline->replayer;
    struct rrs_walk *walk = &timeline->walk;
    walk->tid = tid;
    walk->count = 0;
    while (replayer->next && !(*interrupted = rrs_timeline_is_interrupted(timeline))) {
        struct rrs_position position = rrs_replay_position(replayer);
        if (rrs_position_compare(&position, limit) >= 0)
            return NULL;
        if (next_is_step_of(timeline, tid))
            RRS_TRY(walk_add(walk, &position));
        RRS_TRY(rrs_replay_step_any(replayer));
    }
    return NULL;
}

/* Whether the last walk tells where the step before `limit` began. */
static bool walk_knows(struct rrs_walk *walk, pid_t tid, const struct rrs_position *limit)
{
    if (walk->tid != tid || walk->count < 2 ||
        rrs_position_compare(&walk->positions[walk->count - 1], limit) != 0)
        return false;
    walk->count--;
    return true;
}

/* From some ticks in front of here on, and from ever more if none of them was a step of `tid`. */
static struct rrs_error *find_step_before(struct rrs_timeline *timeline, pid_t tid,
                                          const struct rrs_position *limit, bool *interrupted)
{
    struct rrs_stop stop;
    timeline->walk.count = 0;
    for (uint64_t back = 0; !timeline->walk.count && !*interrupted && !is_at_begin(timeline);
         back = back ? back * 4 : 1) {
        uint64_t tick = limit->tick > back ? limit->tick - back : 0;
        RRS_TRY(rrs_timeline_lay_rungs(timeline, tick));
        RRS_TRY(rrs_timeline_seek_tick(timeline, tick, &stop));
        *interrupted = stop.reason == RRS_STOP_INTERRUPTED;
        struct rrs_position from = rrs_replay_position(timeline->replayer);
        if (rrs_position_compare(&from, limit) >= 0)
            continue;
        if (!timeline->near || rrs_position_compare(&timeline->near->position, &from))
            RRS_TRY(rrs_timeline_checkpoint_near(timeline));
        if (!*interrupted)
            RRS_TRY(find_steps(timeline, tid, limit, interrupted));
        if (!timeline->walk.count && back > limit->tick)
            break;
    }
    return NULL;
}

static struct rrs_error *step_backward(struct rrs_timeline *timeline, pid_t tid,
                                       struct rrs_stop *stop)
{
    struct rrs_position limit = rrs_replay_position(timeline->replayer);
    struct rrs_walk *walk = &timeline->walk;
    struct rrs_stop ignored;
    bool interrupted = false;
    if (!walk_knows(walk, tid, &limit))
        RRS_TRY(find_step_before(timeline, tid, &limit, &interrupted));
    if (interrupted) {
        walk->count = 0; /* not all of the way */
        *stop = rrs_timeline_stop(timeline, RRS_STOP_INTERRUPTED);
        return rrs_travel_to(timeline, &limit, &ignored);
    }
    if (!walk->count) {
        RRS_TRY(rrs_timeline_restore(timeline, timeline->checkpoints[0]));
        *stop = rrs_timeline_stop(timeline, RRS_STOP_BEGIN);
        return NULL;
    }
    struct rrs_position last = walk->positions[walk->count - 1];
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
