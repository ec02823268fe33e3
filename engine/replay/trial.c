/* SPDX-License-Identifier: MIT */
/*
 * Trials: a debugger calls a function of the program, or writes to it, at a place of the recording.
 * A checkpoint is made first, and all is put back to it in the end. Meanwhile the trace has no say;
 * system calls are answered here, and none has an effect outside but what is written to standard
 * output and error.
 */
#include "engine/arch/x86_64/emulate.h"
#include "engine/replay/step.h"
#include "engine/replay/timeline_internal.h"
#include "engine/run/remote.h"
#include "engine/run/state.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

struct rrs_error *rrs_timeline_begin_trial(struct rrs_timeline *timeline)
{
    if (timeline->trial)
        return rrs_error_create(RRS_ERROR_USAGE, "a trial is under way");
    return rrs_live_checkpoint_create(timeline->replayer, &timeline->trial);
}

void rrs_timeline_end_trial(struct rrs_timeline *timeline)
{
    struct rrs_live_checkpoint *from = timeline->trial;
    if (!from)
        return;
    timeline->trial = NULL;
    struct rrs_error *error = rrs_timeline_restore(timeline, from);
    timeline->lost = error;
    rrs_error_destroy(error);
    rrs_live_checkpoint_destroy(timeline->replayer, from);
}

bool rrs_timeline_in_trial(const struct rrs_timeline *timeline)
{
    return timeline->trial;
}

/* --- system calls --- */

static int64_t write_out(const struct rrs_replay_task *task, const struct user_regs_struct *regs)
{
    enum { MOST = 1 << 20 };
    size_t size = regs->rdx < MOST ? regs->rdx : MOST;
    if (regs->rdi != STDOUT_FILENO && regs->rdi != STDERR_FILENO)
        return -EBADF;
    char *text = malloc(size + 1);
    if (!text)
        return -ENOMEM;
    size = rrs_tracee_read(task->space->host, regs->rsi, text, size);
    ssize_t written = write((int)regs->rdi, text, size);
    free(text);
    return written < 0 ? -errno : written;
}

/* Memory that a called function asks for is real, as long as the trial lasts. */
static struct rrs_error *change_memory(struct rrs_timeline *timeline, struct rrs_replay_task *task,
                                       const struct user_regs_struct *regs, int64_t *result)
{
    struct rrs_session *session = &timeline->replayer->session;
    bool anonymous = regs->r10 & MAP_ANONYMOUS && regs->r10 & MAP_PRIVATE;
    *result = -ENOMEM;
    if (task->task->call == SYS_mmap && (!anonymous || regs->rdx & PROT_EXEC))
        return NULL;
    if (!rrs_replay_range_is_programs(task, regs->rdi, regs->rsi))
        return NULL;
    return rrs_remote_call(
        session, task->task, task->task->call,
        RRS_ARGUMENTS(regs->rdi, regs->rsi, regs->rdx, regs->r10, regs->r8, regs->r9), result);
}

static struct rrs_error *answer(struct rrs_timeline *timeline, struct rrs_replay_task *task,
                                int64_t *result)
{
    const struct user_regs_struct *regs = &task->task->call_regs;
    *result = -ENOSYS;
    switch (task->task->call) {
    case SYS_write:
        *result = write_out(task, regs);
        return NULL;
    case SYS_mmap:
    case SYS_munmap:
        return change_memory(timeline, task, regs, result);
    case SYS_getpid:
        *result = task->tgid;
        return NULL;
    case SYS_gettid:
        *result = task->tid;
        return NULL;
    case SYS_futex:
    case SYS_rt_sigprocmask:
    case SYS_rt_sigaction:
    case SYS_madvise:
        *result = 0;
        return NULL;
    case SYS_brk:
        *result = (int64_t)task->space->brk;
        return NULL;
    default:
        return NULL;
    }
}

static struct rrs_error *pass_call(struct rrs_timeline *timeline, struct rrs_replay_task *task)
{
    int64_t result;
    RRS_TRY(answer(timeline, task, &result));
    struct user_regs_struct regs = rrs_expected_after_call(&task->task->call_regs, result);
    rrs_task_ready_safely(&timeline->replayer->session, task->task, &regs);
    task->at_call = false;
    return NULL;
}

/* --- moving --- */

static struct rrs_replay_task *trial_task(const struct rrs_timeline *timeline)
{
    const struct rrs_replayer *replayer = timeline->replayer;
    struct rrs_replay_task *task = rrs_replay_actor(replayer);
    return task ? task : replayer->tasks;
}

