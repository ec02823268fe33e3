/* SPDX-License-Identifier: MIT */
/* Movements for gdb; see the header. */
#include "gdbserver/moving.h"

#include "engine/events/kinds.h"
#include "gdbserver/event_stops.h"
#include "gdbserver/fork_stops.h"
#include "gdbserver/recording.h"
#include "lmdb-store/clock.h"

#include <inttypes.h>

enum { SAY_AFTER_NS = 3000000000U };

/* One Ctrl-C ends one movement, not also the way back from it: it is handed over once. */
void breathe(server *server)
{
    link_poll(&server->link);
    if (server->moving && (link_take_interrupt(&server->link) || server->link.closed))
        rrs_timeline_interrupt(server->timeline);
}

void rrs_gdbserver_progress(void *context, uint64_t done, uint64_t total)
{
    server *server = *(struct rrs_gdbserver **)context;
    if (!server)
        return;
    breathe(server);
    uint64_t now = rrs_clock_ns(CLOCK_MONOTONIC);
    if (!server->moving || total == 0 || now - server->moving_since_ns < SAY_AFTER_NS ||
        now - server->said_ns < SAY_AFTER_NS)
        return;
    server->said_ns = now;
    say(server, "rrsoft: %u %% of the way (Ctrl-C stops)", (unsigned)(100.0 * done / total));
}

/*
 * A process that dies is of no use between the signal and the end of its last task: the end of its
 * history is in front of the signal; if it just ends, in front of the end of its first task. What
 * other processes do meanwhile is passed over.
 */
static struct rrs_error *find_death(server *server, uint64_t alive, uint64_t *last)
{
    enum { MOST_EVENTS = 4096 };
    *last = alive;
    for (uint64_t number = alive; number-- > 1 && alive - number < MOST_EVENTS;) {
        const struct rrs_event *event;
        bool fatal;
        RRS_TRY(recording_event(server, number, &event));
        if (!event)
            break;
        if (lineage_process(&server->lineage, event->task, number) != server->pid)
            continue;
        bool ends = event->event_kind == RRS_EVENT_TASK_END;
        RRS_TRY(event_stops_is_fatal(server, number, &fatal));
        if (!ends && !fatal)
            break;
        *last = number;
        if (fatal)
            break;
    }
    return NULL;
}

/*
 * Finds the last event in front of which gdb's process exists: it does at `alive`, not at `dead`.
 * The last event of the recording mostly ends the first process, so that is where the search looks
 * first.
 */
static struct rrs_error *find_last_event(server *server, uint64_t alive, uint64_t dead,
                                         uint64_t *last)
{
    uint64_t probe = dead - 1;
    while (dead - alive > 1) {
        struct rrs_stop stop;
        RRS_TRY(rrs_timeline_seek_event(server->timeline, probe, &stop));
        if (stop.reason == RRS_STOP_INTERRUPTED)
            break;
        *(process_is_here(server) ? &alive : &dead) = probe;
        probe = alive + (dead - alive) / 2;
    }
    return find_death(server, alive, last);
}

/* Behind the event that makes gdb's process, its first event; where there is no trace, `origin`. */
static struct rrs_error *go_to_birth(server *server, const struct rrs_position *origin)
{
    uint64_t event;
    RRS_TRY(recording_first_event(server, server->pid, &event));
    if (!event || event >= origin->event)
        return rrs_timeline_seek(server->timeline, origin, &server->stop);
    return rrs_timeline_seek_event(server->timeline, event + 1, &server->stop);
}

/* Whether a movement has led behind the signal that ends gdb's process, though a task of it is
 * left: no instruction of any runs there. */
static struct rrs_error *find_passed_death(server *server, const struct rrs_position *origin,
                                           uint64_t here, uint64_t *death)
{
    enum { MOST_EVENTS = 64 };
    *death = 0;
    for (uint64_t number = here; number-- > origin->event && here - number < MOST_EVENTS;) {
        const struct rrs_event *event;
        bool fatal;
        RRS_TRY(event_stops_is_fatal(server, number, &fatal));
        if (!fatal)
            continue;
        RRS_TRY(recording_event(server, number, &event));
        if (event && lineage_process(&server->lineage, event->task, number) == server->pid)
            *death = number;
    }
    return NULL;
}

/* Where gdb's process is gone there is nothing to show: back to the last place where it exists,
 * which is the end of the history as far as gdb is concerned. */
