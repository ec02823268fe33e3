/* SPDX-License-Identifier: MIT */
#include "engine/replay/step.h"

#include "engine/arch/x86_64/transfer.h"
#include "engine/run/remote.h"
#include "engine/run/state.h"

#include <sys/syscall.h>

struct rrs_replay_task *rrs_replay_actor(const struct rrs_replayer *replayer)
{
    const struct rrs_event *event = replayer->next;
    struct rrs_item item;
    if (!event || !replayer->tasks)
        return NULL;
    pid_t tid = event->task;
    bool has_task = rrs_item_find(event->data, event->size_bytes, RRS_ITEM_TASK, &item);
    if (event->event_kind == RRS_EVENT_TASK_NEW && has_task)
        tid = item.task.creator;
    if (event->event_kind == RRS_EVENT_EXEC && has_task && replayer->current &&
        replayer->current->tgid == item.task.tgid && !replayer->current->in_call)
        return replayer->current;
    return rrs_replay_find_task(replayer, tid);
}

static bool stands_at_call(const struct rrs_replayer *replayer, const struct rrs_replay_task *task)
{
    struct rrs_insn insn;
    struct rrs_session *session = (struct rrs_session *)(uintptr_t)&replayer->session;
    return task->at_call || (rrs_fetch_insn(session, task->task, task->task->regs.rip, &insn) &&
                             insn.kind == RRS_INSN_SYSCALL);
}

/* The last thing that a task does is a call, or it was killed somewhere behind the event's tick. */
static bool end_is_due(const struct rrs_replayer *replayer, const struct rrs_replay_task *task)
{
    const struct rrs_event *event = replayer->next;
    struct rrs_item call;
    if (rrs_item_find(event->data, event->size_bytes, RRS_ITEM_CALL, &call))
        return stands_at_call(replayer, task);
    if (task != replayer->current || task->ends)
        return true;
    return stands_at_call(replayer, task) ||
           (replayer->stopped && (replayer->stop.stop_kind == RRS_RUN_TICK ||
                                  replayer->stop.stop_kind == RRS_RUN_RAISED));
}

bool rrs_replay_event_is_due(const struct rrs_replayer *replayer)
{
    const struct rrs_event *event = replayer->next;
    const struct rrs_replay_task *actor = rrs_replay_actor(replayer);
    struct rrs_item pc;
    if (!event || !actor || actor->in_call)
        return true;
    if (event->tick != replayer->session.clock.ticks)
        return event->tick < replayer->session.clock.ticks; /* it will be found to diverge */
    switch ((enum rrs_event_kind)event->event_kind) {
    case RRS_EVENT_EXEC:
    case RRS_EVENT_TASK_NEW:
        return stands_at_call(replayer, actor);
    case RRS_EVENT_TASK_END:
        return end_is_due(replayer, actor);
    default:
        return rrs_item_find(event->data, event->size_bytes, RRS_ITEM_PC, &pc) &&
               pc.pc == actor->task->regs.rip;
    }
}

bool rrs_replay_event_is_insn(const struct rrs_replayer *replayer)
{
    if (!replayer->next)
        return false;
    switch ((enum rrs_event_kind)replayer->next->event_kind) {
    case RRS_EVENT_CALL:
    case RRS_EVENT_CALL_EXIT:
    case RRS_EVENT_INSN:
    case RRS_EVENT_EXEC:
        return true;
    default:
        return false;
    }
}

struct rrs_position rrs_replay_position(const struct rrs_replayer *replayer)
{
    const struct rrs_replay_task *actor = rrs_replay_actor(replayer);
    return (struct rrs_position){
        .event = replayer->next ? replayer->next->number : replayer->last_event + 1,
        .tick = replayer->session.clock.ticks,
        .pc = actor ? actor->task->regs.rip : 0,
    };
}

/* --- one instruction --- */

struct memory {
    struct rrs_replayer *replayer;
    struct rrs_replay_task *task;
};

static bool read_memory(void *context, uint64_t address, void *buffer, size_t size)
{
    const struct memory *memory = context;
    return rrs_tracee_read(memory->task->space->host, address, buffer, size) == size;
}

