/* SPDX-License-Identifier: MIT */
/*
 * One walk over the log. Ticks between two events belong to the task that ran; that is the task of
 * the next event that only a running task can have. A call of another task may return in between,
 * and another task may end; both are told of at the tick where the runner stood.
 */
#include "cli/process_list.h"

#include "cli/decode.h"
#include "cli/event_memory.h"

#include <search.h>
#include <stdlib.h>
#include <string.h>

struct task {
    int32_t tid;
    size_t process; /* index */
    bool in_call;
};

struct walk {
    struct decoder decoder;
    struct process_list *list;
    size_t room;
    void *tasks; /* tree of struct task, by tid */
    uint64_t tick, unclaimed_ticks;
};

static int compare_tasks(const void *a, const void *b)
{
    const struct task *left = a, *right = b;
    return (left->tid > right->tid) - (left->tid < right->tid);
}

static struct task *find_task(struct walk *walk, int32_t tid)
{
    const struct task key = {.tid = tid};
    struct task **found = tfind(&key, &walk->tasks, compare_tasks);
    return found ? *found : NULL;
}

/* The task of that number, which may have had another process before. */
static struct rrs_error *put_task(struct walk *walk, int32_t tid, size_t process)
{
    struct task *task = find_task(walk, tid);
    if (!task) {
        task = calloc(1, sizeof *task);
        if (!task)
            return rrs_error_no_memory();
        task->tid = tid;
        if (!tsearch(task, &walk->tasks, compare_tasks)) {
            free(task);
            return rrs_error_no_memory();
        }
    }
    task->process = process;
    task->in_call = false;
    walk->list->processes[process].n_tasks++;
    return NULL;
}

/* `creator`: the task that made it, or NULL. */
static struct rrs_error *put_process(struct walk *walk, int32_t pid, const struct task *creator,
                                     const struct rrs_event *event)
{
    struct process_list *list = walk->list;
    if (list->n_processes == walk->room) {
        size_t room = walk->room ? walk->room * 2 : 16;
        struct process *larger = reallocarray(list->processes, room, sizeof *larger);
        if (!larger)
            return rrs_error_no_memory();
        list->processes = larger;
        walk->room = room;
    }
    list->processes[list->n_processes++] = (struct process){
        .pid = pid,
        .parent = creator ? list->processes[creator->process].pid : 0,
        .parent_place = creator ? creator->process + 1 : 0,
        .first_event = event->number,
    };
    return put_task(walk, pid, list->n_processes - 1);
}

static struct process *process_of(struct walk *walk, int32_t tid)
{
    const struct task *task = find_task(walk, tid);
    return task ? &walk->list->processes[task->process] : NULL;
}

/* --- what events say --- */

static struct rrs_error *set_program(struct process *process, struct rrs_trace_reader *reader,
                                     const struct rrs_event *event)
{
    struct exec_strings strings;
    struct rrs_error *error = exec_strings_read(reader, event, &strings);
    for (size_t i = 0; i < process->n_words; i++)
        free(process->command_line[i]);
    free(process->command_line);
    free(process->program);
    process->program = strings.program;
    process->command_line = strings.arguments;
    process->n_words = strings.n_arguments;
    process->n_execs++;
    process->exec_event = event->number;
    strings.program = NULL;
    strings.arguments = NULL;
    strings.n_arguments = 0;
    exec_strings_deinit(&strings);
    return error;
}

static struct rrs_error *see_exec(struct walk *walk, const struct rrs_event *event)
{
    struct rrs_item item;
    bool told = rrs_item_find(event->data, event->size_bytes, RRS_ITEM_TASK, &item);
    if (!find_task(walk, event->task))
        RRS_TRY(put_process(walk, event->task, told ? find_task(walk, item.task.creator) : NULL,
                            event));
    struct task *task = find_task(walk, event->task);
    task->in_call = false;
    return set_program(&walk->list->processes[task->process], walk->decoder.reader, event);
}

