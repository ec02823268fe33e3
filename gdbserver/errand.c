/* SPDX-License-Identifier: MIT */
/* Going to places, and to where memory changed; see the header. Calls are in errand_calls.c. */
#include "gdbserver/errand.h"

#include "gdbserver/errand_calls.h"
#include "gdbserver/moving.h"
#include "gdbserver/server.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* The bytes that are watched, as they were and as they are. */
struct watched {
    rrs_addr address;
    size_t bytes;
    bool was_there, is_there;
    uint8_t old[ERRAND_MAX_BYTES], now[ERRAND_MAX_BYTES];
};

static bool watched_read(server *server, struct watched *watched, uint8_t *to)
{
    return rrs_timeline_read(server->timeline, server->tid, watched->address, to, watched->bytes) ==
           watched->bytes;
}

static struct rrs_error *watched_init(server *server, struct watched *watched)
{
    watched->address = server->errand.numbers[0];
    watched->bytes = server->errand.numbers[1];
    if (watched->bytes == 0 || watched->bytes > ERRAND_MAX_BYTES)
        return rrs_error_create(RRS_ERROR_USAGE, "1 to %d bytes can be followed, not %zu",
                                ERRAND_MAX_BYTES, watched->bytes);
    watched->was_there = watched_read(server, watched, watched->old);
    return rrs_timeline_add_watchpoint(server->timeline, watched->address, watched->bytes,
                                       RRS_WATCH_WRITE);
}

/* Whether the bytes here differ from those of the last time. */
static bool watched_changed(server *server, struct watched *watched)
{
    watched->is_there = watched_read(server, watched, watched->now);
    return watched->is_there &&
           (!watched->was_there || memcmp(watched->old, watched->now, watched->bytes) != 0);
}

/*
 * Memory that was not there in the beginning has got its first value from the kernel, when the file
 * was mapped or the page was made: no instruction wrote it. So the value in front of the first hit
 * is the one from which it changed.
 */
static struct rrs_error *watched_look_before(server *server, struct watched *watched)
{
    struct rrs_position here;
    pid_t running;
    if (watched->was_there)
        return NULL;
    struct rrs_stop stop = server->stop;
    rrs_timeline_position(server->timeline, &here, &running);
    RRS_TRY(rrs_timeline_step(server->timeline, RRS_BACKWARD, stop.tid, &server->stop));
    watched->was_there = watched_read(server, watched, watched->old);
    RRS_TRY(rrs_timeline_seek(server->timeline, &here, &server->stop));
    server->stop = stop;
    return NULL;
}

static void watched_keep(struct watched *watched)
{
    memcpy(watched->old, watched->now, watched->bytes);
    watched->was_there = watched->is_there;
}

static void watched_deinit(server *server, struct watched *watched)
{
    rrs_timeline_remove_watchpoint(server->timeline, watched->address, watched->bytes,
                                   RRS_WATCH_WRITE);
}

/* event;tick;pc;task;before;after, where what could not be read is empty. */
static void add_change_row(server *server, const struct watched *watched, bool backward)
{
    struct buffer *results = &server->errand.results;
    struct rrs_position position;
    pid_t tid;
    rrs_timeline_position(server->timeline, &position, &tid);
    buffer_printf(results, "%" PRIx64 ";%" PRIx64 ";%" PRIx64 ";%x;", position.event, position.tick,
                  position.pc, (unsigned)server->stop.tid);
    const uint8_t *before = backward ? watched->now : watched->old;
    const uint8_t *after = backward ? watched->old : watched->now;
    bool has_before = backward ? watched->is_there : watched->was_there;
    bool has_after = backward ? watched->was_there : watched->is_there;
    buffer_add_hex(results, before, has_before ? watched->bytes : 0);
    buffer_add_byte(results, ';');
    buffer_add_hex(results, after, has_after ? watched->bytes : 0);
    buffer_add_byte(results, '\n');
}

