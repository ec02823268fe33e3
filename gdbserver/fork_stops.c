/* SPDX-License-Identifier: MIT */
/* fork, vfork and new threads; see the header. */
#include "gdbserver/fork_stops.h"

#include "engine/events/body.h"
#include "gdbserver/recording.h"

#include <sched.h>

bool fork_stops_are_wanted(const server *server)
{
    return (server->client.multiprocess && server->client.fork_events) || server->thread_events;
}

static bool read_task(const struct rrs_event *event, struct rrs_item *item)
{
    return event->event_kind == RRS_EVENT_TASK_NEW &&
           rrs_item_find(event->data, event->size_bytes, RRS_ITEM_TASK, item);
}

bool fork_stops_wants(server *server, const struct rrs_event *event)
{
    struct rrs_item item;
    if (!read_task(event, &item) || !thread_exists(server, item.task.creator))
        return false;
    if (item.task.flags & CLONE_THREAD)
        return server->thread_events;
    if (attached_has(&server->attached, event->task))
        return false; /* gdb 13 does not survive being told of a child that it has already */
    return server->client.multiprocess && server->client.fork_events;
}

/* Which it is, and of whom: of a thread it is the new one, of a process its parent. */
static struct rrs_error *read_stop(server *server, struct rrs_item *item, pid_t *child)
{
    const struct rrs_event *event;
    RRS_TRY(recording_event(server, server->event_stop.event, &event));
    if (!event || !read_task(event, item))
        return rrs_error_create(RRS_ERROR_NOT_FOUND, "no such event");
    *child = event->task;
    return NULL;
}

struct rrs_error *fork_stops_arrive(server *server)
{
    struct rrs_stop stop = server->stop;
    struct rrs_item item;
    pid_t child;
    RRS_TRY(read_stop(server, &item, &child));
    RRS_TRY(rrs_timeline_seek_event(server->timeline, stop.event + 1, &server->stop));
    bool is_thread = item.task.flags & CLONE_THREAD;
    stop.tid = is_thread ? child : item.task.creator;
    if (!is_thread)
        attached_add(&server->attached, child);
    if (item.task.flags & CLONE_VFORK && server->client.vfork_events)
        server->vfork_parent = item.task.creator;
    server->stop = stop;
    return NULL;
}

struct rrs_error *fork_stops_describe(server *server, struct buffer *fields)
{
    struct rrs_item item;
    pid_t child;
    RRS_TRY(read_stop(server, &item, &child));
    if (item.task.flags & CLONE_THREAD) {
        buffer_add_text(fields, "create:;");
        return NULL;
    }
    buffer_add_text(fields, server->vfork_parent == item.task.creator ? "vfork:" : "fork:");
    add_thread_id(server, fields, child, child);
    buffer_add_byte(fields, ';');
    return NULL;
}

bool fork_stops_is_vfork_end(const server *server, const struct rrs_event *event)
{
    return server->vfork_parent && event->task == server->vfork_parent &&
           (event->event_kind == RRS_EVENT_CALL_EXIT || event->event_kind == RRS_EVENT_CALL);
}

bool fork_stops_ends_vfork(server *server, enum rrs_direction direction)
{
    pid_t parent = server->vfork_parent;
    if (!parent || (direction == RRS_FORWARD && server->errand.kind == ERRAND_NONE) ||
        !thread_exists(server, parent))
        return false;
    server->stop = (struct rrs_stop){.reason = RRS_STOP_REACHED, .tid = parent};
    server->vfork_is_over = true;
    return true;
}
