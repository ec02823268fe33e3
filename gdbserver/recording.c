/* SPDX-License-Identifier: MIT */
/*
 * The recording as text for rrsoft's gdb commands: a line per row, fields separated by ';', numbers
 * in hex, bytes in hex. A timeline without a trace (of a unit test) has no events to list.
 */
#include "gdbserver/recording.h"

#include "engine/events/body.h"
#include "gdbserver/transfer.h"
#include "lmdb-store/scope.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_ROWS = 4096, MAX_DATA_BYTES = 64 };

struct reading {
    struct rrs_event_log *log;
    struct rrs_event_cursor *cursor;
};

static void reading_deinit(struct reading *reading)
{
    rrs_event_cursor_destroy(reading->cursor);
    rrs_event_log_destroy(reading->log);
}

#define _cleanup_reading_ __attribute__((cleanup(reading_deinit)))

/* Gives the first event at or behind `number`; *event stays NULL without a trace. */
static struct rrs_error *read_from(server *server, uint64_t number,
                                   const struct rrs_event_filter *filter, struct reading *reading,
                                   const struct rrs_event **event)
{
    struct rrs_trace_reader *trace = rrs_timeline_trace(server->timeline);
    *event = NULL;
    if (!trace)
        return NULL;
    RRS_TRY(rrs_event_log_create(trace, &reading->log));
    RRS_TRY(rrs_event_cursor_create(reading->log, filter, &reading->cursor));
    return rrs_event_cursor_seek_number(reading->cursor, number, event);
}

static struct rrs_error *open_cursor(server *server, struct rrs_trace_reader *trace)
{
    if (!server->log)
        RRS_TRY(rrs_event_log_create(trace, &server->log));
    return server->cursor ? NULL : rrs_event_cursor_create(server->log, NULL, &server->cursor);
}

struct rrs_error *recording_event(server *server, uint64_t number, const struct rrs_event **event)
{
    struct rrs_trace_reader *trace = rrs_timeline_trace(server->timeline);
    *event = NULL;
    if (!trace)
        return NULL;
    RRS_TRY(open_cursor(server, trace));
    RRS_TRY(rrs_event_cursor_seek_number(server->cursor, number, event));
    if (*event && (*event)->number != number)
        *event = NULL;
    return NULL;
}

void recording_forget(server *server)
{
    rrs_event_cursor_destroy(server->cursor);
    rrs_event_log_destroy(server->log);
    server->cursor = NULL;
    server->log = NULL;
}

struct rrs_error *recording_first_event(server *server, pid_t tid, uint64_t *event)
{
    struct rrs_event_filter filter = {.has_task = true, .task = tid};
    _cleanup_reading_ struct reading reading = {0};
    const struct rrs_event *found;
    RRS_TRY(read_from(server, 0, &filter, &reading, &found));
    *event = found ? found->number : 0;
    return NULL;
}

struct rrs_error *recording_write_position(server *server, struct buffer *text)
{
    struct rrs_position here, end;
    pid_t running;
    _cleanup_reading_ struct reading reading = {0};
    const struct rrs_event *event;
    rrs_timeline_position(server->timeline, &here, &running);
    rrs_timeline_end(server->timeline, &end);
    RRS_TRY(read_from(server, here.event, NULL, &reading, &event));
    buffer_printf(text,
                  "event=%" PRIx64 ";tick=%" PRIx64 ";pc=%" PRIx64 ";pid=%x;tid=%x;wall=%" PRIx64
                  ";end_event=%" PRIx64 ";end_tick=%" PRIx64 ";trial=%d",
                  here.event, here.tick, here.pc, (unsigned)server->pid, (unsigned)server->tid,
                  event ? event->wall_ns : 0, end.event, end.tick, server->trial.on);
    return NULL;
}

/* --- the object "rrsoft" --- */

static void add_event(const struct rrs_metadata *metadata, const struct rrs_event *event,
                      struct buffer *text)
{
    const struct rrs_string_list *kinds = &metadata->event_kinds;
    const char *kind = event->event_kind < kinds->n_items ? kinds->items[event->event_kind] : "?";
    size_t bytes = event->size_bytes < MAX_DATA_BYTES ? event->size_bytes : MAX_DATA_BYTES;
    buffer_printf(text, "%" PRIx64 ";%" PRIx64 ";%x;%s;%" PRIx64 ";", event->number, event->tick,
                  (unsigned)event->task, kind, event->wall_ns);
    buffer_add_hex(text, event->data, bytes);
    buffer_add_byte(text, '\n');
}

