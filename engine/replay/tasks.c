/* SPDX-License-Identifier: MIT */
/* Tasks that come into being, load a program and end. */
#include "engine/replay/replayer.h"
#include "engine/run/address_space.h"
#include "engine/run/state.h"
#include "lmdb-store/blob.h"
#include "lmdb-store/scope.h"

#include <elf.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>

struct rrs_replay_task *rrs_replay_find_task(const struct rrs_replayer *replayer, pid_t tid)
{
    struct rrs_replay_task *task = replayer->tasks;
    while (task && task->tid != tid)
        task = task->next;
    return task;
}

struct rrs_error *rrs_replay_add_task(struct rrs_replayer *replayer, pid_t tid, pid_t tgid,
                                      pid_t creator, struct rrs_replay_space *space,
                                      struct rrs_task *task, struct rrs_replay_task **added)
{
    struct rrs_replay_task *made = calloc(1, sizeof *made);
    if (!made)
        return rrs_error_no_memory();
    *made = (struct rrs_replay_task){
        .tid = tid, .tgid = tgid, .creator = creator, .space = space, .task = task};
    struct rrs_replay_task **link = &replayer->tasks;
    while (*link)
        link = &(*link)->next;
    *link = made;
    *added = made;
    return NULL;
}

void rrs_replay_remove_task(struct rrs_replayer *replayer, struct rrs_replay_task *task)
{
    struct rrs_replay_task **link = &replayer->tasks;
    while (*link != task)
        link = &(*link)->next;
    *link = task->next;
    if (replayer->current == task)
        replayer->current = NULL;
    if (task->space->loaded == task)
        task->space->loaded = NULL;
    rrs_replay_release_space(task->space);
    rrs_task_remove(&replayer->session, task->task);
    free(task->xstate);
    free(task);
}

/* --- memory --- */

struct blob_target {
    struct rrs_replayer *replayer;
    struct rrs_replay_task *task;
    rrs_addr address;
};

static struct rrs_error *apply_piece(void *context, uint64_t offset, const uint8_t *piece,
                                     size_t size)
{
    const struct blob_target *to = context;
    return rrs_replay_poke(to->replayer, to->task, to->address + offset, piece, size);
}

static struct rrs_error *apply_blob(struct rrs_replayer *replayer, struct rrs_replay_task *task,
                                    const struct rrs_item *item)
{
    struct blob_target to = {replayer, task, item->write.address};
    return rrs_blob_for_each_piece(replayer->reader, &item->write.hash, item->write.size,
                                   apply_piece, &to);
}

static struct rrs_error *find_target(const struct rrs_replayer *replayer, pid_t tid,
                                     struct rrs_replay_task **task)
{
    *task = rrs_replay_find_task(replayer, tid);
    return *task ? NULL
                 : rrs_replay_diverged(replayer, "task %d, whose memory changed, does not exist",
                                       tid);
}

struct rrs_error *rrs_replay_apply_writes(struct rrs_replayer *replayer,
                                          struct rrs_replay_task *task)
{
    const struct rrs_event *event = replayer->next;
    struct rrs_item_reader items = rrs_item_reader_begin(event->data, event->size_bytes);
    struct rrs_item item;
    while (rrs_item_next(&items, &item)) {
        if (item.kind == RRS_ITEM_TARGET)
            RRS_TRY(find_target(replayer, item.target, &task));
        else if (item.kind == RRS_ITEM_MAP)
            RRS_TRY(rrs_replay_map(replayer, task, &item.map));
        else if (item.kind == RRS_ITEM_WRITE)
            RRS_TRY(rrs_replay_poke(replayer, task, item.write.address, item.write.bytes,
                                    item.write.size));
        else if (item.kind == RRS_ITEM_BLOB)
            RRS_TRY(apply_blob(replayer, task, &item));
    }
    return items.malformed ? rrs_error_create(RRS_ERROR_BAD_TRACE, "event %lu is malformed",
                                              (unsigned long)event->number)
                           : NULL;
}

/* --- exec --- */

struct exec_items {
    struct rrs_item task, regs, xstate, program, runtime;
};

static struct rrs_error *find_item(const struct rrs_event *event, enum rrs_item_kind kind,
                                   struct rrs_item *item)
{
    if (rrs_item_find(event->data, event->size_bytes, kind, item))
        return NULL;
    return rrs_error_create(RRS_ERROR_BAD_TRACE, "event %lu lacks an item of kind %d",
                            (unsigned long)event->number, kind);
}

/*
 * The kernel takes an image of its own size and components only. What this CPU lacks of the
 * recorded one's, the program did not see, or the replay would not have begun.
 */
