/* SPDX-License-Identifier: MIT */
/* Events as stops; see the header. */
#include "gdbserver/event_stops.h"

#include "engine/events/body.h"
#include "gdbserver/fork_stops.h"
#include "gdbserver/recording.h"
#include "gdbserver/signals.h"

#include <inttypes.h>
#include <string.h>
#include <sys/wait.h>

enum {
    SIGNAL_KINDS = 1 << RRS_EVENT_SIGNAL | 1 << RRS_EVENT_TASK_END,
    CALL_KINDS = 1 << RRS_EVENT_CALL | 1 << RRS_EVENT_CALL_ENTER | 1 << RRS_EVENT_CALL_EXIT,
};

static void here(server *server, struct rrs_position *position)
{
    pid_t tid;
    rrs_timeline_position(server->timeline, position, &tid);
}

/* Whether the timeline stands where gdb was stopped for an event. */
static bool is_at_stop(server *server)
{
    struct rrs_position position;
    here(server, &position);
    return server->event_stop.event &&
           rrs_position_compare(&position, &server->event_stop.position) == 0;
}

/*
 * The signal of an event: one that is delivered, or the one that a task dies of. The latter is in
 * the wait status alone where no event of its own came before.
 */
static bool fatal_or_delivered(const struct rrs_event *event, siginfo_t *info)
{
    struct rrs_item item;
    if (rrs_item_find(event->data, event->size_bytes, RRS_ITEM_SIGINFO, &item) &&
        item.bytes.size >= sizeof *info) {
        memcpy(info, item.bytes.bytes, sizeof *info);
        return true;
    }
    if (!rrs_item_find(event->data, event->size_bytes, RRS_ITEM_STATUS, &item) ||
        !WIFSIGNALED(item.status) || WTERMSIG(item.status) == SIGKILL)
        return false;
    memset(info, 0, sizeof *info);
    info->si_signo = WTERMSIG(item.status);
    return true;
}

/* A task that ends because another one of its process died does so for no reason of its own, and
 * one that a signal ends has been stopped for in front of that. */
static bool wants_signal(server *server, const struct rrs_event *event)
{
    siginfo_t info;
    const struct rrs_event *before = NULL;
    if (!fatal_or_delivered(event, &info))
        return false;
    if (event->event_kind == RRS_EVENT_SIGNAL)
        return !server->passes_signal[gdb_signal(info.si_signo)];
    rrs_error_destroy(recording_event(server, event->number - 1, &before));
    return !before ||
           (before->event_kind != RRS_EVENT_TASK_END && before->event_kind != RRS_EVENT_SIGNAL);
}

static int call_number(server *server, const struct rrs_event *event)
{
    struct rrs_item item;
    struct user_regs_struct regs;
    if (rrs_item_find(event->data, event->size_bytes, RRS_ITEM_CALL, &item))
        return item.call.number;
    struct rrs_error *error = rrs_timeline_get_regs(server->timeline, event->task, &regs);
    int number = error ? -1 : (int)regs.orig_rax;
    rrs_error_destroy(error);
    return number;
}

static bool wants_call(server *server, const struct rrs_event *event)
{
    if (fork_stops_is_vfork_end(server, event))
        return server->direction == RRS_FORWARD;
    if (!server->catches_syscalls)
        return false;
    int number = call_number(server, event);
    return !server->catches_some_syscalls ||
           (number >= 0 && number < SYSCALLS_MAX && server->catches_syscall[number]);
}

/* Asked by the timeline in front of each event of the kinds that were asked for. */
static bool accept(void *context, struct rrs_timeline *timeline, uint64_t number)
{
    server *server = context;
    const struct rrs_event *event;
    (void)timeline;
    const struct event_stop *at = &server->event_stop;
    if (number == at->event && at->behind == (server->direction == RRS_BACKWARD))
        return false;
    struct rrs_error *error = recording_event(server, number, &event);
    bool is_new = !error && event && event->event_kind == RRS_EVENT_TASK_NEW;
    bool wanted = !error && event && (is_new || thread_exists(server, event->task));
    if (is_new)
        wanted = fork_stops_wants(server, event);
    else if (wanted && SIGNAL_KINDS >> event->event_kind & 1)
        wanted = wants_signal(server, event);
    else if (wanted && CALL_KINDS >> event->event_kind & 1)
        wanted = wants_call(server, event);
    rrs_error_destroy(error);
    return wanted;
}

struct rrs_error *event_stops_place(server *server)
{
    uint64_t kinds = SIGNAL_KINDS;
    if (server->catches_syscalls || server->vfork_parent)
        kinds |= CALL_KINDS;
    if (fork_stops_are_wanted(server))
        kinds |= 1 << RRS_EVENT_TASK_NEW;
    if (server->client.exec_events)
        kinds |= 1 << RRS_EVENT_EXEC;
    if (!is_at_stop(server))
        server->event_stop = (struct event_stop){0};
    rrs_timeline_catch_events(server->timeline, kinds, accept, server);
    return NULL;
}