static struct rrs_error *settle(server *server, const struct rrs_position *origin)
{
    struct rrs_position here;
    pid_t tid;
    uint64_t last;
    rrs_timeline_position(server->timeline, &here, &tid);
    if (process_is_here(server)) {
        RRS_TRY(find_passed_death(server, origin, here.event, &last));
        if (!last)
            return NULL;
        RRS_TRY(rrs_timeline_seek_event(server->timeline, last, &server->stop));
        server->stop = (struct rrs_stop){.reason = RRS_STOP_END};
        return NULL;
    }
    if (rrs_position_compare(&here, origin) <= 0) /* not born yet */
        RRS_TRY(go_to_birth(server, origin));
    else {
        RRS_TRY(find_last_event(server, origin->event, here.event + 1, &last));
        RRS_TRY(rrs_timeline_seek_event(server->timeline, last, &server->stop));
    }
    server->stop = (struct rrs_stop){
        .reason = rrs_position_compare(&here, origin) <= 0 ? RRS_STOP_BEGIN : RRS_STOP_END};
    return NULL;
}

/* A stop that is about another process is none for gdb. */
static bool concerns_gdb(server *server)
{
    switch (server->stop.reason) {
    case RRS_STOP_BREAKPOINT:
    case RRS_STOP_WATCHPOINT:
        return server->stop.tid == 0 || thread_exists(server, server->stop.tid);
    default:
        return true;
    }
}

static struct rrs_error *move_once(server *server, const struct movement *movement)
{
    bool done;
    RRS_TRY(event_stops_return(server, movement->direction, &done));
    if (done)
        return NULL;
    switch (movement->kind) {
    case MOVEMENT_STEP:
        return rrs_timeline_step(server->timeline, movement->direction, movement->tid,
                                 &server->stop);
    case MOVEMENT_RANGE:
        return rrs_timeline_step_range(server->timeline, movement->tid, movement->low,
                                       movement->high, &server->stop);
    case MOVEMENT_CONTINUE:
        break;
    }
    return rrs_timeline_run(server->timeline, movement->direction, &server->stop);
}

/*
 * gdb lets a function that it calls return to the stack, where it has put a breakpoint, and the
 * stack is not executable: what gdb waits for is the breakpoint, not the fault at its place.
 */
static struct rrs_error *recognise_breakpoint(server *server)
{
    struct user_regs_struct regs;
    if (server->stop.reason != RRS_STOP_EVENT || server->stop.event_kind != RRS_EVENT_SIGNAL)
        return NULL;
    RRS_TRY(rrs_timeline_get_regs(server->timeline, server->stop.tid, &regs));
    if (breakpoints_has(&server->breakpoints, server->pid, BREAKPOINT_SOFTWARE, regs.rip))
        server->stop.reason = RRS_STOP_BREAKPOINT;
    return NULL;
}

static struct rrs_error *move(server *server, const struct movement *movement)
{
    struct rrs_position origin;
    pid_t tid;
    rrs_timeline_position(server->timeline, &origin, &tid);
    server->direction = movement->direction;
    do {
        RRS_TRY(move_once(server, movement));
        breathe(server);
    } while (!concerns_gdb(server));
    if (rrs_timeline_in_trial(server->timeline))
        return recognise_breakpoint(server);
    RRS_TRY(event_stops_arrive(server));
    return settle(server, &origin);
}

struct rrs_error *move_run(server *server, enum rrs_direction direction)
{
    struct movement movement = {.kind = MOVEMENT_CONTINUE, .direction = direction};
    return move(server, &movement);
}

static void origin_of(server *server, struct rrs_position *origin)
{
    pid_t tid;
    rrs_timeline_position(server->timeline, origin, &tid);
}

struct rrs_error *move_to(server *server, const struct rrs_position *position)
{
    struct rrs_position origin;
    origin_of(server, &origin);
    RRS_TRY(rrs_timeline_seek(server->timeline, position, &server->stop));
    return settle(server, &origin);
}

struct rrs_error *move_to_tick(server *server, uint64_t tick)
{
    struct rrs_position origin;
    origin_of(server, &origin);
    RRS_TRY(rrs_timeline_seek_tick(server->timeline, tick, &server->stop));
    return settle(server, &origin);
}

struct rrs_error *move_to_event(server *server, uint64_t event)
{
    struct rrs_position origin;
    origin_of(server, &origin);
    RRS_TRY(rrs_timeline_seek_event(server->timeline, event, &server->stop));
    return settle(server, &origin);
}

struct rrs_error *move_to_end(server *server)
{
    struct rrs_position origin, end;
    origin_of(server, &origin);
    rrs_timeline_end(server->timeline, &end);
    RRS_TRY(rrs_timeline_seek_event(server->timeline, end.event + 1, &server->stop));
    bool interrupted = server->stop.reason == RRS_STOP_INTERRUPTED;
    RRS_TRY(settle(server, &origin));
    server->stop.reason = interrupted ? RRS_STOP_INTERRUPTED : RRS_STOP_END;
    return NULL;
}