struct rrs_error *rrs_replay_set_xstate(const struct rrs_replayer *replayer,
                                        struct rrs_replay_task *task, const uint8_t *bytes,
                                        size_t size)
{
    enum { XSTATE_BV = 512 }; /* SDM vol. 1 §13.4.2 */
    uint64_t components;
    if (task->space->loaded == task)
        task->space->loaded = NULL;
    if (!task->xstate)
        task->xstate = calloc(1, RRS_XSTATE_MAX_BYTES);
    if (!task->xstate)
        return rrs_error_no_memory();
    task->xstate_bytes = replayer->xstate_bytes;
    if (size < task->xstate_bytes)
        memset(task->xstate + size, 0, task->xstate_bytes - size);
    memcpy(task->xstate, bytes, size < task->xstate_bytes ? size : task->xstate_bytes);
    memcpy(&components, task->xstate + XSTATE_BV, sizeof components);
    components &= replayer->xstate_components;
    memcpy(task->xstate + XSTATE_BV, &components, sizeof components);
    return NULL;
}

struct rrs_error *rrs_replay_set_xstate_item(struct rrs_replayer *replayer,
                                             struct rrs_replay_task *task)
{
    struct rrs_item item;
    const struct rrs_event *event = replayer->next;
    if (!rrs_item_find(event->data, event->size_bytes, RRS_ITEM_XSTATE, &item))
        return NULL;
    return rrs_replay_set_xstate(replayer, task, item.bytes.bytes, item.bytes.size);
}

/* argc, argv, NULL, envp, NULL, then the vector: System V ABI, AMD64 supplement §3.4.1. */
static void find_auxv(struct rrs_replay_task *task)
{
    pid_t host = task->space->host;
    rrs_addr at = task->task->regs.rsp;
    uint64_t entry[2] = {0};
    if (rrs_tracee_read(host, at, entry, 8) != 8)
        return;
    at += 8 * (entry[0] + 2);
    do {
        if (rrs_tracee_read(host, at, entry, 8) != 8)
            return;
        at += 8;
    } while (entry[0]);
    task->space->auxv = at;
    do {
        if (rrs_tracee_read(host, at, entry, sizeof entry) != sizeof entry)
            return;
        at += sizeof entry;
    } while (entry[0] != AT_NULL);
    task->space->auxv_bytes = at - task->space->auxv;
}

static bool is_execve(const struct rrs_replay_task *task)
{
    return task->task->call == SYS_execve || task->task->call == SYS_execveat;
}

/* The leader's execve is no event of its own: it runs up to it. That of another thread is. */
static struct rrs_error *reach_execve(struct rrs_replayer *replayer, pid_t tgid)
{
    for (const struct rrs_replay_task *task = replayer->tasks; task; task = task->next)
        if (task->tgid == tgid && task->tid != tgid && task->in_call && is_execve(task))
            return NULL;
    struct rrs_replay_task *leader = rrs_replay_find_task(replayer, replayer->next->task);
    if (!leader || leader->in_call)
        return NULL;
    RRS_TRY(rrs_replay_reach_call(replayer, leader));
    return is_execve(leader)
               ? NULL
               : rrs_replay_diverged(replayer, "expected an execve, system call %d came",
                                     leader->task->call);
}

static void remove_group(struct rrs_replayer *replayer, pid_t tgid)
{
    for (struct rrs_replay_task *task = replayer->tasks, *next; task; task = next) {
        next = task->next;
        if (task->tgid == tgid)
            rrs_replay_remove_task(replayer, task);
    }
}

struct rrs_error *rrs_replay_exec(struct rrs_replayer *replayer)
{
    const struct rrs_event *event = replayer->next;
    struct rrs_session *session = &replayer->session;
    struct exec_items items;
    struct rrs_replay_space *zygote, *space;
    struct rrs_replay_task *task;
    struct rrs_task *host;
    RRS_TRY(find_item(event, RRS_ITEM_TASK, &items.task));
    RRS_TRY(find_item(event, RRS_ITEM_REGS, &items.regs));
    RRS_TRY(find_item(event, RRS_ITEM_XSTATE, &items.xstate));
    RRS_TRY(find_item(event, RRS_ITEM_PROGRAM, &items.program));
    RRS_TRY(find_item(event, RRS_ITEM_RUNTIME, &items.runtime));
    pid_t tgid = items.task.task.tgid;
    if (replayer->tasks)
        RRS_TRY(reach_execve(replayer, tgid));
    struct rrs_replay_task *before = rrs_replay_find_task(replayer, event->task);
    pid_t creator = before ? before->creator : 0;
    remove_group(replayer, tgid);
    RRS_TRY(rrs_replay_zygote(replayer, items.runtime.runtime.base_index, &zygote));
    struct rrs_process *process = rrs_process_create(session, tgid);
    RRS_TRY(rrs_replay_fork_space(replayer, zygote, rrs_task_find(session, zygote->host), process,
                                  &space, &host));
    space->brk_start = space->brk = items.runtime.runtime.brk;
    space->program = strndup((const char *)items.program.bytes.bytes, items.program.bytes.size);
    RRS_TRY(rrs_replay_add_task(replayer, event->task, tgid, creator, space, host, &task));
    struct user_regs_struct regs = {0};
    rrs_item_apply_regs(&items.regs, &regs);
    rrs_task_ready_safely(session, host, &regs);
    RRS_TRY(rrs_replay_apply_writes(replayer, task));
    rrs_task_ready_safely(session, host, &regs);
    RRS_TRY(
        rrs_replay_set_xstate(replayer, task, items.xstate.bytes.bytes, items.xstate.bytes.size));
    find_auxv(task);
    replayer->current = task;
    if (!replayer->root)
        replayer->root = event->task;
    return NULL;
}

