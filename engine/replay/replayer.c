/* SPDX-License-Identifier: MIT */
#include "engine/replay/replayer.h"

#include "engine/arch/x86_64/features.h"
#include "engine/replay/symbol.h"
#include "engine/run/remote.h"
#include "engine/run/state.h"
#include "engine/syscalls/table.h"
#include "lmdb-store/blob.h"
#include "lmdb-store/scope.h"

#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

struct rrs_error *rrs_replay_diverged(const struct rrs_replayer *replayer, const char *format, ...)
{
    char what[400], where[400] = "";
    const struct rrs_event *event = replayer->next;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(what, sizeof what, format, arguments);
    va_end(arguments);
    const struct rrs_replay_task *task = rrs_replay_find_task(replayer, event->task);
    rrs_addr pc = task ? task->task->regs.rip : 0;
    if (task)
        rrs_replay_describe_pc(replayer, task, pc, where, sizeof where);
    struct rrs_error *error = rrs_error_create(
        RRS_ERROR_DIVERGED, "event %lu (task %d, tick %lu%s%s): %s", (unsigned long)event->number,
        event->task, (unsigned long)event->tick, task ? ", at " : "", where, what);
    error->address = pc;
    error->event = event->number;
    error->tick = event->tick;
    error->task = event->task;
    return error;
}

/* --- what the events do --- */

static struct rrs_error *the_task(struct rrs_replayer *replayer, struct rrs_replay_task **task)
{
    *task = rrs_replay_find_task(replayer, replayer->next->task);
    return *task ? NULL
                 : rrs_replay_diverged(replayer, "task %d does not exist", replayer->next->task);
}

static bool find(const struct rrs_replayer *replayer, enum rrs_item_kind kind,
                 struct rrs_item *item)
{
    return rrs_item_find(replayer->next->data, replayer->next->size_bytes, kind, item);
}

static struct rrs_error *check_call(const struct rrs_replayer *replayer,
                                    const struct rrs_replay_task *task, const struct rrs_item *call)
{
    const struct user_regs_struct *r = &task->task->call_regs;
    const uint64_t args[6] = {r->rdi, r->rsi, r->rdx, r->r10, r->r8, r->r9};
    const struct rrs_syscall_row *row = rrs_syscall_row(call->call.number);
    char came[160];
    if (call->call.number != task->task->call) {
        rrs_replay_print_call(task->task, came, sizeof came);
        return rrs_replay_diverged(replayer, "expected system call %s, %s came",
                                   row ? row->shape.name : "of no name", came);
    }
    for (int i = 0; i < 6; i++)
        if (args[i] != call->call.args[i])
            return rrs_replay_diverged(replayer, "%s: argument %d: expected %#lx, %#lx came",
                                       row ? row->shape.name : "system call", i + 1,
                                       (unsigned long)call->call.args[i], (unsigned long)args[i]);
    return NULL;
}

static struct rrs_error *missing(const struct rrs_replayer *replayer, const char *item)
{
    return rrs_error_create(RRS_ERROR_BAD_TRACE, "event %lu lacks its %s",
                            (unsigned long)replayer->next->number, item);
}

static struct rrs_error *begin_call(struct rrs_replayer *replayer, struct rrs_replay_task *task,
                                    struct rrs_item *call)
{
    if (!find(replayer, RRS_ITEM_CALL, call))
        return missing(replayer, "system call");
    RRS_TRY(rrs_replay_reach_call(replayer, task));
    return check_call(replayer, task, call);
}

static struct rrs_error *finish_call(struct rrs_replayer *replayer, struct rrs_replay_task *task,
                                     const struct rrs_item *call)
{
    struct rrs_item result, changed;
    struct rrs_task *host = task->task;
    if (!find(replayer, RRS_ITEM_RESULT, &result))
        return missing(replayer, "result");
    if (replayer->echo)
        RRS_TRY(rrs_replay_echo(replayer, task, call, result.result));
    struct user_regs_struct regs = rrs_expected_after_call(&host->call_regs, result.result);
    if (find(replayer, RRS_ITEM_REGS, &changed))
        rrs_item_apply_regs(&changed, &regs);
    RRS_TRY(
        rrs_replay_mapping_call(replayer, task, call->call.number, call->call.args, result.result));
    RRS_TRY(rrs_replay_apply_writes(replayer, task));
    RRS_TRY(rrs_replay_set_xstate_item(replayer, task));
    bool at_call = host->at_call;
    rrs_task_ready_safely(&replayer->session, host, &regs);
    host->at_call = at_call;
    task->at_call = task->in_call = false;
    return NULL;
}

