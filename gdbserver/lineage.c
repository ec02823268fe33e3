/* SPDX-License-Identifier: MIT */
/* Tasks and programs along the recording; see the header. */
#include "gdbserver/lineage.h"

#include "engine/events/body.h"
#include "lmdb-store/event_log_reader.h"

#include <stdlib.h>

/* Makes room for one more of `count` things when it is a power of two. */
static bool make_room(void **array, size_t count, size_t size)
{
    if (count & (count - 1))
        return true;
    void *larger = reallocarray(*array, count ? 2 * count : 1, size);
    if (larger)
        *array = larger;
    return larger != NULL;
}

static struct rrs_error *add_birth(struct lineage *lineage, const struct rrs_event *event)
{
    struct rrs_item item;
    if (!rrs_item_find(event->data, event->size_bytes, RRS_ITEM_TASK, &item))
        return NULL;
    if (!make_room((void **)&lineage->births, lineage->n_births, sizeof *lineage->births))
        return rrs_error_no_memory();
    lineage->births[lineage->n_births++] =
        (struct lineage_birth){event->number, event->task, item.task.tgid, item.task.creator};
    return NULL;
}

static struct rrs_error *add_exec(struct lineage *lineage, const struct rrs_event *event)
{
    if (!make_room((void **)&lineage->execs, lineage->n_execs, sizeof *lineage->execs))
        return rrs_error_no_memory();
    lineage->execs[lineage->n_execs++] = (struct lineage_exec){event->number, event->task};
    return NULL;
}

static struct rrs_error *read_kind(struct rrs_event_log *log, struct lineage *lineage,
                                   enum rrs_event_kind kind,
                                   struct rrs_error *(*add)(struct lineage *lineage,
                                                            const struct rrs_event *event))
{
    const struct rrs_event_filter filter = {.has_kind = true, .event_kind = kind};
    struct rrs_event_cursor *cursor;
    const struct rrs_event *event;
    RRS_TRY(rrs_event_cursor_create(log, &filter, &cursor));
    struct rrs_error *error = rrs_event_cursor_next(cursor, &event);
    while (!error && event) {
        error = add(lineage, event);
        if (!error)
            error = rrs_event_cursor_next(cursor, &event);
    }
    rrs_event_cursor_destroy(cursor);
    return error;
}

struct rrs_error *lineage_read(struct rrs_trace_reader *trace, struct lineage *lineage)
{
    struct rrs_event_log *log;
    *lineage = (struct lineage){0};
    if (!trace)
        return NULL;
    RRS_TRY(rrs_event_log_create(trace, &log));
    struct rrs_error *error = read_kind(log, lineage, RRS_EVENT_TASK_NEW, add_birth);
    if (!error)
        error = read_kind(log, lineage, RRS_EVENT_EXEC, add_exec);
    rrs_event_log_destroy(log);
    return error;
}

void lineage_deinit(struct lineage *lineage)
{
    free(lineage->births);
    free(lineage->execs);
    *lineage = (struct lineage){0};
}

const struct lineage_birth *lineage_birth_of(const struct lineage *lineage, pid_t tid,
                                             uint64_t event)
{
    for (size_t i = lineage->n_births; i-- > 0;)
        if (lineage->births[i].tid == tid && lineage->births[i].event < event)
            return &lineage->births[i];
    return NULL;
}

pid_t lineage_process(const struct lineage *lineage, pid_t tid, uint64_t event)
{
    const struct lineage_birth *birth = lineage_birth_of(lineage, tid, event);
    return birth ? birth->pid : tid;
}

static uint64_t last_exec(const struct lineage *lineage, pid_t pid, uint64_t since, uint64_t event)
{
    for (size_t i = lineage->n_execs; i-- > 0 && lineage->execs[i].event > since;)
        if (lineage->execs[i].event < event &&
            lineage_process(lineage, lineage->execs[i].tid, lineage->execs[i].event) == pid)
            return lineage->execs[i].event;
    return 0;
}

uint64_t lineage_exec_of(const struct lineage *lineage, pid_t tid, uint64_t since, uint64_t event)
{
    for (size_t i = lineage->n_execs; i-- > 0 && lineage->execs[i].event > since;)
        if (lineage->execs[i].tid == tid && lineage->execs[i].event < event)
            return lineage->execs[i].event;
    return 0;
}

/* A process that has loaded none executes what its maker executed when it was made. */
uint64_t lineage_program(const struct lineage *lineage, pid_t pid, uint64_t event)
{
    for (;;) {
        const struct lineage_birth *birth = lineage_birth_of(lineage, pid, event);
        uint64_t loaded = last_exec(lineage, pid, birth ? birth->event : 0, event);
        if (loaded || !birth)
            return loaded;
        pid = lineage_process(lineage, birth->creator, birth->event);
        event = birth->event;
    }
}
