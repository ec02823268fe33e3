/* SPDX-License-Identifier: MIT */
/* Stored checkpoints in a timeline: one becomes a live one where it is the nearest. */
#include "engine/replay/step.h"
#include "engine/replay/stored.h"
#include "engine/replay/timeline_internal.h"

#include <stdio.h>
#include <string.h>

struct rrs_error *rrs_timeline_list_stored(struct rrs_timeline *timeline)
{
    return rrs_checkpoint_list(timeline->reader, &timeline->stored, &timeline->stored_count);
}

static struct rrs_position position_of(const struct rrs_checkpoint_info *info)
{
    return (struct rrs_position){info->place.event, info->place.tick, RRS_ANY_PC};
}

/* The last one in front of `position`; its index, or the count if there is none. */
static size_t find(const struct rrs_timeline *timeline, const struct rrs_position *position)
{
    for (size_t i = timeline->stored_count; i-- > 0;) {
        const struct rrs_checkpoint_place *place = &timeline->stored[i].place;
        if (place->event < position->event ||
            (place->event == position->event && place->tick < position->tick))
            return i;
    }
    return timeline->stored_count;
}

static void drop(struct rrs_timeline *timeline, size_t index, struct rrs_error *error)
{
    char message[300];
    snprintf(message, sizeof message, "the checkpoint at tick %lu is of no use: %s",
             (unsigned long)timeline->stored[index].place.tick, error->message);
    if (timeline->options.warn)
        timeline->options.warn(timeline->options.context, message);
    rrs_error_destroy(error);
    timeline->stored_count--;
    memmove(&timeline->stored[index], &timeline->stored[index + 1],
            (timeline->stored_count - index) * sizeof *timeline->stored);
}

static bool lies_before(const struct rrs_position *a, const struct rrs_position *b)
{
    return a->event != b->event ? a->event < b->event : a->tick < b->tick;
}

struct rrs_error *rrs_timeline_load_stored(struct rrs_timeline *timeline,
                                           const struct rrs_position *position, bool or_here)
{
    size_t index;
    while ((index = find(timeline, position)) < timeline->stored_count) {
        struct rrs_position stored = position_of(&timeline->stored[index]);
        struct rrs_position here = rrs_replay_position(timeline->replayer);
        size_t live = rrs_checkpoint_before(timeline, position);
        if (!lies_before(&timeline->checkpoints[live]->position, &stored))
            return NULL;
        if (or_here && !timeline->lost && !lies_before(&here, &stored) &&
            rrs_position_compare(&here, position) <= 0)
            return NULL;
        timeline->lost = true;
        struct rrs_error *error =
            rrs_stored_restore(timeline->replayer, &timeline->stored[index].place);
        if (!error) {
            timeline->lost = false;
            return rrs_timeline_add_checkpoint(timeline);
        }
        if (error->code != RRS_ERROR_BAD_TRACE)
            return error;
        drop(timeline, index, error);
    }
    return NULL;
}