static struct rrs_error *do_call(struct rrs_replayer *replayer)
{
    struct rrs_replay_task *task;
    struct rrs_item call;
    RRS_TRY(the_task(replayer, &task));
    RRS_TRY(begin_call(replayer, task, &call));
    return finish_call(replayer, task, &call);
}

static struct rrs_error *do_call_enter(struct rrs_replayer *replayer)
{
    struct rrs_replay_task *task;
    struct rrs_item call;
    RRS_TRY(the_task(replayer, &task));
    RRS_TRY(begin_call(replayer, task, &call));
    task->in_call = true;
    return rrs_replay_apply_writes(replayer, task);
}

static struct rrs_error *do_call_exit(struct rrs_replayer *replayer)
{
    struct rrs_replay_task *task;
    struct rrs_item call;
    RRS_TRY(the_task(replayer, &task));
    if (!task->in_call)
        return rrs_replay_diverged(replayer, "task %d is in no system call", task->tid);
    if (replayer->next->tick != replayer->session.clock.ticks)
        return rrs_replay_diverged(replayer, "it is tick %lu when the call returns",
                                   (unsigned long)replayer->session.clock.ticks);
    RRS_TRY(begin_call(replayer, task, &call));
    return finish_call(replayer, task, &call);
}

static struct rrs_error *check_pc(const struct rrs_replayer *replayer,
                                  const struct rrs_replay_task *task)
{
    struct rrs_item pc;
    if (find(replayer, RRS_ITEM_PC, &pc) && pc.pc != task->task->regs.rip)
        return rrs_replay_diverged(replayer, "expected at %#lx, it is at %#lx",
                                   (unsigned long)pc.pc, (unsigned long)task->task->regs.rip);
    return NULL;
}

/* What the CPU does by itself besides (a store of sgdt's) is done by a CPU. */
static struct rrs_error *execute_alone(struct rrs_replayer *replayer, struct rrs_replay_task *task)
{
    struct rrs_insn insn;
    struct rrs_task *host = task->task;
    struct user_regs_struct before = host->regs;
    bool faulted;
    if (replayer->stop.trapped_op != RRS_TRAPPED_ALONE &&
        replayer->stop.trapped_op != RRS_TRAPPED_NONE)
        return NULL;
    if (!rrs_fetch_insn(&replayer->session, host, before.rip, &insn))
        return rrs_replay_diverged(replayer, "no instruction at %#lx", (unsigned long)before.rip);
    RRS_TRY(rrs_run_alone_prepare(&replayer->session, host));
    RRS_TRY(rrs_run_alone(&replayer->session, host, &insn, &faulted));
    if (faulted)
        return rrs_replay_diverged(replayer, "the instruction at %#lx faulted",
                                   (unsigned long)before.rip);
    host->regs = before;
    return NULL;
}

static struct rrs_error *do_insn(struct rrs_replayer *replayer)
{
    struct rrs_replay_task *task;
    struct rrs_item changed;
    RRS_TRY(the_task(replayer, &task));
    if (!task->at_insn)
        RRS_TRY(rrs_replay_run_to_stop(replayer, task, RRS_RUN_INSN,
                                       "an instruction whose result was recorded"));
    task->at_insn = false;
    RRS_TRY(check_pc(replayer, task));
    RRS_TRY(execute_alone(replayer, task));
    if (!find(replayer, RRS_ITEM_REGS, &changed))
        return missing(replayer, "registers");
    rrs_item_apply_regs(&changed, &task->task->regs);
    return NULL;
}