static struct rrs_error *copy_program(struct walk *walk, const struct process *from)
{
    struct process *to = &walk->list->processes[walk->list->n_processes - 1];
    if (!from->program)
        return NULL;
    to->program = strdup(from->program);
    to->command_line = calloc(from->n_words + 1, sizeof *to->command_line);
    if (!to->program || !to->command_line)
        return rrs_error_no_memory();
    for (; to->n_words < from->n_words; to->n_words++) {
        to->command_line[to->n_words] = strdup(from->command_line[to->n_words]);
        if (!to->command_line[to->n_words])
            return rrs_error_no_memory();
    }
    return NULL;
}

static struct rrs_error *see_task_new(struct walk *walk, const struct rrs_event *event)
{
    struct rrs_item item;
    if (!rrs_item_find(event->data, event->size_bytes, RRS_ITEM_TASK, &item))
        return NULL;
    const struct task *leader = find_task(walk, item.task.tgid);
    if (item.task.tgid != event->task && leader)
        return put_task(walk, event->task, leader->process);
    const struct task *creator = find_task(walk, item.task.creator);
    size_t parent = creator ? creator->process : 0;
    RRS_TRY(put_process(walk, event->task, creator, event));
    return creator ? copy_program(walk, &walk->list->processes[parent]) : NULL;
}

static void see_task_end(struct walk *walk, const struct rrs_event *event)
{
    struct rrs_item item;
    struct process *process = process_of(walk, event->task);
    if (process && process->pid == event->task &&
        rrs_item_find(event->data, event->size_bytes, RRS_ITEM_STATUS, &item)) {
        process->ended = true;
        process->status = item.status;
    }
}

/* Whether its task ran up to the event; the call that is under way changes with it. */
static bool ran_until(struct task *task, enum rrs_event_kind kind)
{
    bool ran = !task->in_call;
    if (kind == RRS_EVENT_CALL_ENTER)
        task->in_call = true;
    if (kind == RRS_EVENT_CALL_EXIT || kind == RRS_EVENT_SIGNAL)
        task->in_call = false;
    return ran && kind != RRS_EVENT_TASK_NEW && kind != RRS_EVENT_CALL_EXIT;
}

static void claim_ticks(struct walk *walk, const struct rrs_event *event, enum rrs_event_kind kind)
{
    struct task *task = find_task(walk, event->task);
    walk->unclaimed_ticks += event->tick - walk->tick;
    walk->tick = event->tick;
    if (!task)
        return;
    struct process *process = &walk->list->processes[task->process];
    process->last_event = event->number;
    if (!ran_until(task, kind))
        return;
    process->ticks += walk->unclaimed_ticks;
    walk->unclaimed_ticks = 0;
}

static struct rrs_error *see(struct walk *walk, const struct rrs_event *event)
{
    enum rrs_event_kind kind = decode_kind(&walk->decoder, event);
    claim_ticks(walk, event, kind);
    switch (kind) {
    case RRS_EVENT_EXEC:
        return see_exec(walk, event);
    case RRS_EVENT_TASK_NEW:
        return see_task_new(walk, event);
    case RRS_EVENT_TASK_END:
        see_task_end(walk, event);
        return NULL;
    default:
        return NULL;
    }
}

static struct rrs_error *walk_log(struct walk *walk, struct rrs_event_log *log)
{
    struct rrs_event_cursor *cursor;
    const struct rrs_event *event;
    RRS_TRY(rrs_event_cursor_create(log, NULL, &cursor));
    struct rrs_error *error = rrs_event_cursor_next(cursor, &event);
    while (!error && event) {
        error = see(walk, event);
        if (!error)
            error = rrs_event_cursor_next(cursor, &event);
    }
    rrs_event_cursor_destroy(cursor);
    return error;
}

struct rrs_error *process_list_read(const struct opened_trace *trace, struct process_list *list)
{
    struct walk walk = {.list = list};
    *list = (struct process_list){0};
    decoder_init(&walk.decoder, trace);
    struct rrs_error *error = walk_log(&walk, trace->log);
    tdestroy(walk.tasks, free);
    decoder_deinit(&walk.decoder);
    return error;
}

void process_list_deinit(struct process_list *list)
{
    for (size_t i = 0; i < list->n_processes; i++) {
        struct process *process = &list->processes[i];
        for (size_t word = 0; word < process->n_words; word++)
            free(process->command_line[word]);
        free(process->command_line);
        free(process->program);
    }
    free(list->processes);
    *list = (struct process_list){0};
}
