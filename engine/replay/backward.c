/* SPDX-License-Identifier: MIT */
/*
 * Running backward is a search for the last hit in front of here. The stretch behind the last
 * checkpoint is run forward, and if it has no hit, the stretch before it.
 *
 * Each hit stops the replay, so a stretch with many is not gone through as a whole: after some
 * stops the search goes on in the middle of what is left, and comes back for the rest only if there
 * was no hit. Of hits that lie close together nearly all are thus skipped at full speed: the last
 * of ten million is found by a few hundred stops, and the distance is gone about once.
 */
#include "engine/replay/search.h"
#include "engine/replay/step.h"

enum { PARTS_MAX = 64, TICKS_PER_PART_MIN = 256 };

struct backward {
    struct rrs_timeline *timeline;
    /* Where the parts begin that are still to be searched; each ends where the next one begins. */
    struct rrs_position parts[PARTS_MAX];
    int count;
    struct rrs_position end; /* of the last part, exclusive */
    bool found, interrupted;
    struct rrs_position
        at; /* of the last hit that is known: it lies in the first part, or before */
    struct rrs_stop stop;
};

static uint64_t ticks_left(const struct backward *b)
{
    return b->end.tick - b->parts[b->count - 1].tick;
}

static bool can_be_halved(const struct backward *b)
{
    return b->count < PARTS_MAX && ticks_left(b) >= TICKS_PER_PART_MIN;
}

static struct rrs_error *search(struct backward *b, struct rrs_search *s)
{
    struct rrs_stop stop;
    RRS_TRY(rrs_travel_to(b->timeline, &b->parts[b->count - 1], &stop));
    b->interrupted = stop.reason == RRS_STOP_INTERRUPTED;
    if (b->interrupted)
        return NULL;
    rrs_search_look_at_place(s); /* the part begins with this place */
    RRS_TRY(rrs_search_forward(s));
    b->interrupted = s->done;
    return NULL;
}

/* Goes to the middle of what is left of the last part, and makes a part of the second half. */
static struct rrs_error *halve_last_part(struct backward *b)
{
    struct rrs_stop stop;
    struct rrs_position from = b->parts[b->count - 1];
    if (!can_be_halved(b))
        return NULL;
    RRS_TRY(rrs_travel_to(b->timeline, &from, &stop));
    RRS_TRY(rrs_timeline_checkpoint_near(b->timeline));
    RRS_TRY(rrs_timeline_seek_tick(b->timeline, from.tick + ticks_left(b) / 2, &stop));
    b->interrupted = stop.reason == RRS_STOP_INTERRUPTED;
    struct rrs_position middle = rrs_replay_position(b->timeline->replayer);
    if (rrs_position_compare(&middle, &b->end) < 0 && rrs_position_compare(&middle, &from) > 0)
        b->parts[b->count++] = middle;
    return NULL;
}

/* Searches the last part, which is a shorter one, two parts, or none afterwards. */
static struct rrs_error *search_last_part(struct backward *b)
{
    struct rrs_search s = {.timeline = b->timeline,
                           .limit = &b->end,
                           .last_wanted = true,
                           .unlimited = !can_be_halved(b)};
    RRS_TRY(search(b, &s));
    if (b->interrupted)
        return NULL;
    struct rrs_position reached = rrs_replay_position(b->timeline->replayer);
    RRS_TRY(rrs_search_settle_traps(&s));
    if (s.found) { /* what lies in front of it needs no search */
        b->found = true;
        b->at = s.at;
        b->stop = s.stop;
        b->parts[0] = b->parts[b->count - 1];
        b->count = 1;
    }
    if (rrs_search_gives_up(&s) && rrs_position_compare(&reached, &b->end) < 0) {
        b->parts[b->count - 1] = reached;
        return halve_last_part(b);
    }
    b->end = b->parts[--b->count];
    return NULL;
}

/* The last hit in [from, end). */
static struct rrs_error *search_stretch(struct backward *b, const struct rrs_position *from,
                                        const struct rrs_position *end)
{
    b->parts[0] = *from;
    b->count = 1;
    b->end = *end;
    while (b->count && !b->interrupted)
        RRS_TRY(search_last_part(b));
    return NULL;
}

/*
 * Where the stretch in front of [*begin, ..) is to begin: twice as far back as the stretch behind
 * went, since a checkpoint costs more to go to than a short stretch to run through.
 */
static struct rrs_error *reach_further(struct rrs_timeline *timeline,
                                       const struct rrs_position *begin, uint64_t ticks,
                                       struct rrs_position *reach)
{
    struct rrs_position first = {.tick = begin->tick > 2 * ticks ? begin->tick - 2 * ticks : 0,
                                 .pc = RRS_ANY_PC};
    RRS_TRY(rrs_event_at_tick(timeline, first.tick, &first.event));
    *reach = rrs_position_compare(&first, begin) < 0 ? first : *begin;
    return NULL;
}

struct rrs_error *rrs_run_backward(struct rrs_timeline *timeline, struct rrs_stop *stop)
{
    struct rrs_position start = rrs_replay_position(timeline->replayer), end = start, reach = end;
    struct rrs_stop ignored;
    for (;;) {
        struct backward b = {.timeline = timeline};
        RRS_TRY(rrs_timeline_load_stored(timeline, &reach, false));
        struct rrs_position begin = rrs_known_before(timeline, &reach)->position;
        RRS_TRY(search_stretch(&b, &begin, &end));
        if (b.interrupted) {
            *stop = rrs_timeline_stop(timeline, RRS_STOP_INTERRUPTED);
            return rrs_travel_to(timeline, &start, &ignored);
        }
        if (b.found) {
            RRS_TRY(rrs_travel_to(timeline, &b.at, &ignored));
            *stop = b.stop;
            return NULL;
        }
        if (rrs_position_compare(&begin, &timeline->checkpoints[0]->position) <= 0)
            break;
        RRS_TRY(reach_further(timeline, &begin, end.tick - begin.tick, &reach));
        end = begin;
    }
    RRS_TRY(rrs_timeline_restore(timeline, timeline->checkpoints[0]));
    *stop = rrs_timeline_stop(timeline, RRS_STOP_BEGIN);
    return NULL;
}