/* `*raised`: the code raised a signal, which ends the movement. */
static struct rrs_error *pass_stop(struct rrs_timeline *timeline, struct rrs_replay_task *task,
                                   bool *raised)
{
    struct rrs_replayer *replayer = timeline->replayer;
    *raised = false;
    switch (replayer->stop.stop_kind) {
    case RRS_RUN_CALL:
        return pass_call(timeline, task);
    case RRS_RUN_INSN: {
        struct rrs_insn insn;
        if (!rrs_fetch_insn(&replayer->session, task->task, task->task->regs.rip, &insn))
            break;
        rrs_emulate_trapped(insn.trapped_op, 0, &task->task->regs);
        task->task->regs.rip += insn.length;
        return NULL;
    }
    case RRS_RUN_RAISED:
        task->last_signal = replayer->stop.info;
        *raised = true;
        return NULL;
    default:
        break;
    }
    return NULL;
}

struct rrs_error *rrs_trial_run(struct rrs_timeline *timeline, struct rrs_stop *stop)
{
    const uint64_t chunk_ticks = 20000000;
    struct rrs_replayer *replayer = timeline->replayer;
    struct rrs_replay_task *task = trial_task(timeline);
    bool raised = false;
    if (!task)
        return rrs_error_create(RRS_ERROR_USAGE, "there is no task here");
    rrs_breaks_enable(timeline, true);
    *stop = (struct rrs_stop){.reason = RRS_STOP_INTERRUPTED, .tid = task->tid};
    while (!rrs_timeline_is_interrupted(timeline)) {
        RRS_TRY(rrs_replay_run(replayer, task, chunk_ticks));
        RRS_TRY(pass_stop(timeline, task, &raised));
        bool at_break = replayer->stop.stop_kind == RRS_RUN_BREAK;
        if (at_break || raised) {
            stop->reason = at_break ? RRS_STOP_BREAKPOINT : RRS_STOP_EVENT;
            stop->event_kind = raised ? RRS_EVENT_SIGNAL : RRS_EVENT_NONE;
            return NULL;
        }
    }
    return NULL;
}

struct rrs_error *rrs_trial_step(struct rrs_timeline *timeline, struct rrs_stop *stop)
{
    struct rrs_replayer *replayer = timeline->replayer;
    struct rrs_replay_task *task = trial_task(timeline);
    bool raised = false;
    if (!task)
        return rrs_error_create(RRS_ERROR_USAGE, "there is no task here");
    RRS_TRY(rrs_replay_step_insn(replayer));
    if (replayer->stopped)
        RRS_TRY(pass_stop(timeline, task, &raised));
    *stop = (struct rrs_stop){.reason = raised ? RRS_STOP_EVENT : RRS_STOP_STEPPED,
                              .tid = task->tid,
                              .event_kind = raised ? RRS_EVENT_SIGNAL : RRS_EVENT_NONE};
    return NULL;
}

/* --- writing --- */

static struct rrs_error *find_task(const struct rrs_timeline *timeline, pid_t tid,
                                   struct rrs_replay_task **task)
{
    if (!timeline->trial)
        return rrs_error_create(RRS_ERROR_USAGE, "the recording cannot be changed");
    *task = rrs_replay_find_task(timeline->replayer, tid);
    return *task ? NULL : rrs_error_create(RRS_ERROR_NOT_FOUND, "no task %d here", tid);
}

struct rrs_error *rrs_timeline_set_regs(struct rrs_timeline *timeline, pid_t tid,
                                        const struct user_regs_struct *regs)
{
    struct rrs_replay_task *task;
    RRS_TRY(find_task(timeline, tid, &task));
    rrs_task_ready_safely(&timeline->replayer->session, task->task, regs);
    task->at_call = task->at_insn = task->in_call = false;
    return NULL;
}

struct rrs_error *rrs_timeline_set_xstate(struct rrs_timeline *timeline, pid_t tid,
                                          const uint8_t *image, size_t bytes)
{
    struct rrs_replay_task *task;
    RRS_TRY(find_task(timeline, tid, &task));
    RRS_TRY(rrs_replay_unload(task->space));
    task->xstate_bytes = bytes < RRS_XSTATE_MAX_BYTES ? bytes : RRS_XSTATE_MAX_BYTES;
    memcpy(task->xstate, image, task->xstate_bytes);
    return NULL;
}

struct rrs_error *rrs_timeline_write(struct rrs_timeline *timeline, pid_t tid, rrs_addr address,
                                     const void *data, size_t bytes)
{
    struct rrs_replay_task *task;
    RRS_TRY(find_task(timeline, tid, &task));
    ssize_t count = pwrite(task->space->memory_fd, data, bytes, (off_t)address);
    if (count == (ssize_t)bytes)
        return NULL;
    struct rrs_error *error =
        rrs_error_create(RRS_ERROR_FAULT, "no memory at %#lx to write to", (unsigned long)address);
    error->address = address;
    return error;
}
