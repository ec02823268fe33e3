/* SPDX-License-Identifier: MIT */
/* Opening a timeline, and looking at the place where it stands. */
#include "engine/replay/timeline.h"

#include "engine/replay/step.h"
#include "engine/replay/timeline_internal.h"
#include "engine/replay/trace_file.h"
#include "engine/run/address_space.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static struct rrs_error *open_replayer(struct rrs_timeline *timeline, const char *path)
{
    const uint64_t spacing_ns = 50000000;
    const struct rrs_replay_options options = {
        .echo = timeline->options.echo,
        .warn = timeline->options.warn,
        .warn_context = timeline->options.context,
    };
    RRS_TRY(rrs_trace_reader_open(path, &timeline->reader));
    RRS_TRY(rrs_replayer_create(timeline->reader, &options, &timeline->replayer));
    if (!timeline->replayer->next || timeline->replayer->next->event_kind != RRS_EVENT_EXEC)
        return rrs_error_path(RRS_ERROR_BAD_TRACE, path, "it does not begin with a program");
    RRS_TRY(rrs_replayer_step_event(timeline->replayer));
    timeline->checkpoint_spacing_ns = spacing_ns;
    RRS_TRY(rrs_live_checkpoint_create(timeline->replayer, &timeline->checkpoints[0]));
    timeline->checkpoint_count = 1;
    return rrs_timeline_list_stored(timeline);
}

struct rrs_error *rrs_timeline_open(const char *path, const struct rrs_timeline_options *options,
                                    struct rrs_timeline **timeline)
{
    enum { CHECKPOINTS = 64 };
    struct rrs_timeline *made = calloc(1, sizeof *made);
    if (!made)
        return rrs_error_no_memory();
    made->options = *options;
    made->checkpoints = calloc(CHECKPOINTS, sizeof *made->checkpoints);
    struct rrs_error *error = made->checkpoints ? open_replayer(made, path) : rrs_error_no_memory();
    if (error)
        rrs_timeline_destroy(made);
    else
        *timeline = made;
    return error;
}

void rrs_timeline_destroy(struct rrs_timeline *timeline)
{
    if (!timeline)
        return;
    for (size_t i = 0; i < timeline->checkpoint_count; i++)
        rrs_live_checkpoint_destroy(timeline->replayer, timeline->checkpoints[i]);
    rrs_live_checkpoint_destroy(timeline->replayer, timeline->near);
    for (size_t i = 0; i < timeline->rung_count; i++)
        rrs_live_checkpoint_destroy(timeline->replayer, timeline->rungs[i]);
    free(timeline->walk.positions);
    rrs_live_checkpoint_destroy(timeline->replayer, timeline->trial);
    rrs_trace_files_destroy(timeline->files);
    rrs_replayer_destroy(timeline->replayer);
    rrs_trace_reader_destroy(timeline->reader);
    for (size_t i = 0; i < timeline->watchpoint_count; i++)
        free(timeline->watchpoints[i].before);
    free(timeline->watchpoints);
    free(timeline->breakpoints);
    free(timeline->breaks);
    free(timeline->checkpoints);
    free(timeline->stored);
    free(timeline);
}

struct rrs_trace_reader *rrs_timeline_trace(struct rrs_timeline *timeline)
{
    return timeline->reader;
}

void rrs_timeline_position(const struct rrs_timeline *timeline, struct rrs_position *position,
                           pid_t *tid)
{
    const struct rrs_replay_task *actor = rrs_replay_actor(timeline->replayer);
    *position = rrs_replay_position(timeline->replayer);
    *tid = actor ? actor->tid : 0;
}

void rrs_timeline_end(const struct rrs_timeline *timeline, struct rrs_position *end)
{
    *end = (struct rrs_position){timeline->replayer->last_event, timeline->replayer->last_tick, 0};
}

void rrs_timeline_interrupt(struct rrs_timeline *timeline)
{
    timeline->interrupted = 1;
}

/* --- tasks --- */

static void name_task(const struct rrs_replay_task *task, char name[64])
{
    const char *path = task->space->program ? task->space->program : "";
    const char *slash = strrchr(path, '/');
    snprintf(name, 64, "%.63s", slash ? slash + 1 : path);
}

struct rrs_error *rrs_timeline_tasks(struct rrs_timeline *timeline,
                                     struct rrs_timeline_task **tasks, size_t *n_tasks)
{
    size_t count = 0;
    const struct rrs_replayer *replayer = timeline->replayer;
    const struct rrs_replay_task *actor = rrs_replay_actor(replayer);
    for (const struct rrs_replay_task *task = replayer->tasks; task; task = task->next)
        count++;
    struct rrs_timeline_task *list = calloc(count ? count : 1, sizeof *list);
    if (!list)
        return rrs_error_no_memory();
    count = 0;
    for (const struct rrs_replay_task *task = replayer->tasks; task; task = task->next) {
        struct rrs_timeline_task *entry = &list[count++];
        *entry =
            (struct rrs_timeline_task){task->tid, task->tgid, task->creator, task == actor, {0}};
        name_task(task, entry->name);
    }
    *tasks = list;
    *n_tasks = count;
    return NULL;
}