/* Runs to the place of the next event, which is in front of a tick instruction or of a call. */
static struct rrs_error *reach_place(struct rrs_replayer *replayer, struct rrs_replay_task *task)
{
    struct rrs_item pc;
    uint64_t now = replayer->session.clock.ticks, tick = replayer->next->tick;
    if (!find(replayer, RRS_ITEM_PC, &pc))
        return missing(replayer, "place");
    if (task->in_call || (tick == now && task->task->regs.rip == pc.pc))
        return NULL;
    if (tick < now)
        return rrs_replay_diverged(replayer, "it is past by %lu ticks",
                                   (unsigned long)(now - tick));
    RRS_TRY(rrs_replay_run(replayer, task, tick - now));
    if (replayer->session.clock.ticks != tick)
        return rrs_replay_diverged(replayer, "a stop at %#lx came before, at tick %lu",
                                   (unsigned long)task->task->regs.rip,
                                   (unsigned long)replayer->session.clock.ticks);
    task->at_call = replayer->stop.stop_kind == RRS_RUN_CALL;
    task->at_insn = replayer->stop.stop_kind == RRS_RUN_INSN;
    if (task->at_call && pc.pc == task->task->call_regs.rip)
        return NULL; /* the signal was what the call did, as a seccomp filter wanted */
    return check_pc(replayer, task);
}

static struct rrs_error *reach_signal(struct rrs_replayer *replayer, struct rrs_replay_task *task,
                                      const siginfo_t *info, bool raised)
{
    struct rrs_item pc;
    if (!raised)
        return reach_place(replayer, task);
    if (!find(replayer, RRS_ITEM_PC, &pc))
        return missing(replayer, "place");
    return rrs_replay_reach_raised(replayer, task, info, pc.pc);
}

static struct rrs_error *do_signal(struct rrs_replayer *replayer)
{
    struct rrs_replay_task *task;
    struct rrs_item what, action, changed;
    siginfo_t info = {0};
    RRS_TRY(the_task(replayer, &task));
    if (!find(replayer, RRS_ITEM_SIGINFO, &what) || !find(replayer, RRS_ITEM_ACTION, &action))
        return missing(replayer, "signal");
    memcpy(&info, what.bytes.bytes, what.bytes.size < sizeof info ? what.bytes.size : sizeof info);
    RRS_TRY(reach_signal(replayer, task, &info, action.action & RRS_SIGNAL_RAISED));
    task->last_signal = info;
    RRS_TRY(rrs_replay_apply_writes(replayer, task));
    if ((action.action & ~(uint32_t)RRS_SIGNAL_RAISED) == RRS_SIGNAL_ENDS) {
        task->ends = !rrs_is_stop_signal(info.si_signo);
        return NULL;
    }
    if (!find(replayer, RRS_ITEM_REGS, &changed))
        return missing(replayer, "registers");
    struct user_regs_struct regs = task->task->regs;
    rrs_item_apply_regs(&changed, &regs);
    rrs_task_ready_safely(&replayer->session, task->task, &regs);
    task->at_call = task->at_insn = task->in_call = false;
    return rrs_replay_set_xstate_item(replayer, task);
}

static struct rrs_error *do_preempt(struct rrs_replayer *replayer)
{
    struct rrs_replay_task *task;
    struct rrs_item action, pc;
    RRS_TRY(the_task(replayer, &task));
    bool anywhere = find(replayer, RRS_ITEM_ACTION, &action) &&
                    action.action == RRS_PREEMPT_ANYWHERE && find(replayer, RRS_ITEM_PC, &pc);
    bool there = anywhere && replayer->next->tick == replayer->session.clock.ticks &&
                 pc.pc == task->task->regs.rip;
    if (!anywhere || there || task->in_call)
        return reach_place(replayer, task);
    RRS_TRY(rrs_replay_run_to_place(replayer, task, replayer->next->tick, pc.pc));
    task->at_call = replayer->stop.stop_kind == RRS_RUN_CALL;
    task->at_insn = replayer->stop.stop_kind == RRS_RUN_INSN;
    return check_pc(replayer, task);
}