/* The kernel lets a stack grow for the task itself only: a call of its own writes there. */
static bool write_below_stack(const struct memory *memory, uint64_t address, const void *bytes,
                              size_t size)
{
    enum { PENDING_BYTES = 8 };
    struct rrs_task *host = memory->task->task;
    int64_t result = -1;
    if (!rrs_replay_range_is_programs(memory->task, address, size))
        return false;
    struct rrs_error *error = rrs_remote_call(&memory->replayer->session, host, SYS_rt_sigpending,
                                              RRS_ARGUMENTS(address, PENDING_BYTES), &result);
    if (!error && result == 0)
        error = rrs_tracee_write(memory->task->space->host, address, bytes, size);
    rrs_error_destroy(error);
    return !error && result == 0;
}

static bool write_memory(void *context, uint64_t address, const void *bytes, size_t size)
{
    const struct memory *memory = context;
    const struct rrs_map_entry *entry = rrs_map_list_at(&memory->task->space->maps, address);
    struct rrs_error *error = NULL;
    if (entry && !(entry->prot & 2)) /* PROT_WRITE; no entry: the stack may grow */
        return false;
    if (!entry || memory->task->task->space->guarded_count == 0)
        error = rrs_tracee_write(memory->task->space->host, address, bytes, size);
    else
        error = rrs_replay_poke(memory->replayer, memory->task, address, bytes, size);
    bool written = !error;
    rrs_error_destroy(error);
    return written || (!entry && write_below_stack(memory, address, bytes, size));
}

static void count_tick(struct rrs_replayer *replayer, struct rrs_replay_task *task)
{
    replayer->session.clock.ticks++;
    task->task->ticks++;
    task->task->process->ticks++;
}

/* Flags that are dead have one fixed value wherever the program can be looked at. */
static void fix_dead_flags(struct rrs_replayer *replayer, struct rrs_task *task)
{
    rrs_state_clear_dead_flags(&replayer->session, task, &task->regs);
}

/*
 * Where the CPU, the trace or the engine has a part in it, shadow code comes to a stop by itself.
 * `ticks`: the instruction is a tick instruction, whose site is to let it pass.
 */
static struct rrs_error *run_in_shadow(struct rrs_replayer *replayer, struct rrs_replay_task *task,
                                       bool ticks)
{
    RRS_TRY(rrs_replay_run(replayer, task, ticks));
    if (replayer->stop.stop_kind == RRS_RUN_TICK)
        return rrs_replay_diverged(replayer, "the instruction at %#lx has no end",
                                   (unsigned long)task->task->regs.rip);
    task->at_call = replayer->stop.stop_kind == RRS_RUN_CALL;
    task->at_insn = replayer->stop.stop_kind == RRS_RUN_INSN;
    return NULL;
}

static struct rrs_error *run_alone(struct rrs_replayer *replayer, struct rrs_replay_task *task,
                                   const struct rrs_insn *insn)
{
    struct rrs_task *host = task->task;
    bool faulted;
    RRS_TRY(rrs_replay_load(task));
    replayer->current = task;
    replayer->stopped = false;
    RRS_TRY(rrs_run_alone_prepare(&replayer->session, host));
    RRS_TRY(rrs_run_alone(&replayer->session, host, insn, &faulted));
    return faulted ? rrs_handle_signal(&replayer->session, host) : NULL;
}

/* Stores of the x87 state: bit 0 of eax asks XSAVE for it. */
static bool stores_x87(const struct rrs_insn *insn, const struct user_regs_struct *regs)
{
    return insn->kind == RRS_INSN_XSAVE ? regs->rax & 1
                                        : insn->trapped_op == RRS_TRAPPED_X87_POINTERS;
}

/* Whether the CPU does all of it, whatever else is to be done then. */
static bool is_the_cpus(const struct rrs_insn *insn)
{
    return insn->kind == RRS_INSN_PLAIN || insn->kind == RRS_INSN_XSAVE ||
           (insn->kind == RRS_INSN_TRAPPED && insn->trapped_op == RRS_TRAPPED_X87_POINTERS);
}

