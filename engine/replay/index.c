/* SPDX-License-Identifier: MIT */
#include "engine/replay/index.h"

#include "engine/replay/step.h"
#include "engine/replay/stored.h"
#include "lmdb-store/clock.h"
#include "lmdb-store/scope.h"

#include <stdlib.h>

static const uint64_t chunk_ticks = 20000000; /* between two looks at the user's wishes */

struct index {
    struct rrs_replayer *replayer;
    struct rrs_trace_writer *writer;
    const struct rrs_index_options *options;
    struct rrs_index_result *result;
    struct rrs_checkpoint_info *present; /* ascending */
    size_t present_count, passed;        /* those that lie behind us */
    uint64_t last_tick, last_ns;         /* of the last checkpoint */
};

static bool is_due(const struct index *x)
{
    const struct rrs_index_options *options = x->options;
    if (!x->replayer->next || !x->replayer->tasks)
        return false;
    return options->every_ticks
               ? x->replayer->session.clock.ticks - x->last_tick >= options->every_ticks
               : rrs_clock_ns(CLOCK_MONOTONIC) - x->last_ns >= options->every_ns;
}

static struct rrs_error *advance(struct index *x)
{
    struct rrs_replayer *replayer = x->replayer;
    uint64_t chunk = replayer->session.clock.ticks + chunk_ticks;
    uint64_t goal = x->options->every_ticks ? x->last_tick + x->options->every_ticks : UINT64_MAX;
    if (rrs_replay_event_is_due(replayer))
        return rrs_replayer_step_event(replayer);
    return chunk < goal ? rrs_replay_run_towards_event(replayer, chunk)
                        : rrs_replay_run_towards_tick(replayer, goal);
}

static struct rrs_error *run_to_next(struct index *x)
{
    while (x->replayer->next && !is_due(x)) {
        if (!x->options->goes_on(x->options->context, x->replayer->session.clock.ticks,
                                 x->replayer->last_tick)) {
            x->result->interrupted = true;
            return NULL;
        }
        RRS_TRY(advance(x));
    }
    return NULL;
}

/* Whether the next one that is there comes soon enough; by time, the last one is as good as any. */
static bool is_near(const struct index *x, uint64_t tick)
{
    uint64_t every = x->options->every_ticks;
    return !every || (tick >= x->last_tick && tick - x->last_tick <= every + every / 2);
}

static struct rrs_error *pass_present(struct index *x)
{
    size_t before = x->passed;
    while (x->passed < x->present_count && is_near(x, x->present[x->passed].place.tick))
        x->last_tick = x->present[x->passed++].place.tick;
    x->last_ns = rrs_clock_ns(CLOCK_MONOTONIC);
    return x->passed == before ? NULL
                               : rrs_stored_restore(x->replayer, &x->present[x->passed - 1].place);
}

static struct rrs_error *store(struct index *x)
{
    struct rrs_checkpoint_place place = rrs_stored_place(x->replayer);
    struct rrs_error *error = rrs_stored_write(x->replayer, x->writer, &place);
    x->result->made += !error;
    if (error && error->code == RRS_ERROR_EXISTS) {
        rrs_error_destroy(error);
        error = NULL;
    }
    x->last_tick = place.tick;
    return error;
}

static struct rrs_error *run(struct index *x)
{
    while (!x->result->interrupted) {
        RRS_TRY(pass_present(x));
        RRS_TRY(run_to_next(x));
        if (!x->replayer->next)
            return NULL;
        if (!x->result->interrupted)
            RRS_TRY(store(x));
    }
    return NULL;
}

struct rrs_error *rrs_index(struct rrs_trace_reader *reader, struct rrs_trace_writer *writer,
                            const struct rrs_index_options *options,
                            struct rrs_index_result *result)
{
    struct index x = {.writer = writer, .options = options, .result = result};
    const struct rrs_replay_options replay = {.warn = options->warn,
                                              .warn_context = options->context};
    *result = (struct rrs_index_result){0};
    RRS_TRY(rrs_checkpoint_list(reader, &x.present, &x.present_count));
    result->found = x.present_count;
    struct rrs_error *error = rrs_replayer_create(reader, &replay, &x.replayer);
    if (!error)
        error = run(&x);
    rrs_replayer_destroy(x.replayer);
    free(x.present);
    return error;
}
