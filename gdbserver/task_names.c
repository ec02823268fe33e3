/* SPDX-License-Identifier: MIT */
/*
 * Names of tasks. A task names itself by prctl(PR_SET_NAME), and others by writing to their files
 * in /proc, as pthread_setname_np does; what such calls read is in their events (INPUT items).
 */
#include "gdbserver/task_names.h"

#include "engine/events/body.h"
#include "lmdb-store/event_log_reader.h"

#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

struct task_name {
    uint64_t event;
    pid_t tid;
    char name[TASK_NAME_BYTES];
};

/* A file of names that a task has opened, or is about to. */
struct opened {
    pid_t tid, named;
    int64_t fd; /* -1: the call has not returned yet */
};

struct reading {
    struct task_names *names;
    struct opened opened[16];
    size_t next; /* of them, to be used */
};

void task_names_deinit(struct task_names *names)
{
    free(names->names);
    *names = (struct task_names){0};
}

static struct rrs_error *add_name(struct task_names *names, uint64_t event, pid_t tid,
                                  const struct rrs_item *input)
{
    if (!(names->n_names & (names->n_names - 1))) {
        size_t room = names->n_names ? 2 * names->n_names : 1;
        struct task_name *larger = reallocarray(names->names, room, sizeof *larger);
        if (!larger)
            return rrs_error_no_memory();
        names->names = larger;
    }
    struct task_name *name = &names->names[names->n_names++];
    *name = (struct task_name){.event = event, .tid = tid};
    size_t size = input->write.size < TASK_NAME_BYTES ? input->write.size : TASK_NAME_BYTES - 1;
    memcpy(name->name, input->write.bytes, size);
    name->name[TASK_NAME_BYTES - 1] = '\0';
    return NULL;
}

/* The task whose name a file has: /proc/self/task/TID/comm, also with a number for "self". */
static pid_t named_by(const struct rrs_item *path)
{
    char text[64], *end;
    if (path->write.size >= sizeof text)
        return 0;
    memcpy(text, path->write.bytes, path->write.size);
    text[path->write.size] = '\0';
    const char *number = strncmp(text, "/proc/", 6) == 0 ? strstr(text, "/task/") : NULL;
    if (!number)
        return 0;
    long tid = strtol(number + strlen("/task/"), &end, 10);
    return strcmp(end, "/comm") == 0 && tid > 0 && tid <= INT32_MAX ? (pid_t)tid : 0;
}

static struct opened *find_opened(struct reading *reading, pid_t tid, int64_t fd)
{
    for (size_t i = 0; i < sizeof reading->opened / sizeof reading->opened[0]; i++)
        if (reading->opened[i].tid == tid && reading->opened[i].fd == fd)
            return &reading->opened[i];
    return NULL;
}

static void note_opening(struct reading *reading, pid_t tid, pid_t named)
{
    reading->opened[reading->next++ % 16] = (struct opened){tid, named, -1};
}

static struct rrs_error *read_call(struct reading *reading, const struct rrs_event *event,
                                   const struct rrs_item *call, const struct rrs_item *input)
{
    struct opened *opened;
    switch (call->call.number) {
    case SYS_prctl:
        if (call->call.args[0] == PR_SET_NAME)
            return add_name(reading->names, event->number, event->task, input);
        break;
    case SYS_openat:
        if (named_by(input))
            note_opening(reading, event->task, named_by(input));
        break;
    case SYS_write:
        opened = find_opened(reading, event->task, (int64_t)call->call.args[0]);
        if (opened)
            return add_name(reading->names, event->number, opened->named, input);
        break;
    case SYS_close:
        opened = find_opened(reading, event->task, (int64_t)call->call.args[0]);
        if (opened)
            *opened = (struct opened){0};
        break;
    }
    return NULL;
}

static struct rrs_error *read_event(struct reading *reading, const struct rrs_event *event)
{
    struct rrs_item item, input = {0};
    struct opened *opening;
    bool calls = rrs_item_find(event->data, event->size_bytes, RRS_ITEM_CALL, &item);
    if (calls && (item.call.number == SYS_close ||
                  rrs_item_find(event->data, event->size_bytes, RRS_ITEM_INPUT, &input)))
        RRS_TRY(read_call(reading, event, &item, &input));
    opening = find_opened(reading, event->task, -1);
    if (opening && rrs_item_find(event->data, event->size_bytes, RRS_ITEM_RESULT, &item))
        opening->fd = item.result;
    return NULL;
}

static struct rrs_error *read_names(struct rrs_trace_reader *trace, struct task_names *names)
{
    struct reading reading = {.names = names};
    struct rrs_event_log *log;
    struct rrs_event_cursor *cursor;
    const struct rrs_event *event;
    RRS_TRY(rrs_event_log_create(trace, &log));
    struct rrs_error *error = rrs_event_cursor_create(log, NULL, &cursor);
    if (!error) {
        error = rrs_event_cursor_next(cursor, &event);
        while (!error && event) {
            error = read_event(&reading, event);
            if (!error)
                error = rrs_event_cursor_next(cursor, &event);
        }
        rrs_event_cursor_destroy(cursor);
    }
    rrs_event_log_destroy(log);
    return error;
}

/* The last one between two events. */
static const struct task_name *last_name(const struct task_names *names, pid_t tid, uint64_t since,
                                         uint64_t event)
{
    for (size_t i = names->n_names; i-- > 0 && names->names[i].event > since;)
        if (names->names[i].tid == tid && names->names[i].event < event)
            return &names->names[i];
    return NULL;
}

const char *task_names_find(struct task_names *names, struct rrs_trace_reader *trace,
                            const struct lineage *lineage, pid_t tid, uint64_t event)
{
    if (!names->known && trace)
        rrs_error_destroy(read_names(trace, names)); /* a damaged trace: what was read counts */
    names->known = true;
    for (;;) {
        const struct lineage_birth *birth = lineage_birth_of(lineage, tid, event);
        uint64_t born = birth ? birth->event : 0;
        uint64_t loaded = lineage_exec_of(lineage, tid, born, event);
        const struct task_name *name = last_name(names, tid, loaded ? loaded : born, event);
        if (name)
            return name->name;
        if (loaded || !birth)
            return NULL;
        tid = birth->creator;
        event = born;
    }
}