static struct rrs_error *do_event(struct rrs_replayer *replayer)
{
    switch ((enum rrs_event_kind)replayer->next->event_kind) {
    case RRS_EVENT_EXEC:
        return rrs_replay_exec(replayer);
    case RRS_EVENT_CALL:
        return do_call(replayer);
    case RRS_EVENT_CALL_ENTER:
        return do_call_enter(replayer);
    case RRS_EVENT_CALL_EXIT:
        return do_call_exit(replayer);
    case RRS_EVENT_INSN:
        return do_insn(replayer);
    case RRS_EVENT_SIGNAL:
        return do_signal(replayer);
    case RRS_EVENT_PREEMPT:
        return do_preempt(replayer);
    case RRS_EVENT_TASK_NEW:
        return rrs_replay_task_new(replayer);
    case RRS_EVENT_TASK_END:
        return rrs_replay_task_end(replayer);
    default:
        return rrs_error_create(RRS_ERROR_BAD_TRACE, "event %lu is of unknown kind %u",
                                (unsigned long)replayer->next->number, replayer->next->event_kind);
    }
}

struct rrs_error *rrs_replayer_step_event(struct rrs_replayer *replayer)
{
    RRS_TRY(rrs_memory_guard_explain(replayer->guard, do_event(replayer)));
    return rrs_event_cursor_next(replayer->cursor, &replayer->next);
}

/* --- beginning and end --- */

static int by_start(const void *a, const void *b)
{
    const struct rrs_avoided_range *left = a, *right = b;
    return left->start < right->start ? -1 : left->start > right->start;
}

struct range_list {
    struct rrs_avoided_range *ranges;
    size_t count, room;
};

static struct rrs_error *add_range(struct range_list *list, rrs_addr start, rrs_addr end)
{
    if (end <= start)
        return NULL;
    if (list->count && list->ranges[list->count - 1].start <= start &&
        list->ranges[list->count - 1].end >= end)
        return NULL;
    if (list->count == list->room) {
        list->room = list->room ? list->room * 2 : 256;
        void *moved = realloc(list->ranges, list->room * sizeof *list->ranges);
        if (!moved)
            return rrs_error_no_memory();
        list->ranges = moved;
    }
    list->ranges[list->count++] = (struct rrs_avoided_range){start, end};
    return NULL;
}

/* Sorted, and what touches joined. */
static void join_ranges(struct range_list *list)
{
    size_t kept = 0;
    if (list->count)
        qsort(list->ranges, list->count, sizeof *list->ranges, by_start);
    for (size_t i = 0; i < list->count; i++) {
        struct rrs_avoided_range *last = kept ? &list->ranges[kept - 1] : NULL;
        if (last && list->ranges[i].start <= last->end) {
            if (list->ranges[i].end > last->end)
                last->end = list->ranges[i].end;
        } else {
            list->ranges[kept++] = list->ranges[i];
        }
    }
    list->count = kept;
}

static struct rrs_error *add_ranges_of(struct range_list *list, const struct rrs_event *event)
{
    const uint64_t stack_room = 136ull << 20, heap_room = 1ull << 20;
    struct rrs_item_reader items = rrs_item_reader_begin(event->data, event->size_bytes);
    struct rrs_item item, call = {0};
    while (rrs_item_next(&items, &item)) {
        if (item.kind == RRS_ITEM_MAP)
            RRS_TRY(add_range(list, item.map.start - (item.map.grows_down ? stack_room : 0),
                              item.map.end));
        if (item.kind == RRS_ITEM_CALL)
            call = item;
        if (item.kind == RRS_ITEM_RESULT && call.call.number == SYS_mremap && item.result > 0)
            RRS_TRY(add_range(list, (rrs_addr)item.result,
                              (rrs_addr)item.result + call.call.args[2] + 4096));
        if (item.kind == RRS_ITEM_RESULT && call.call.number == SYS_brk)
            RRS_TRY(
                add_range(list, (rrs_addr)item.result - heap_room, (rrs_addr)item.result + 4096));
    }
    return NULL;
}