/* A step back out of a trial that has run leads to where it began: gdb does not know that place. */
static bool leaves_trial(server *server, const struct movement *movement)
{
    bool has_run = server->trial.has_run;
    if (!server->trial.on || movement->direction == RRS_FORWARD)
        return false;
    trial_drop(server, "back in the recording, where it was left");
    server->stop = (struct rrs_stop){.reason = RRS_STOP_REACHED, .tid = server->tid};
    return has_run && movement->kind != MOVEMENT_CONTINUE;
}

/*
 * gdb has been told of another program, or is told so in front of a movement that begins in one
 * that it does not know, as behind `run`. It goes on at once, unless its user wants to stop there.
 */
static bool stays_for_program(server *server)
{
    if (server->holds_stop) {
        server->holds_stop = false;
        server->stop = server->held;
        server->stopped_softly = server->held.reason == RRS_STOP_REACHED;
        return true;
    }
    server->stop = (struct rrs_stop){.reason = RRS_STOP_REACHED, .tid = server->tid};
    return stop_reply_changes_program(server);
}

/*
 * gdb 13 hangs at its next command if the history ends while it steps over a breakpoint (infrun.c,
 * TARGET_WAITKIND_NO_HISTORY does not end the stepping over). Such a step can only have failed to
 * leave the breakpoint, so it is reported as being there. At the second try packets do not tell
 * whether gdb steps over it or has deleted it; a stop without a signal is right for both.
 */
static void soften_end(server *server, bool steps_over, const struct rrs_position *origin)
{
    struct rrs_position *stuck_at = &server->stuck_at;
    if (server->stop.reason != RRS_STOP_END)
        return;
    if (steps_over) {
        server->stop.reason = RRS_STOP_BREAKPOINT;
        origin_of(server, stuck_at);
    } else if (rrs_position_compare(stuck_at, origin) == 0) {
        server->stopped_softly = true;
    }
}

static struct rrs_error *do_movement(server *server, const struct movement *movement)
{
    struct rrs_position origin;
    server->stopped_softly = false;
    if (link_take_interrupt(&server->link)) {
        server->stop = (struct rrs_stop){.reason = RRS_STOP_INTERRUPTED, .tid = server->tid};
        return NULL;
    }
    trial_abandon(server);
    if (server->errand.kind == ERRAND_NONE && stays_for_program(server))
        return NULL;
    server->holds_stop = false;
    if (fork_stops_ends_vfork(server, movement->direction))
        return NULL;
    if (server->errand.kind != ERRAND_NONE)
        return errand_run(server);
    if (leaves_trial(server, movement))
        return NULL;
    origin_of(server, &origin);
    bool steps = movement->kind != MOVEMENT_CONTINUE && movement->direction == RRS_FORWARD;
    bool steps_over = steps && breakpoints_lifted(&server->breakpoints, server->pid, origin.pc);
    server->trial.has_run |= server->trial.on;
    RRS_TRY(breakpoints_place(server, false));
    RRS_TRY(event_stops_place(server));
    RRS_TRY(move(server, movement));
    if (steps)
        soften_end(server, steps_over, &origin);
    return NULL;
}

/* gdb believes that g, m and so on are then about the task that stopped. */
static void choose_stopped(server *server, const struct movement *movement)
{
    pid_t tid = thread_choose(server, server->stop.tid ? server->stop.tid : server->tid);
    server->tid = tid;
    server->stop.tid = tid;
    /* A step that ends in another task, for no reason that gdb knows of, is a SIGTRAP to it. */
    if (server->stop.reason == RRS_STOP_REACHED && movement->kind != MOVEMENT_CONTINUE &&
        movement->tid != tid)
        server->stopped_softly = true;
}

struct rrs_error *move_and_reply(server *server, const struct movement *movement)
{
    server->moving = true;
    server->moving_since_ns = server->said_ns = rrs_clock_ns(CLOCK_MONOTONIC);
    say_waiting(server);
    struct rrs_error *error = do_movement(server, movement);
    if (error) {
        say_error(server, error);
        server->stop = (struct rrs_stop){.reason = RRS_STOP_REACHED, .tid = server->tid};
    }
    if (server->stop.reason == RRS_STOP_INTERRUPTED)
        link_take_interrupt(&server->link);
    choose_stopped(server, movement);
    error = reply_stop(server);
    server->moving = false;
    return error;
}