struct rrs_error *event_stops_return(server *server, enum rrs_direction direction, bool *done)
{
    struct event_stop *at = &server->event_stop;
    *done = at->return_is_next && direction == RRS_FORWARD && is_at_stop(server);
    at->return_is_next = false;
    if (!*done)
        return NULL;
    uint64_t event = at->event;
    RRS_TRY(rrs_timeline_step(server->timeline, RRS_FORWARD, server->tid, &server->stop));
    if (server->stop.reason != RRS_STOP_STEPPED)
        return NULL;
    server->stop.reason = RRS_STOP_EVENT;
    server->stop.event = event;
    server->stop.event_kind = RRS_EVENT_CALL;
    at->returns = true;
    return NULL;
}

/* Behind the event, as far as gdb has to see it so: a call has returned, a program is loaded. */
static struct rrs_error *go_behind(server *server)
{
    struct rrs_stop event = server->stop;
    RRS_TRY(rrs_timeline_step(server->timeline, RRS_FORWARD, event.tid, &server->stop));
    if (server->stop.reason == RRS_STOP_STEPPED)
        server->stop = event;
    return NULL;
}

struct rrs_error *event_stops_arrive(server *server)
{
    struct event_stop *at = &server->event_stop;
    struct rrs_stop *stop = &server->stop;
    if (stop->reason != RRS_STOP_EVENT)
        return NULL;
    if (stop->event_kind == RRS_EVENT_TASK_NEW) {
        *at = (struct event_stop){.event = stop->event, .behind = true};
        RRS_TRY(fork_stops_arrive(server));
        here(server, &at->position);
        return NULL;
    }
    bool forward = server->direction == RRS_FORWARD;
    bool returned = at->returns && at->event == stop->event;
    if (!returned && forward &&
        (stop->event_kind == RRS_EVENT_CALL_EXIT || stop->event_kind == RRS_EVENT_EXEC))
        RRS_TRY(go_behind(server));
    *at = (struct event_stop){
        .event = stop->event,
        .returns = returned || stop->event_kind == RRS_EVENT_CALL_EXIT,
        .return_is_next = !returned && stop->event_kind == RRS_EVENT_CALL,
    };
    here(server, &at->position);
    return NULL;
}

struct rrs_error *event_stops_describe_program(server *server, struct buffer *fields)
{
    const char *path;
    RRS_TRY(rrs_timeline_program(server->timeline, server->stop.tid, &path));
    buffer_add_text(fields, "exec:");
    buffer_add_hex(fields, path, strlen(path));
    buffer_add_byte(fields, ';');
    return NULL;
}

struct rrs_error *event_stops_describe(server *server, struct buffer *fields, int *signal)
{
    const struct rrs_event *event;
    siginfo_t info;
    bool is_next;
    switch (server->stop.event_kind) {
    case RRS_EVENT_SIGNAL:
    case RRS_EVENT_TASK_END:
        RRS_TRY(event_stops_signal(server, &info, &is_next));
        *signal = is_next ? gdb_signal(info.si_signo) : GDB_SIGNAL_UNKNOWN;
        return NULL;
    case RRS_EVENT_EXEC:
        return event_stops_describe_program(server, fields);
    case RRS_EVENT_TASK_NEW:
        return fork_stops_describe(server, fields);
    default:
        break;
    }
    RRS_TRY(recording_event(server, server->stop.event, &event));
    if (event && fork_stops_is_vfork_end(server, event)) {
        server->vfork_parent = 0;
        buffer_add_text(fields, "vforkdone:;");
    } else if (event)
        buffer_printf(fields, "syscall_%s:%x;", server->event_stop.returns ? "return" : "entry",
                      (unsigned)call_number(server, event));
    return NULL;
}

struct rrs_error *event_stops_signal(server *server, siginfo_t *info, bool *is_next)
{
    const struct rrs_event *event;
    *is_next = false;
    if (server->stop.reason != RRS_STOP_EVENT || !(SIGNAL_KINDS >> server->stop.event_kind & 1))
        return NULL;
    *is_next = true;
    if (server->trial.on) /* raised in the copy, so no event of the recording */
        return rrs_timeline_get_siginfo(server->timeline, server->stop.tid, info);
    RRS_TRY(recording_event(server, server->stop.event, &event));
    *is_next = event && fatal_or_delivered(event, info);
    return NULL;
}

struct rrs_error *event_stops_is_fatal(server *server, uint64_t number, bool *fatal)
{
    const struct rrs_event *event;
    struct rrs_item item;
    RRS_TRY(recording_event(server, number, &event));
    *fatal = event && event->event_kind == RRS_EVENT_SIGNAL &&
             rrs_item_find(event->data, event->size_bytes, RRS_ITEM_ACTION, &item) &&
             (item.action & ~(uint32_t)RRS_SIGNAL_RAISED) == RRS_SIGNAL_ENDS;
    return NULL;
}
