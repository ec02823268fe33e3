/* SPDX-License-Identifier: MIT */
/*
 * The recorder as the session sees it. A trace that cannot be written any more (a full disk) ends
 * the recording and not the program, and so does rrs_recorder_stop(): from then on nothing is done.
 */
#include "engine/record/recorder.h"

static struct rrs_error *outcome(struct rrs_recorder *recorder, struct rrs_error *error)
{
    if (!error || error->code != RRS_ERROR_DISK_FULL)
        return error;
    recorder->stopped = true;
    recorder->failure = error;
    return NULL;
}

static struct rrs_error *on_exec(void *context, struct rrs_task *task)
{
    struct rrs_recorder *r = context;
    return r->stopped ? NULL : outcome(r, r->inner.exec(r, task));
}

static struct rrs_error *on_call_begins(void *context, struct rrs_task *task)
{
    struct rrs_recorder *r = context;
    return r->stopped ? NULL : outcome(r, r->inner.call_begins(r, task));
}

static struct rrs_error *on_memory_changes(void *context, struct rrs_task *task)
{
    struct rrs_recorder *r = context;
    return r->stopped ? NULL : outcome(r, r->inner.memory_changes(r, task));
}

static struct rrs_error *on_call_ends(void *context, struct rrs_task *task,
                                      const struct user_regs_struct *after)
{
    struct rrs_recorder *r = context;
    return r->stopped ? NULL : outcome(r, r->inner.call_ends(r, task, after));
}

static struct rrs_error *on_insn(void *context, struct rrs_task *task,
                                 const struct user_regs_struct *before,
                                 const struct user_regs_struct *after)
{
    struct rrs_recorder *r = context;
    return r->stopped ? NULL : outcome(r, r->inner.insn(r, task, before, after));
}

static struct rrs_error *on_signal(void *context, struct rrs_task *task, const siginfo_t *info,
                                   const struct user_regs_struct *before, bool caught)
{
    struct rrs_recorder *r = context;
    return r->stopped ? NULL : outcome(r, r->inner.signal(r, task, info, before, caught));
}

static struct rrs_error *on_preempt(void *context, struct rrs_task *task)
{
    struct rrs_recorder *r = context;
    return r->stopped ? NULL : outcome(r, r->inner.preempt(r, task));
}

static struct rrs_error *on_task_begins(void *context, struct rrs_task *creator,
                                        struct rrs_task *task, uint64_t clone_flags)
{
    struct rrs_recorder *r = context;
    return r->stopped ? NULL : outcome(r, r->inner.task_begins(r, creator, task, clone_flags));
}

static struct rrs_error *on_call_may_end(void *context, struct rrs_task *task)
{
    struct rrs_recorder *r = context;
    return r->stopped ? NULL : outcome(r, r->inner.call_may_end(r, task));
}

static struct rrs_error *on_task_ends(void *context, struct rrs_task *task, int status)
{
    struct rrs_recorder *r = context;
    return r->stopped ? NULL : outcome(r, r->inner.task_ends(r, task, status));
}

void rrs_recorder_guard(struct rrs_recorder *recorder)
{
    recorder->observer = (struct rrs_observer){
        .context = recorder,
        .exec = on_exec,
        .call_begins = on_call_begins,
        .memory_changes = on_memory_changes,
        .call_ends = on_call_ends,
        .insn = on_insn,
        .signal = on_signal,
        .preempt = on_preempt,
        .task_begins = on_task_begins,
        .call_may_end = on_call_may_end,
        .task_ends = on_task_ends,
    };
}

struct rrs_error *rrs_recorder_stop(struct rrs_recorder *recorder)
{
    if (recorder->stopped)
        return NULL;
    recorder->stopped = true;
    return rrs_recorder_begin(recorder, NULL, 0);
}
