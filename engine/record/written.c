/* SPDX-License-Identifier: MIT */
/*
 * Writes that reach memory by another way than a call's arguments: into another task's memory, and
 * into files that are mapped, by any task and shared or not. What the memory holds afterwards is
 * saved for every mapping of the file.
 */
#include "engine/record/files.h"
#include "engine/record/recorder.h"
#include "engine/run/code_calls.h"
#include "engine/tracee/maps.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/syscall.h>

static struct rrs_error *add_in(struct rrs_recorder *recorder, const struct rrs_task *maker,
                                const struct rrs_task *task, rrs_addr address, uint64_t bytes)
{
    if (task->space != maker->space)
        rrs_body_put_target(&recorder->body, task->tid);
    return rrs_recorder_add_memory(recorder, task, address, bytes);
}

/* --- another task's memory --- */

struct other_memory {
    struct rrs_recorder *recorder;
    const struct rrs_task *maker;
};

static struct rrs_error *visit_other(void *context, const struct rrs_task *target, rrs_addr start,
                                     uint64_t bytes)
{
    const struct other_memory *other = context;
    return add_in(other->recorder, other->maker, target, start, bytes);
}

/* --- mapped files --- */

struct file_range {
    struct rrs_recorder *recorder;
    const struct rrs_task *maker, *task; /* who wrote; whose mappings are looked at */
    ino_t inode;
    uint64_t from, to;
    struct rrs_error *error;
};

static bool visit_mapping(void *context, const struct rrs_mapping *mapping)
{
    struct file_range *range = context;
    uint64_t first = mapping->file_offset, last = first + (mapping->end - mapping->start);
    uint64_t from = range->from > first ? range->from : first;
    uint64_t to = range->to < last ? range->to : last;
    if (mapping->inode == range->inode && from < to)
        range->error = add_in(range->recorder, range->maker, range->task,
                              mapping->start + (from - first), to - from);
    return !range->error;
}

static bool is_first_of_space(const struct rrs_session *session, const struct rrs_task *task)
{
    for (const struct rrs_task *other = session->tasks; other != task; other = other->next)
        if (other->space == task->space && !other->dead)
            return false;
    return task->space && !task->dead;
}

static struct rrs_error *add_mappings(struct file_range *range, const struct rrs_task *task)
{
    range->task = task;
    struct rrs_error *error = rrs_maps_visit(task->tid, visit_mapping, range);
    return error ? error : range->error;
}

static struct rrs_error *add_all_mappings(struct file_range *range)
{
    const struct rrs_session *session = range->recorder->session;
    RRS_TRY(add_mappings(range, range->maker)); /* what follows is about other tasks' memory */
    for (const struct rrs_task *task = session->tasks; task; task = task->next)
        if (task->space != range->maker->space && task->state != RRS_TASK_NEW &&
            is_first_of_space(session, task))
            RRS_TRY(add_mappings(range, task));
    return NULL;
}

/* The descriptor of the file that the call has changed, or -1; `*whole`: who knows where. */
static int changed_file(const struct rrs_task *task, int64_t result, bool *whole)
{
    const struct user_regs_struct *r = &task->call_regs;
    *whole = true;
    switch (task->call) {
    case SYS_write:
    case SYS_writev:
    case SYS_pwrite64:
    case SYS_pwritev:
    case SYS_pwritev2:
        *whole = false;
        return (int)r->rdi;
    case SYS_sendfile:
    case SYS_ftruncate:
    case SYS_fallocate:
        return (int)r->rdi;
    case SYS_copy_file_range:
    case SYS_splice:
        return (int)r->rdx;
    case SYS_creat:
        return (int)result;
    case SYS_open:
        return r->rsi & O_TRUNC ? (int)result : -1;
    case SYS_openat:
        return r->rdx & O_TRUNC ? (int)result : -1;
    default:
        return -1;
    }
}

struct rrs_error *rrs_recorder_add_written(struct rrs_recorder *recorder, struct rrs_task *task,
                                           int64_t result)
{
    enum { PAGE = 4096 };
    char path[64];
    struct stat st;
    bool whole, shrank;
    struct other_memory other = {recorder, task};
    if (result > 0)
        RRS_TRY(rrs_other_memory_written(recorder->session, task, (uint64_t)result, visit_other,
                                         &other));
    int fd = changed_file(task, result, &whole);
    snprintf(path, sizeof path, "/proc/%d/fd/%d", task->tid, fd);
    if (fd < 0 || stat(path, &st) < 0 || !rrs_recorded_files_mapped(recorder->files, &st, &shrank))
        return NULL;
    struct file_range range = {
        .recorder = recorder, .maker = task, .inode = st.st_ino, .to = UINT64_MAX};
    if (!whole && !shrank) {
        range.from = rrs_written_file_offset(task, (uint64_t)result);
        range.to = range.from + (uint64_t)result;
    } else if (task->call == SYS_ftruncate && !shrank) {
        return NULL; /* it grew: zeros, as its mappings have them */
    }
    return add_all_mappings(&range);
}