static struct rrs_error *step_insn(struct rrs_replayer *replayer)
{
    struct rrs_replay_task *task = rrs_replay_actor(replayer);
    struct rrs_task *host = task->task;
    struct memory memory = {replayer, task};
    const struct rrs_transfer_memory access = {read_memory, write_memory, &memory};
    struct rrs_insn insn;
    replayer->current = task;
    replayer->stopped = false;
    if (!rrs_fetch_insn(&replayer->session, host, host->regs.rip, &insn))
        return run_in_shadow(replayer, task, false);
    switch (rrs_emulate_transfer(&insn, &access, &host->regs)) {
    case RRS_TRANSFER_DONE:
        host->at_call = false;
        if (rrs_insn_ticks(&insn))
            count_tick(replayer, task);
        fix_dead_flags(replayer, host);
        return NULL;
    case RRS_TRANSFER_FAULT:
        return run_in_shadow(replayer, task, rrs_insn_ticks(&insn));
    default:
        break;
    }
    if (!is_the_cpus(&insn))
        return run_in_shadow(replayer, task, false);
    struct user_regs_struct before = host->regs;
    RRS_TRY(run_alone(replayer, task, &insn));
    if (!replayer->stopped && stores_x87(&insn, &before))
        RRS_TRY(rrs_clear_x87_pointers(host, &insn, &before));
    fix_dead_flags(replayer, host);
    return NULL;
}

struct rrs_error *rrs_replay_step_insn(struct rrs_replayer *replayer)
{
    return rrs_memory_guard_explain(replayer->guard, step_insn(replayer));
}

struct rrs_error *rrs_replay_step_any(struct rrs_replayer *replayer)
{
    return rrs_replay_event_is_due(replayer) ? rrs_replayer_step_event(replayer)
                                             : rrs_replay_step_insn(replayer);
}

/* --- many --- */

/* Whether the event's tick alone does not say where it happens, but its PC does. */
static bool is_between_ticks(const struct rrs_event *event, rrs_addr *pc)
{
    struct rrs_item action, place;
    if (!rrs_item_find(event->data, event->size_bytes, RRS_ITEM_ACTION, &action) ||
        !rrs_item_find(event->data, event->size_bytes, RRS_ITEM_PC, &place))
        return false;
    *pc = place.pc;
    return event->event_kind == RRS_EVENT_PREEMPT ? action.action == RRS_PREEMPT_ANYWHERE
                                                  : action.action & RRS_SIGNAL_RAISED;
}

struct rrs_error *rrs_replay_run_towards_event(struct rrs_replayer *replayer, uint64_t tick)
{
    const struct rrs_event *event = replayer->next;
    struct rrs_replay_task *task = rrs_replay_actor(replayer);
    rrs_addr pc;
    uint64_t now = replayer->session.clock.ticks, to = event->tick < tick ? event->tick : tick;
    if (event->tick <= tick && is_between_ticks(event, &pc))
        return rrs_replay_run_to_place(replayer, task, event->tick, pc);
    RRS_TRY(rrs_replay_run(replayer, task, to - now));
    task->at_call = replayer->stop.stop_kind == RRS_RUN_CALL;
    task->at_insn = replayer->stop.stop_kind == RRS_RUN_INSN;
    if (replayer->stop.stop_kind == RRS_RUN_TICK && to == event->tick &&
        !rrs_replay_event_is_due(replayer))
        return rrs_replay_diverged(replayer, "its tick is over at %#lx",
                                   (unsigned long)task->task->regs.rip);
    return NULL;
}

struct rrs_error *rrs_replay_run_towards_tick(struct rrs_replayer *replayer, uint64_t tick)
{
    bool in_front = replayer->stopped && replayer->stop.stop_kind == RRS_RUN_TICK &&
                    replayer->session.clock.ticks == tick - 1;
    return in_front ? rrs_replay_step_insn(replayer)
                    : rrs_replay_run_towards_event(replayer, tick - 1);
}
