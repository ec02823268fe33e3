/* SPDX-License-Identifier: MIT */
/* Going to a position: from the nearest checkpoint, by events, then ticks, then instructions. */
#include "engine/replay/step.h"
#include "engine/replay/timeline_internal.h"
#include "lmdb-store/clock.h"

#include <stdlib.h>
#include <string.h>

enum { CHECKPOINTS_MAX = 48 };
static const uint64_t chunk_ticks = 20000000; /* between two looks at the user's wishes */
static const uint64_t progress_every_ns = 200000000;

int rrs_position_compare(const struct rrs_position *a, const struct rrs_position *b)
{
    if (a->event != b->event)
        return a->event < b->event ? -1 : 1;
    if (a->tick != b->tick)
        return a->tick < b->tick ? -1 : 1;
    return a->pc < b->pc ? -1 : a->pc > b->pc;
}

struct rrs_stop rrs_timeline_stop(const struct rrs_timeline *timeline, enum rrs_stop_reason reason)
{
    const struct rrs_replay_task *actor = rrs_replay_actor(timeline->replayer);
    return (struct rrs_stop){.reason = reason, .tid = actor ? actor->tid : 0};
}

bool rrs_timeline_is_interrupted(struct rrs_timeline *timeline)
{
    uint64_t now = rrs_clock_ns(CLOCK_MONOTONIC);
    if (timeline->options.progress && now - timeline->last_progress_ns > progress_every_ns) {
        timeline->last_progress_ns = now;
        timeline->options.progress(timeline->options.context,
                                   timeline->replayer->session.clock.ticks,
                                   timeline->replayer->last_tick);
    }
    if (!timeline->interrupted)
        return false;
    timeline->interrupted = 0;
    return true;
}

/* --- checkpoints --- */

size_t rrs_checkpoint_before(const struct rrs_timeline *timeline,
                             const struct rrs_position *position)
{
    size_t found = 0;
    for (size_t i = 1; i < timeline->checkpoint_count; i++)
        if (rrs_position_compare(&timeline->checkpoints[i]->position, position) < 0)
            found = i;
    return found;
}

struct rrs_error *rrs_timeline_restore(struct rrs_timeline *timeline,
                                       const struct rrs_live_checkpoint *checkpoint)
{
    RRS_TRY(rrs_live_checkpoint_restore(timeline->replayer, checkpoint));
    timeline->lost = false;
    return NULL;
}

/* Every second one goes, so that the rest lie twice as far apart. */
static void thin_out(struct rrs_timeline *timeline)
{
    size_t kept = 1;
    for (size_t i = 1; i < timeline->checkpoint_count; i++)
        if (i % 2)
            rrs_live_checkpoint_destroy(timeline->replayer, timeline->checkpoints[i]);
        else
            timeline->checkpoints[kept++] = timeline->checkpoints[i];
    timeline->checkpoint_count = kept;
    timeline->checkpoint_spacing_ns *= 2;
}

struct rrs_error *rrs_timeline_add_checkpoint(struct rrs_timeline *timeline)
{
    struct rrs_live_checkpoint *made;
    RRS_TRY(rrs_live_checkpoint_create(timeline->replayer, &made));
    if (timeline->checkpoint_count == CHECKPOINTS_MAX)
        thin_out(timeline);
    size_t at = timeline->checkpoint_count++;
    while (at > 1 &&
           rrs_position_compare(&timeline->checkpoints[at - 1]->position, &made->position) > 0) {
        timeline->checkpoints[at] = timeline->checkpoints[at - 1];
        at--;
    }
    timeline->checkpoints[at] = made;
    return NULL;
}

struct rrs_error *rrs_timeline_maybe_checkpoint(struct rrs_timeline *timeline)
{
    struct rrs_position here = rrs_replay_position(timeline->replayer);
    size_t count = timeline->checkpoint_count;
    uint64_t now = rrs_clock_ns(CLOCK_MONOTONIC);
    if (timeline->trial || !timeline->replayer->tasks)
        return NULL;
    /* Where there are later ones, this stretch has been gone through before. */
    bool behind_all = rrs_position_compare(&timeline->checkpoints[count - 1]->position, &here) < 0;
    if (!behind_all || now - timeline->last_checkpoint_ns < timeline->checkpoint_spacing_ns)
        return NULL;
    timeline->last_checkpoint_ns = now;
    return rrs_timeline_add_checkpoint(timeline);
}

struct rrs_error *rrs_timeline_checkpoint_near(struct rrs_timeline *timeline)
{
    if (timeline->trial || !timeline->replayer->tasks)
        return NULL;
    rrs_live_checkpoint_destroy(timeline->replayer, timeline->near);
    timeline->near = NULL;
    return rrs_live_checkpoint_create(timeline->replayer, &timeline->near);
}

/* --- forward --- */

