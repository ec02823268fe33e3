/* SPDX-License-Identifier: MIT */
#include "cli/compare.h"

#include "engine/syscalls/table.h"

#include <search.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

/* --- tasks --- */

static int compare_births(const void *a, const void *b)
{
    const struct birth *left = a, *right = b;
    return (left->tid > right->tid) - (left->tid < right->tid);
}

static struct birth *find_birth(const struct births *births, int32_t tid)
{
    const struct birth key = {.tid = tid};
    struct birth *const *found = tfind(&key, &births->tree, compare_births);
    return found ? *found : NULL;
}

/* 0: no task of the recording. */
static uint64_t id_of(const struct births *births, int32_t tid)
{
    const struct birth *birth = find_birth(births, tid);
    return birth ? birth->id : 0;
}

/* splitmix64: Steele, Lea, Flood, Fast splittable pseudorandom number generators. Never 0. */
static uint64_t mix(uint64_t value)
{
    value += 0x9e3779b97f4a7c15;
    value = (value ^ value >> 30) * 0xbf58476d1ce4e5b9;
    value = (value ^ value >> 27) * 0x94d049bb133111eb;
    return (value ^ value >> 31) | 1;
}

static struct rrs_error *add_birth(struct births *births, const struct rrs_event *event,
                                   struct birth *creator)
{
    if (find_birth(births, event->task))
        return NULL; /* a number that is used again */
    if (births->count == births->room) {
        size_t room = births->room ? births->room * 2 : 16;
        struct birth **larger = reallocarray(births->list, room, sizeof *larger);
        if (!larger)
            return rrs_error_no_memory();
        births->list = larger;
        births->room = room;
    }
    struct birth *birth = malloc(sizeof *birth);
    if (!birth)
        return rrs_error_no_memory();
    uint64_t id = creator ? mix(creator->id ^ mix(++creator->n_children)) : mix(births->count);
    *birth = (struct birth){event->task, id, 0, event->number};
    if (!tsearch(birth, &births->tree, compare_births)) {
        free(birth);
        return rrs_error_no_memory();
    }
    births->list[births->count++] = birth;
    return NULL;
}

static struct rrs_error *see_birth(struct births *births, const struct rrs_event *event)
{
    struct rrs_item item;
    bool told = rrs_item_find(event->data, event->size_bytes, RRS_ITEM_TASK, &item);
    return add_birth(births, event, told ? find_birth(births, item.task.creator) : NULL);
}

static struct rrs_error *see_births(struct births *births, struct rrs_event_cursor *cursor)
{
    const struct rrs_event *event;
    RRS_TRY(rrs_event_cursor_next(cursor, &event));
    while (event) {
        RRS_TRY(see_birth(births, event));
        RRS_TRY(rrs_event_cursor_next(cursor, &event));
    }
    return NULL;
}

struct rrs_error *births_read(struct births *births, const struct opened_trace *trace)
{
    const struct rrs_event_filter new_tasks = {.has_kind = true, .event_kind = RRS_EVENT_TASK_NEW};
    struct rrs_event_cursor *cursor;
    const struct rrs_event *first;
    RRS_TRY(rrs_event_cursor_create(trace->log, NULL, &cursor));
    struct rrs_error *error = rrs_event_cursor_next(cursor, &first);
    if (!error && first)
        error = add_birth(births, first, NULL);
    rrs_event_cursor_destroy(cursor);
    RRS_TRY(error);
    RRS_TRY(rrs_event_cursor_create(trace->log, &new_tasks, &cursor));
    error = see_births(births, cursor);
    rrs_event_cursor_destroy(cursor);
    return error;
}

static void keep(void *birth)
{
    (void)birth; /* it is freed by way of the list */
}

void births_deinit(struct births *births)
{
    tdestroy(births->tree, keep);
    for (size_t i = 0; i < births->count; i++)
        free(births->list[i]);
    free(births->list);
    *births = (struct births){0};
}

/* Numbers of processes stand for their tasks; negative ones for groups; all others for themselves.
 */
static bool is_same_task(const struct compared_side *a, int32_t in_a, const struct compared_side *b,
                         int32_t in_b)
{
    if ((in_a < 0) != (in_b < 0))
        return false;
    uint64_t id = id_of(a->births, in_a < 0 ? -in_a : in_a);
    return id ? id == id_of(b->births, in_b < 0 ? -in_b : in_b) : in_a == in_b;
}

/* --- steps --- */

static bool find(const struct compared_side *side, enum rrs_item_kind kind, struct rrs_item *item)
{
    if (rrs_item_find(side->event->data, side->event->size_bytes, kind, item))
        return true;
    *item = (struct rrs_item){0};
    return false;
}

static bool is_number_of_task(const struct rrs_syscall_shape *shape, unsigned index)
{
    return shape && index < shape->argument_count && shape->arguments[index].kind == RRS_KIND_pid;
}

static const char *compare_calls(const struct compared_side *a, const struct compared_side *b)
{
    struct rrs_item in_a, in_b;
    bool has_a = find(a, RRS_ITEM_CALL, &in_a), has_b = find(b, RRS_ITEM_CALL, &in_b);
    if (has_a != has_b || in_a.call.number != in_b.call.number)
        return "another system call";
    if (!has_a)
        return NULL;
    const struct rrs_syscall_shape *shape = rrs_syscall_shape(in_a.call.number, in_a.call.args);
    for (unsigned i = 0; i < 6; i++) {
        bool unused = shape && i >= shape->argument_count;
        uint64_t left = in_a.call.args[i], right = in_b.call.args[i];
        if (unused || left == right)
            continue;
        if (!is_number_of_task(shape, i) || !is_same_task(a, (int32_t)left, b, (int32_t)right))
            return "another argument of the system call";
    }
    return NULL;
}