/* "events.FROM.COUNT": number;tick;task;kind;wall;the first bytes of its data. */
static struct rrs_error *write_events(server *server, const char *rest, struct buffer *text)
{
    char *end;
    uint64_t from = strtoull(rest, &end, 16);
    uint64_t count = *end == '.' ? strtoull(end + 1, NULL, 16) : 1;
    _cleanup_reading_ struct reading reading = {0};
    const struct rrs_event *event;
    RRS_TRY(read_from(server, from, NULL, &reading, &event));
    if (!event)
        return NULL;
    struct rrs_metadata metadata;
    RRS_TRY(rrs_trace_reader_metadata(rrs_timeline_trace(server->timeline), &metadata));
    struct rrs_error *error = NULL;
    for (uint64_t i = 0; !error && event && i < count && i < MAX_ROWS; i++) {
        add_event(&metadata, event, text);
        error = rrs_event_cursor_next(reading.cursor, &event);
    }
    rrs_metadata_deinit(&metadata);
    return error;
}

/* Every task of the recording that is alive here: tid;tgid;parent;running;name. */
static struct rrs_error *write_tasks(server *server, const char *rest, struct buffer *text)
{
    _cleanup_free_ struct rrs_timeline_task *tasks = NULL;
    size_t n_tasks;
    (void)rest;
    RRS_TRY(rrs_timeline_tasks(server->timeline, &tasks, &n_tasks));
    for (size_t i = 0; i < n_tasks; i++)
        buffer_printf(text, "%x;%x;%x;%d;%s\n", (unsigned)tasks[i].tid, (unsigned)tasks[i].tgid,
                      (unsigned)tasks[i].parent, tasks[i].running, tasks[i].name);
    return NULL;
}

static void add_last_component(struct buffer *text, const uint8_t *path, size_t size)
{
    const uint8_t *slash = memrchr(path, '/', size), *end = path + size;
    for (const uint8_t *at = slash ? slash + 1 : path; at < end && *at; at++)
        buffer_add_byte(text, *at <= ' ' || *at == ';' || *at > '~' ? '?' : *at);
}

static struct rrs_error *add_program(server *server, uint64_t exec, struct buffer *text)
{
    const struct rrs_event *event;
    struct rrs_item item;
    RRS_TRY(recording_event(server, exec, &event));
    if (event && rrs_item_find(event->data, event->size_bytes, RRS_ITEM_PROGRAM, &item))
        add_last_component(text, item.bytes.bytes, item.bytes.size);
    return NULL;
}

/* Its program is the one that it executed last, before its number was used again. */
static struct rrs_error *add_process(server *server, pid_t pid, pid_t parent, uint64_t first,
                                     struct buffer *text)
{
    const struct lineage *lineage = &server->lineage;
    uint64_t end = UINT64_MAX;
    for (size_t i = 0; i < lineage->n_births && end == UINT64_MAX; i++)
        if (lineage->births[i].tid == pid && lineage->births[i].event > first)
            end = lineage->births[i].event;
    buffer_printf(text, "%x;%x;%" PRIx64 ";", (unsigned)pid, (unsigned)parent, first);
    RRS_TRY(add_program(server, lineage_program(lineage, pid, end), text));
    buffer_add_byte(text, '\n');
    return NULL;
}

/* Every process of the recording, in order of their beginnings: pid;parent;first event;program. */
static struct rrs_error *write_processes(server *server, const char *rest, struct buffer *text)
{
    const struct lineage *lineage = &server->lineage;
    (void)rest;
    if (lineage->n_execs)
        RRS_TRY(add_process(server, lineage->execs[0].tid, 0, lineage->execs[0].event, text));
    for (size_t i = 0; i < lineage->n_births; i++) {
        const struct lineage_birth *birth = &lineage->births[i];
        if (birth->tid == birth->pid)
            RRS_TRY(add_process(server, birth->pid,
                                lineage_process(lineage, birth->creator, birth->event),
                                birth->event, text));
    }
    return NULL;
}

static struct rrs_error *write_results(server *server, const char *rest, struct buffer *text)
{
    (void)rest;
    buffer_add(text, server->errand.results.data, server->errand.results.size);
    return NULL;
}

/* What was to be said while gdb could not be told; it is said only once. */
static struct rrs_error *write_messages(server *server, const char *rest, struct buffer *text)
{
    (void)rest;
    buffer_add(text, server->messages.data, server->messages.size);
    buffer_clear(&server->messages);
    return NULL;
}

static const struct {
    const char *name;
    struct rrs_error *(*write)(server *server, const char *rest, struct buffer *text);
} parts[] = {
    {"events.", write_events},  {"tasks", write_tasks},       {"processes", write_processes},
    {"results", write_results}, {"messages", write_messages},
};

struct rrs_error *write_recording(server *server, const char *annex, struct buffer *text)
{
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        size_t length = strlen(parts[i].name);
        if (strncmp(annex, parts[i].name, length) == 0)
            return parts[i].write(server, annex + length, text);
    }
    return rrs_error_create(RRS_ERROR_NOT_FOUND, "nothing of that name");
}