static struct rrs_error *advance(struct rrs_timeline *timeline, uint64_t tick)
{
    struct rrs_replayer *replayer = timeline->replayer;
    uint64_t chunk = replayer->session.clock.ticks + chunk_ticks;
    RRS_TRY(rrs_timeline_maybe_checkpoint(timeline));
    if (rrs_replay_event_is_due(replayer))
        return rrs_replayer_step_event(replayer);
    return chunk < tick ? rrs_replay_run_towards_event(replayer, chunk)
                        : rrs_replay_run_towards_tick(replayer, tick);
}

/* Where to: the place in front of event `event`, or (if that comes first) the first with `tick`. */
static struct rrs_error *go_forward(struct rrs_timeline *timeline, uint64_t event, uint64_t tick,
                                    bool *interrupted)
{
    struct rrs_replayer *replayer = timeline->replayer;
    *interrupted = false;
    while (replayer->next && !*interrupted) {
        if (replayer->next->number >= event && replayer->session.clock.ticks >= tick)
            return NULL;
        if (replayer->next->number >= event && rrs_replay_event_is_due(replayer))
            return NULL;
        RRS_TRY(advance(timeline, replayer->next->number >= event ? tick : UINT64_MAX));
        *interrupted = rrs_timeline_is_interrupted(timeline);
    }
    return NULL;
}

static const struct rrs_live_checkpoint *nearer(const struct rrs_live_checkpoint *best,
                                                const struct rrs_live_checkpoint *other,
                                                const struct rrs_position *position)
{
    bool is_nearer = other && rrs_position_compare(&other->position, position) <= 0 &&
                     rrs_position_compare(&other->position, &best->position) > 0;
    return is_nearer ? other : best;
}

static const struct rrs_live_checkpoint *nearest(const struct rrs_timeline *timeline,
                                                 const struct rrs_position *position)
{
    const struct rrs_live_checkpoint *best =
        timeline->checkpoints[rrs_checkpoint_before(timeline, position)];
    for (size_t i = 0; i < timeline->rung_count; i++)
        best = nearer(best, timeline->rungs[i], position);
    return nearer(best, timeline->near, position);
}

const struct rrs_live_checkpoint *rrs_known_before(const struct rrs_timeline *timeline,
                                                   const struct rrs_position *position)
{
    const struct rrs_live_checkpoint *best =
        timeline->checkpoints[rrs_checkpoint_before(timeline, position)];
    for (size_t i = 0; i < timeline->rung_count; i++)
        if (rrs_position_compare(&timeline->rungs[i]->position, position) < 0)
            best = nearer(best, timeline->rungs[i], position);
    return best;
}

/* Starts from the last known place that lies in front of the position, which may be here. */
static struct rrs_error *start_from_nearest(struct rrs_timeline *timeline,
                                            const struct rrs_position *position)
{
    RRS_TRY(rrs_timeline_load_stored(timeline, position, true));
    struct rrs_position here = rrs_replay_position(timeline->replayer);
    const struct rrs_live_checkpoint *best = nearest(timeline, position);
    bool here_will_do = !timeline->lost && rrs_position_compare(&here, position) <= 0 &&
                        rrs_position_compare(&here, &best->position) >= 0;
    return here_will_do ? NULL : rrs_timeline_restore(timeline, best);
}

struct rrs_error *rrs_travel_to_tick(struct rrs_timeline *timeline, uint64_t event, uint64_t tick,
                                     struct rrs_stop *stop)
{
    bool interrupted;
    const struct rrs_position first = {event, tick, RRS_ANY_PC};
    rrs_breaks_enable(timeline, false);
    RRS_TRY(start_from_nearest(timeline, &first));
    RRS_TRY(go_forward(timeline, event, tick, &interrupted));
    *stop = rrs_timeline_stop(timeline, interrupted ? RRS_STOP_INTERRUPTED : RRS_STOP_REACHED);
    return NULL;
}

struct rrs_error *rrs_travel_to(struct rrs_timeline *timeline, const struct rrs_position *position,
                                struct rrs_stop *stop)
{
    struct rrs_replayer *replayer = timeline->replayer;
    bool interrupted;
    rrs_breaks_enable(timeline, false);
    RRS_TRY(start_from_nearest(timeline, position));
    RRS_TRY(go_forward(timeline, position->event, position->tick, &interrupted));
    *stop = rrs_timeline_stop(timeline, interrupted ? RRS_STOP_INTERRUPTED : RRS_STOP_REACHED);
    while (!interrupted) {
        struct rrs_position here = rrs_replay_position(replayer);
        int order = rrs_position_compare(&here, position);
        if (order == 0 || position->pc == RRS_ANY_PC || !replayer->next)
            return NULL;
        if (order > 0 || rrs_replay_event_is_due(replayer))
            return rrs_error_create(RRS_ERROR_NOT_FOUND,
                                    "no instruction is executed at event %lu, tick %lu, PC %#lx",
                                    (unsigned long)position->event, (unsigned long)position->tick,
                                    (unsigned long)position->pc);
        RRS_TRY(rrs_replay_step_insn(replayer));
    }
    return NULL;
}

/* --- rungs --- */