/* To the nearest change; back to where it began if there is none. */
static struct rrs_error *find_change(server *server, enum rrs_direction direction)
{
    struct watched *watched = calloc(1, sizeof *watched);
    if (!watched)
        return rrs_error_no_memory();
    struct rrs_position origin;
    pid_t tid;
    rrs_timeline_position(server->timeline, &origin, &tid);
    struct rrs_error *error = watched_init(server, watched);
    bool changed = false;
    while (!error && !changed) {
        error = move_run(server, direction);
        if (error || server->stop.reason != RRS_STOP_WATCHPOINT)
            break;
        changed = thread_exists(server, server->stop.tid) && watched_changed(server, watched);
    }
    watched_deinit(server, watched);
    if (changed)
        add_change_row(server, watched, direction == RRS_BACKWARD);
    free(watched);
    if (changed || error || server->stop.reason == RRS_STOP_INTERRUPTED)
        return error;
    return move_to(server, &origin);
}

/* Every change from the beginning to the end, then back. Where it is interrupted, what was found
 * stays, and the place is the one before. */
static struct rrs_error *collect_changes(server *server)
{
    struct watched *watched = calloc(1, sizeof *watched);
    if (!watched)
        return rrs_error_no_memory();
    struct rrs_error *error = watched_init(server, watched);
    uint64_t found = 0, most = server->errand.numbers[2];
    if (!error)
        error = move_to_tick(server, 0);
    if (!error)
        watched->was_there = watched_read(server, watched, watched->old);
    while (!error && found < most) {
        error = move_run(server, RRS_FORWARD);
        if (error || server->stop.reason != RRS_STOP_WATCHPOINT)
            break;
        if (!thread_exists(server, server->stop.tid) || !watched_changed(server, watched))
            continue;
        error = watched_look_before(server, watched);
        if (error)
            break;
        add_change_row(server, watched, false);
        watched_keep(watched);
        found++;
    }
    watched_deinit(server, watched);
    free(watched);
    return error;
}

static struct rrs_error *with_return(server *server,
                                     struct rrs_error *(*collect)(struct rrs_gdbserver *))
{
    struct rrs_position origin;
    pid_t tid;
    rrs_timeline_position(server->timeline, &origin, &tid);
    struct rrs_error *error = collect(server);
    bool interrupted = server->stop.reason == RRS_STOP_INTERRUPTED;
    struct rrs_error *back = move_to(server, &origin);
    if (interrupted)
        buffer_add_text(&server->errand.results, "interrupted\n");
    if (!error)
        return back;
    rrs_error_destroy(back);
    return error;
}

static struct rrs_error *run_kind(server *server)
{
    const uint64_t *numbers = server->errand.numbers;
    switch (server->errand.kind) {
    case ERRAND_TICK:
        return move_to_tick(server, numbers[0]);
    case ERRAND_EVENT:
        return move_to_event(server, numbers[0]);
    case ERRAND_POSITION:
        return move_to(server, &(struct rrs_position){numbers[0], numbers[1], numbers[2]});
    case ERRAND_START:
        return move_to_tick(server, 0);
    case ERRAND_END:
        return move_to_end(server);
    case ERRAND_LAST_CHANGE:
        return find_change(server, RRS_BACKWARD);
    case ERRAND_NEXT_CHANGE:
        return find_change(server, RRS_FORWARD);
    case ERRAND_CHANGES:
        return with_return(server, collect_changes);
    case ERRAND_CALLS:
        return with_return(server, errand_collect_calls);
    case ERRAND_STAY:
    case ERRAND_NONE:
        break;
    }
    server->stop = (struct rrs_stop){.reason = RRS_STOP_REACHED, .tid = server->tid};
    return NULL;
}

struct rrs_error *errand_run(server *server)
{
    trial_drop(server, "going elsewhere");
    buffer_clear(&server->errand.results);
    struct rrs_error *error = breakpoints_place(server, true);
    if (!error)
        error = run_kind(server);
    server->errand.kind = ERRAND_NONE;
    if (server->stop.reason !=
        RRS_STOP_INTERRUPTED) /* an end of history is none to who went there */
        server->stop.reason = RRS_STOP_REACHED;
    return error;
}