static const char *compare_signals(const struct compared_side *a, const struct compared_side *b)
{
    struct rrs_item in_a, in_b;
    siginfo_t left = {0}, right = {0};
    if (find(a, RRS_ITEM_SIGINFO, &in_a) && find(b, RRS_ITEM_SIGINFO, &in_b)) {
        memcpy(&left, in_a.bytes.bytes,
               in_a.bytes.size < sizeof left ? in_a.bytes.size : sizeof left);
        memcpy(&right, in_b.bytes.bytes,
               in_b.bytes.size < sizeof right ? in_b.bytes.size : sizeof right);
    }
    if (left.si_signo != right.si_signo)
        return "another signal";
    find(a, RRS_ITEM_ACTION, &in_a);
    find(b, RRS_ITEM_ACTION, &in_b);
    return in_a.action == in_b.action ? NULL : "another effect of the signal";
}

static const char *compare_programs(const struct compared_side *a, const struct compared_side *b)
{
    struct rrs_item in_a, in_b;
    bool has_a = find(a, RRS_ITEM_PROGRAM, &in_a), has_b = find(b, RRS_ITEM_PROGRAM, &in_b);
    bool same = has_a == has_b && in_a.bytes.size == in_b.bytes.size &&
                (!has_a || !memcmp(in_a.bytes.bytes, in_b.bytes.bytes, in_a.bytes.size));
    return same ? NULL : "another program";
}

static const char *compare_ends(const struct compared_side *a, const struct compared_side *b)
{
    struct rrs_item in_a, in_b;
    find(a, RRS_ITEM_STATUS, &in_a);
    find(b, RRS_ITEM_STATUS, &in_b);
    return in_a.status == in_b.status ? NULL : "another end of the task";
}

static enum rrs_event_kind kind_of(const struct compared_side *side, bool exact)
{
    enum rrs_event_kind kind = decode_kind(side->decoder, side->event);
    return kind == RRS_EVENT_CALL_EXIT && !exact ? RRS_EVENT_CALL : kind;
}

const char *compare_steps(const struct compared_side *a, const struct compared_side *b, bool exact)
{
    struct rrs_item in_a, in_b;
    const char *difference = NULL;
    if (!is_same_task(a, a->event->task, b, b->event->task))
        return "another task";
    if (kind_of(a, exact) != kind_of(b, exact))
        return "another kind of event";
    if (exact && a->event->tick != b->event->tick)
        return "another tick";
    find(a, RRS_ITEM_PC, &in_a);
    find(b, RRS_ITEM_PC, &in_b);
    if (in_a.pc != in_b.pc)
        return "another place in the program";
    difference = compare_calls(a, b);
    if (!difference)
        difference = compare_signals(a, b);
    if (!difference)
        difference = compare_programs(a, b);
    return difference ? difference : compare_ends(a, b);
}

/* --- inputs --- */

/* A call's result, where it is the number of a process. */
static bool gives_same_task(const struct compared_side *a, const struct compared_side *b)
{
    struct rrs_item call, in_a, in_b;
    if (!find(a, RRS_ITEM_CALL, &call) || !find(a, RRS_ITEM_RESULT, &in_a) ||
        !find(b, RRS_ITEM_RESULT, &in_b))
        return false;
    const struct rrs_syscall_shape *shape = rrs_syscall_shape(call.call.number, call.call.args);
    return shape && shape->result == RRS_RESULT_PID &&
           is_same_task(a, (int32_t)in_a.result, b, (int32_t)in_b.result);
}

/* What a step is made of was compared, and what says so differs with the numbers of processes. */
static bool is_part_of_step(enum rrs_item_kind kind)
{
    return kind == RRS_ITEM_PC || kind == RRS_ITEM_CALL || kind == RRS_ITEM_TASK ||
           kind == RRS_ITEM_STATUS || kind == RRS_ITEM_SHOWN;
}

struct raw_items {
    struct rrs_item_reader reader;
    const uint8_t *start; /* of the item that was read last */
    struct rrs_item item;
};

static bool next_input(struct raw_items *items, bool skip_result)
{
    do {
        items->start = items->reader.at;
        if (!rrs_item_next(&items->reader, &items->item))
            return false;
    } while (is_part_of_step(items->item.kind) ||
             (skip_result && items->item.kind == RRS_ITEM_RESULT));
    return true;
}

/* What a handler leaves behind is no input: it is what was there before. */
static bool is_return_of_handler(const struct compared_side *side)
{
    struct rrs_item call;
    return find(side, RRS_ITEM_CALL, &call) && call.call.number == RRS_SYS_rt_sigreturn;
}

bool compare_inputs(const struct compared_side *a, const struct compared_side *b)
{
    if (is_return_of_handler(a))
        return true;
    bool same_task = gives_same_task(a, b);
    struct raw_items left = {
        rrs_item_reader_begin(a->event->data, a->event->size_bytes), NULL, {0}};
    struct raw_items right = {
        rrs_item_reader_begin(b->event->data, b->event->size_bytes), NULL, {0}};
    for (;;) {
        bool more = next_input(&left, same_task);
        if (more != next_input(&right, same_task))
            return false;
        if (!more)
            return true;
        size_t size = (size_t)(left.reader.at - left.start);
        if (size != (size_t)(right.reader.at - right.start) ||
            memcmp(left.start, right.start, size) != 0)
            return false;
    }
}