static struct rrs_error *find_task(const struct rrs_timeline *timeline, pid_t tid,
                                   struct rrs_replay_task **task)
{
    *task = rrs_replay_find_task(timeline->replayer, tid);
    return *task ? NULL : rrs_error_create(RRS_ERROR_NOT_FOUND, "no task %d here", tid);
}

struct rrs_error *rrs_timeline_get_regs(struct rrs_timeline *timeline, pid_t tid,
                                        struct user_regs_struct *regs)
{
    struct rrs_replay_task *task;
    RRS_TRY(find_task(timeline, tid, &task));
    *regs = task->task->regs;
    return NULL;
}

struct rrs_error *rrs_timeline_get_xstate(struct rrs_timeline *timeline, pid_t tid,
                                          uint8_t image[RRS_XSTATE_MAX_BYTES], size_t *bytes)
{
    struct rrs_replay_task *task;
    RRS_TRY(find_task(timeline, tid, &task));
    if (task->space->loaded == task)
        RRS_TRY(rrs_replay_unload(task->space));
    memcpy(image, task->xstate, task->xstate_bytes);
    *bytes = task->xstate_bytes;
    return NULL;
}

struct rrs_error *rrs_timeline_get_siginfo(struct rrs_timeline *timeline, pid_t tid,
                                           siginfo_t *info)
{
    struct rrs_replay_task *task;
    RRS_TRY(find_task(timeline, tid, &task));
    *info = task->last_signal;
    return NULL;
}

/* --- memory --- */

size_t rrs_timeline_read(struct rrs_timeline *timeline, pid_t tid, rrs_addr address, void *buffer,
                         size_t bytes)
{
    const struct rrs_replay_task *task = rrs_replay_find_task(timeline->replayer, tid);
    if (!task)
        return 0;
    /* What is ours is not there for the program. */
    const rrs_addr runtime = task->task->space->runtime;
    if (address + bytes > runtime && address < runtime + RRS_RUNTIME_BYTES)
        return 0;
    size_t size = rrs_tracee_read(task->space->host, address, buffer, bytes);
    if (size)
        return size;
    ssize_t forced = pread(task->space->memory_fd, buffer, bytes, (off_t)address);
    return forced > 0 ? (size_t)forced : 0; /* memory without read permission */
}

struct rrs_error *rrs_timeline_mappings(struct rrs_timeline *timeline, pid_t tid,
                                        struct rrs_timeline_mapping **mappings, size_t *n_mappings)
{
    struct rrs_replay_task *task;
    RRS_TRY(find_task(timeline, tid, &task));
    const struct rrs_map_list *list = &task->space->maps;
    struct rrs_timeline_mapping *made = calloc(list->count ? list->count : 1, sizeof *made);
    if (!made)
        return rrs_error_no_memory();
    for (size_t i = 0; i < list->count; i++) {
        const struct rrs_map_entry *entry = &list->entries[i];
        made[i] =
            (struct rrs_timeline_mapping){entry->start,  entry->end,         entry->prot,
                                          entry->shared, entry->file_offset, strdup(entry->path)};
        if (!made[i].path) {
            rrs_timeline_free_mappings(made, i);
            return rrs_error_no_memory();
        }
    }
    *mappings = made;
    *n_mappings = list->count;
    return NULL;
}

void rrs_timeline_free_mappings(struct rrs_timeline_mapping *mappings, size_t n_mappings)
{
    for (size_t i = 0; i < n_mappings; i++)
        free(mappings[i].path);
    free(mappings);
}

struct rrs_error *rrs_timeline_program(struct rrs_timeline *timeline, pid_t tid, const char **path)
{
    struct rrs_replay_task *task;
    RRS_TRY(find_task(timeline, tid, &task));
    *path = task->space->program ? task->space->program : "";
    return NULL;
}

struct rrs_error *rrs_timeline_auxv(struct rrs_timeline *timeline, pid_t tid,
                                    uint8_t auxv[RRS_AUXV_MAX_BYTES], size_t *bytes)
{
    struct rrs_replay_task *task;
    RRS_TRY(find_task(timeline, tid, &task));
    size_t size = task->space->auxv_bytes;
    size = size < RRS_AUXV_MAX_BYTES ? size : RRS_AUXV_MAX_BYTES;
    *bytes = rrs_tracee_read(task->space->host, task->space->auxv, auxv, size);
    return NULL;
}

struct rrs_error *rrs_timeline_open_file(struct rrs_timeline *timeline, const char *path, int *fd)
{
    struct rrs_position here;
    pid_t running;
    rrs_timeline_position(timeline, &here, &running);
    return rrs_trace_open_file(timeline->reader, timeline->replayer->log, &timeline->files, path,
                               here.event, fd);
}