/* Those behind a place are of no use to who goes backward. */
static void drop_rungs_behind(struct rrs_timeline *timeline, const struct rrs_position *position)
{
    size_t kept = 0;
    for (size_t i = 0; i < timeline->rung_count; i++)
        if (rrs_position_compare(&timeline->rungs[i]->position, position) < 0)
            timeline->rungs[kept++] = timeline->rungs[i];
        else
            rrs_live_checkpoint_destroy(timeline->replayer, timeline->rungs[i]);
    timeline->rung_count = kept;
}

/* The one that lies furthest back makes room. */
static struct rrs_error *add_rung(struct rrs_timeline *timeline)
{
    struct rrs_live_checkpoint *made;
    struct rrs_position here = rrs_replay_position(timeline->replayer);
    RRS_TRY(rrs_live_checkpoint_create(timeline->replayer, &made));
    drop_rungs_behind(timeline, &here);
    if (timeline->rung_count == RRS_RUNGS_MAX) {
        rrs_live_checkpoint_destroy(timeline->replayer, timeline->rungs[0]);
        timeline->rung_count--;
        memmove(&timeline->rungs[0], &timeline->rungs[1],
                timeline->rung_count * sizeof timeline->rungs[0]);
    }
    timeline->rungs[timeline->rung_count++] = made;
    return NULL;
}

/* Microseconds from one place to another: some hundred ticks each, or a small part of an event. */
static uint64_t cost_us(const struct rrs_position *from, const struct rrs_position *to)
{
    enum { TICKS_PER_US = 200, US_PER_EVENT = 25 };
    return (to->tick - from->tick) / TICKS_PER_US + (to->event - from->event) * US_PER_EVENT;
}

/* Whether the way that a rung saves is worth what it costs to make, and most of the way. */
static bool is_worth_it(const struct rrs_position *known, const struct rrs_position *rung,
                        const struct rrs_position *target)
{
    enum { RUNG_COSTS_US = 3000 };
    if (rrs_position_compare(known, rung) >= 0)
        return false;
    uint64_t saved = cost_us(known, rung);
    return saved > RUNG_COSTS_US && saved > cost_us(rung, target);
}

struct rrs_error *rrs_timeline_lay_rungs(struct rrs_timeline *timeline, uint64_t tick)
{
    enum { FIRST_BITS = 24, BITS = 4, LAST_BITS = 4 };
    struct rrs_position target = {.tick = tick, .pc = RRS_ANY_PC};
    struct rrs_stop stop;
    if (timeline->trial)
        return NULL;
    RRS_TRY(rrs_event_at_tick(timeline, target.tick, &target.event));
    for (int bits = FIRST_BITS; bits >= LAST_BITS; bits -= BITS) {
        if (!(tick >> bits))
            continue;
        struct rrs_position first = {.tick = tick - (1ull << bits), .pc = RRS_ANY_PC};
        RRS_TRY(rrs_event_at_tick(timeline, first.tick, &first.event));
        if (!is_worth_it(&nearest(timeline, &first)->position, &first, &target))
            continue;
        RRS_TRY(rrs_travel_to_tick(timeline, first.event, first.tick, &stop));
        if (stop.reason == RRS_STOP_INTERRUPTED || !timeline->replayer->tasks)
            return NULL;
        RRS_TRY(add_rung(timeline));
    }
    return NULL;
}

/* --- the interface --- */

static struct rrs_error *refuse_in_trial(const struct rrs_timeline *timeline)
{
    return timeline->trial ? rrs_error_create(RRS_ERROR_USAGE, "a trial is under way") : NULL;
}

struct rrs_error *rrs_timeline_seek(struct rrs_timeline *timeline,
                                    const struct rrs_position *position, struct rrs_stop *stop)
{
    RRS_TRY(refuse_in_trial(timeline));
    return rrs_travel_to(timeline, position, stop);
}

struct rrs_error *rrs_timeline_seek_event(struct rrs_timeline *timeline, uint64_t event,
                                          struct rrs_stop *stop)
{
    RRS_TRY(refuse_in_trial(timeline));
    uint64_t first = timeline->checkpoints[0]->position.event;
    return rrs_travel_to_tick(timeline, event < first ? first : event, UINT64_MAX, stop);
}

struct rrs_error *rrs_event_at_tick(struct rrs_timeline *timeline, uint64_t tick, uint64_t *event)
{
    struct rrs_event_cursor *cursor;
    const struct rrs_event *found;
    RRS_TRY(rrs_event_cursor_create(timeline->replayer->log, NULL, &cursor));
    struct rrs_error *error = rrs_event_cursor_seek_tick(cursor, tick, &found);
    if (!error)
        *event = found ? found->number : UINT64_MAX;
    rrs_event_cursor_destroy(cursor);
    return error;
}

struct rrs_error *rrs_timeline_seek_tick(struct rrs_timeline *timeline, uint64_t tick,
                                         struct rrs_stop *stop)
{
    uint64_t event;
    RRS_TRY(refuse_in_trial(timeline));
    RRS_TRY(rrs_event_at_tick(timeline, tick, &event));
    uint64_t first = timeline->checkpoints[0]->position.event;
    return rrs_travel_to_tick(timeline, event < first ? first : event, tick, stop);
}