/* Every range that a program of the recording ever maps: no cache of ours may take it before. */
static struct rrs_error *collect_ranges(struct rrs_replayer *replayer)
{
    struct range_list list = {0};
    const struct rrs_event *event;
    struct rrs_error *error = rrs_event_cursor_next(replayer->cursor, &event);
    while (!error && event) {
        if (event->event_kind == RRS_EVENT_EXEC || event->event_kind == RRS_EVENT_CALL ||
            event->event_kind == RRS_EVENT_CALL_EXIT)
            error = add_ranges_of(&list, event);
        if (!error)
            error = rrs_event_cursor_next(replayer->cursor, &event);
    }
    join_ranges(&list);
    replayer->avoided = list.ranges;
    replayer->session.avoided = list.ranges;
    replayer->session.avoided_count = list.count;
    return error;
}

static struct rrs_error *open_log(struct rrs_replayer *replayer)
{
    struct rrs_event_log_bounds bounds;
    RRS_TRY(rrs_event_log_create(replayer->reader, &replayer->log));
    RRS_TRY(rrs_event_cursor_create(replayer->log, NULL, &replayer->cursor));
    RRS_TRY(rrs_event_log_bounds(replayer->log, &bounds));
    replayer->last_event = bounds.last_event;
    replayer->last_tick = bounds.last_tick;
    RRS_TRY(collect_ranges(replayer));
    return rrs_event_cursor_seek_number(replayer->cursor, bounds.first_event, &replayer->next);
}

/* Instructions that this CPU lacks would fault, or do something else. Old traces name no CPU. */
static struct rrs_error *check_cpu(struct rrs_trace_reader *reader)
{
    struct rrs_cpu recorded, here;
    const void *bytes;
    size_t size;
    struct rrs_error *error = rrs_trace_reader_extra(reader, rrs_cpu_record, &bytes, &size);
    if (error && error->code == RRS_ERROR_NOT_FOUND) {
        rrs_error_destroy(error);
        return NULL;
    }
    if (!error)
        error = rrs_cpu_decode(bytes, size, &recorded);
    if (error)
        return error;
    rrs_cpu_describe(0, &here);
    return rrs_cpu_check(&recorded, &here);
}

struct rrs_error *rrs_replayer_create(struct rrs_trace_reader *reader,
                                      const struct rrs_replay_options *options,
                                      struct rrs_replayer **replayer)
{
    const struct rrs_session_options settings = {
        .slice_ticks = 1,
        .pin = true,
        .trace_all_calls = true,
        .translate = rrs_translate_defaults,
    };
    RRS_TRY(check_cpu(reader));
    struct rrs_replayer *made = calloc(1, sizeof *made);
    if (!made)
        return rrs_error_no_memory();
    made->reader = reader;
    made->echo = options->echo;
    struct rrs_error *error = rrs_memory_guard_create(options->keep_free_bytes, &made->guard);
    made->contents.guard = made->guard;
    if (!error)
        error = rrs_session_init(&made->session, &settings);
    made->session.warn = options->warn;
    made->session.warn_context = options->warn_context;
    made->session.pool_inherited = true;
    rrs_replay_init_oracle(made);
    if (!error)
        error = open_log(made);
    if (error)
        rrs_replayer_destroy(made);
    else
        *replayer = made;
    return error;
}

void rrs_replayer_destroy(struct rrs_replayer *replayer)
{
    if (!replayer)
        return;
    rrs_memory_guard_destroy(replayer->guard);
    while (replayer->tasks)
        rrs_replay_remove_task(replayer, replayer->tasks);
    for (uint32_t i = 0; i < RRS_RUNTIME_BASES; i++)
        if (replayer->zygotes[i]) {
            struct rrs_task *task = rrs_task_find(&replayer->session, replayer->zygotes[i]->host);
            rrs_replay_release_space(replayer->zygotes[i]);
            rrs_task_remove(&replayer->session, task);
        }
    rrs_event_cursor_destroy(replayer->cursor);
    rrs_event_log_destroy(replayer->log);
    rrs_contents_deinit(&replayer->contents);
    rrs_session_deinit(&replayer->session);
    free(replayer->avoided);
    free(replayer);
}
