/* SPDX-License-Identifier: MIT */
#include "engine/replay/checkpoint.h"

#include "engine/replay/step.h"
#include "engine/run/address_space.h"
#include "engine/run/descriptors.h"
#include "engine/run/remote.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>

/* --- tasks --- */

/* The copy of `space` among the tasks copied so far: those of `from` up to `end`. */
static struct rrs_replay_task *copied_sharer(const struct rrs_replay_task *from,
                                             const struct rrs_replay_task *end,
                                             struct rrs_replay_task *copies)
{
    for (; from != end; from = from->next, copies = copies->next)
        if (from->space == end->space)
            return copies;
    return NULL;
}

static void copy_state(struct rrs_task *to, const struct rrs_task *from)
{
    to->state = from->state;
    to->regs = from->regs;
    to->call = from->call;
    to->call_pc = from->call_pc;
    to->call_regs = from->call_regs;
    to->ticks = from->ticks;
    to->at_safe_point = from->at_safe_point;
}

static struct rrs_error *copy_host(struct rrs_replayer *replayer,
                                   const struct rrs_replay_task *from,
                                   struct rrs_replay_task *sharer, struct rrs_replay_task *to)
{
    struct rrs_process *process = from->task->process;
    if (!sharer)
        return rrs_replay_fork_space(replayer, from->space, from->task, process, &to->space,
                                     &to->task);
    to->space = sharer->space;
    to->space->references++;
    to->task = rrs_task_create(&replayer->session, to->space->host);
    to->task->space = sharer->task->space;
    to->task->space->references++;
    to->task->process = process;
    process->tasks++;
    return NULL;
}

static struct rrs_error *copy_task(struct rrs_replayer *replayer,
                                   const struct rrs_replay_task *from,
                                   struct rrs_replay_task *sharer, struct rrs_replay_task **copy)
{
    RRS_TRY(rrs_replay_unload(from->space));
    struct rrs_replay_task *made = malloc(sizeof *made);
    uint8_t *xstate = malloc(RRS_XSTATE_MAX_BYTES);
    if (!made || !xstate) {
        free(made);
        free(xstate);
        return rrs_error_no_memory();
    }
    *made = *from;
    made->next = NULL;
    made->xstate = xstate;
    memcpy(xstate, from->xstate, from->xstate_bytes);
    struct rrs_error *error = copy_host(replayer, from, sharer, made);
    if (error) {
        free(xstate);
        free(made);
        return error;
    }
    copy_state(made->task, from->task);
    *copy = made;
    return NULL;
}

static struct rrs_error *copy_tasks(struct rrs_replayer *replayer,
                                    const struct rrs_replay_task *from,
                                    struct rrs_replay_task **copies)
{
    struct rrs_replay_task **link = copies;
    *copies = NULL;
    for (const struct rrs_replay_task *task = from; task; task = task->next) {
        RRS_TRY(copy_task(replayer, task, copied_sharer(from, task, *copies), link));
        link = &(*link)->next;
    }
    return NULL;
}

static void remove_tasks(struct rrs_replayer *replayer, struct rrs_replay_task **tasks)
{
    struct rrs_replay_task *current = replayer->tasks;
    replayer->tasks = *tasks;
    while (replayer->tasks)
        rrs_replay_remove_task(replayer, replayer->tasks);
    replayer->tasks = current == *tasks ? NULL : current;
    *tasks = NULL;
}

/* --- shared memory --- */

static struct rrs_error *map_copy(struct rrs_replayer *replayer, struct rrs_task *task,
                                  const struct rrs_map_entry *entry,
                                  const struct rrs_content_file *file)
{
    return rrs_map_file(&replayer->session, task, file->fd,
                        &(struct rrs_file_mapping){
                            .start = entry->start,
                            .size_bytes = entry->end - entry->start,
                            .offset_bytes = entry->file_offset,
                            .prot = (uint64_t)entry->prot,
                            .shared = true,
                        });
}

static struct rrs_error *map_copies(struct rrs_replayer *replayer, struct rrs_replay_task *tasks,
                                    const struct rrs_contents *shared)
{
    for (struct rrs_replay_task *task = tasks; task; task = task->next) {
        const struct rrs_map_list *maps = &task->space->maps;
        if (copied_sharer(tasks, task, tasks))
            continue; /* done with the first task of the space */
        for (size_t i = 0; i < maps->count; i++) {
            const struct rrs_map_entry *entry = &maps->entries[i];
            const struct rrs_content_file *file =
                entry->shared ? rrs_contents_shared(shared, entry->identity) : NULL;
            if (file)
                RRS_TRY(map_copy(replayer, task->task, entry, file));
        }
    }
    return NULL;
}

/* --- checkpoints --- */

struct rrs_error *rrs_live_checkpoint_create(struct rrs_replayer *replayer,
                                             struct rrs_live_checkpoint **checkpoint)
{
    struct rrs_live_checkpoint *made = calloc(1, sizeof *made);
    if (!made)
        return rrs_error_no_memory();
    made->position = rrs_replay_position(replayer);
    made->current = replayer->current ? replayer->current->tid : 0;
    made->exit_status = replayer->exit_status;
    made->stopped = replayer->stopped;
    made->stop = replayer->stop;
    struct rrs_error *error = copy_tasks(replayer, replayer->tasks, &made->tasks);
    if (!error)
        error = rrs_contents_copy_shared(&made->shared, &replayer->contents);
    if (!error)
        error = map_copies(replayer, made->tasks, &made->shared);
    if (error)
        rrs_live_checkpoint_destroy(replayer, made);
    else
        *checkpoint = made;
    return error;
}

void rrs_live_checkpoint_destroy(struct rrs_replayer *replayer,
                                 struct rrs_live_checkpoint *checkpoint)
{
    if (!checkpoint)
        return;
    remove_tasks(replayer, &checkpoint->tasks);
    rrs_contents_deinit(&checkpoint->shared);
    free(checkpoint);
}

struct rrs_error *rrs_live_checkpoint_restore(struct rrs_replayer *replayer,
                                              const struct rrs_live_checkpoint *checkpoint)
{
    remove_tasks(replayer, &replayer->tasks);
    replayer->current = NULL;
    replayer->session.runner = NULL;
    rrs_contents_drop_shared(&replayer->contents);
    RRS_TRY(rrs_contents_copy_shared(&replayer->contents, &checkpoint->shared));
    RRS_TRY(copy_tasks(replayer, checkpoint->tasks, &replayer->tasks));
    RRS_TRY(map_copies(replayer, replayer->tasks, &replayer->contents));
    replayer->session.clock.ticks = checkpoint->position.tick;
    replayer->exit_status = checkpoint->exit_status;
    replayer->stopped = checkpoint->stopped;
    replayer->stop = checkpoint->stop;
    replayer->current = rrs_replay_find_task(replayer, checkpoint->current);
    return rrs_event_cursor_seek_number(replayer->cursor, checkpoint->position.event,
                                        &replayer->next);
}