/* --- new tasks --- */

struct rrs_error *rrs_replay_share_space(struct rrs_replayer *replayer,
                                         const struct rrs_replay_task *creator,
                                         struct rrs_process *process, struct rrs_task **task)
{
    *task = rrs_task_create(&replayer->session, creator->space->host);
    (*task)->space = creator->task->space;
    (*task)->space->references++;
    (*task)->process = process;
    process->tasks++;
    creator->space->references++;
    return NULL;
}

struct rrs_error *rrs_replay_task_new(struct rrs_replayer *replayer)
{
    const struct rrs_event *event = replayer->next;
    struct rrs_session *session = &replayer->session;
    struct rrs_item what, registers;
    struct rrs_task *host;
    RRS_TRY(find_item(event, RRS_ITEM_TASK, &what));
    RRS_TRY(find_item(event, RRS_ITEM_REGS, &registers));
    struct rrs_replay_task *creator = rrs_replay_find_task(replayer, what.task.creator);
    if (!creator)
        return rrs_replay_diverged(replayer, "the creator, task %d, does not exist",
                                   what.task.creator);
    RRS_TRY(rrs_replay_reach_call(replayer, creator));
    bool thread = what.task.flags & CLONE_THREAD;
    struct rrs_process *process =
        thread ? creator->task->process : rrs_process_create(session, what.task.tgid);
    struct rrs_replay_space *space = creator->space;
    RRS_TRY(rrs_replay_unload(creator->space));
    if (what.task.flags & CLONE_VM)
        RRS_TRY(rrs_replay_share_space(replayer, creator, process, &host));
    else
        RRS_TRY(
            rrs_replay_fork_space(replayer, creator->space, creator->task, process, &space, &host));
    struct rrs_replay_task *task;
    RRS_TRY(rrs_replay_add_task(replayer, event->task, what.task.tgid, creator->tid, space, host,
                                &task));
    struct user_regs_struct regs = {0};
    rrs_item_apply_regs(&registers, &regs);
    rrs_task_ready_safely(session, host, &regs);
    if (!(what.task.flags & CLONE_VM))
        RRS_TRY(rrs_replay_after_fork(replayer, task));
    RRS_TRY(rrs_replay_apply_writes(replayer, task));
    rrs_task_ready_safely(session, host, &regs);
    return rrs_replay_set_xstate(replayer, task, creator->xstate, creator->xstate_bytes);
}

/* --- the end --- */

/* Another task that shows the memory of `task`. */
static struct rrs_replay_task *sharer(const struct rrs_replayer *replayer,
                                      const struct rrs_replay_task *task)
{
    struct rrs_replay_task *other = replayer->tasks;
    while (other && (other == task || other->space != task->space))
        other = other->next;
    return other;
}

/*
 * A task ends by a call, by a signal whose event came before, or killed: where it waited, which it
 * has reached, or while it ran, somewhere behind the event's tick.
 */
static struct rrs_error *reach_end(struct rrs_replayer *replayer, struct rrs_replay_task *task)
{
    struct rrs_item call;
    const struct rrs_event *event = replayer->next;
    if (task->in_call || task->at_call || task->ends)
        return NULL;
    if (rrs_item_find(event->data, event->size_bytes, RRS_ITEM_CALL, &call))
        return rrs_replay_reach_call(replayer, task);
    if (event->tick <= replayer->session.clock.ticks)
        return NULL;
    return rrs_replay_run(replayer, task, event->tick - replayer->session.clock.ticks);
}

struct rrs_error *rrs_replay_task_end(struct rrs_replayer *replayer)
{
    const struct rrs_event *event = replayer->next;
    struct rrs_replay_task *task = rrs_replay_find_task(replayer, event->task);
    struct rrs_item status;
    if (!task)
        return rrs_replay_diverged(replayer, "task %d does not exist", event->task);
    RRS_TRY(reach_end(replayer, task));
    struct rrs_replay_task *other = sharer(replayer, task);
    RRS_TRY(rrs_replay_apply_writes(replayer, other ? other : task)); /* it may share memory */
    RRS_TRY(find_item(event, RRS_ITEM_STATUS, &status));
    if (task->tid == replayer->root)
        replayer->exit_status = status.status;
    rrs_replay_remove_task(replayer, task);
    return NULL;
}
