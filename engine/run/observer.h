/* SPDX-License-Identifier: MIT */
/*
 * Who looks on while a session runs, and who answers in the machine's place. A recorder is an
 * observer: it is told of everything that no program can compute by itself. A replayer is an
 * oracle: it is asked where the machine would have been.
 */
#ifndef RRS_ENGINE_RUN_OBSERVER_H
#define RRS_ENGINE_RUN_OBSERVER_H

#include "engine/tracee/ptrace.h"
#include "lmdb-store/error.h"

#include <stdbool.h>

struct rrs_insn;
struct rrs_task;

/*
 * Each is called with the clock settled, in the order in which things happen to the program. All of
 * them are there if there is an observer at all.
 */
struct rrs_observer {
    void *context;

    /* The task is READY at the first instruction of a program. */
    struct rrs_error *(*exec)(void *context, struct rrs_task *task);

    /* The call is under way and other tasks may run until its end. */
    struct rrs_error *(*call_begins)(void *context, struct rrs_task *task);

    /* What the task's call, or a signal, does to memory is about to be seen: call_ends or signal
     * comes next. */
    struct rrs_error *(*memory_changes)(void *context, struct rrs_task *task);

    /* The call returned: `after` is the app state behind it. task->call_regs: as it was made. */
    struct rrs_error *(*call_ends)(void *context, struct rrs_task *task,
                                   const struct user_regs_struct *after);

    /* The instruction in front of which the state was `before` gave `after`. */
    struct rrs_error *(*insn)(void *context, struct rrs_task *task,
                              const struct user_regs_struct *before,
                              const struct user_regs_struct *after);

    /* A signal was delivered: task->regs is the state at the handler's first instruction, or (not
     * `caught`) the process is about to end or stop. `before`: where it came. */
    struct rrs_error *(*signal)(void *context, struct rrs_task *task, const siginfo_t *info,
                                const struct user_regs_struct *before, bool caught);

    /* READY, it gives way to another task. */
    struct rrs_error *(*preempt)(void *context, struct rrs_task *task);

    /* A new task is READY. */
    struct rrs_error *(*task_begins)(void *context, struct rrs_task *creator, struct rrs_task *task,
                                     uint64_t clone_flags);

    /* The call that the task stands at may end tasks, whose memory is still there. */
    struct rrs_error *(*call_may_end)(void *context, struct rrs_task *task);

    /* The task is gone, but for its data here. */
    struct rrs_error *(*task_ends)(void *context, struct rrs_task *task, int status);
};

/* Each is to leave the task in an app state in front of the instruction: READY. */
struct rrs_oracle {
    void *context;

    /* The engine is about to make a system call in the task; an error refuses it. */
    struct rrs_error *(*permit)(void *context, const struct rrs_task *task, long number,
                                const uint64_t arguments[6]);

    /* The runner is about to make a system call: task->call_regs, task->call_pc. */
    struct rrs_error *(*call)(void *context, struct rrs_task *task);

    /* The runner is about to execute an instruction whose result no program can compute. */
    struct rrs_error *(*insn)(void *context, struct rrs_task *task, const struct rrs_insn *insn,
                              const struct user_regs_struct *before);

    /* The code that runs raised a signal: task->regs is where. */
    struct rrs_error *(*raised)(void *context, struct rrs_task *task, const siginfo_t *info);

    /* The runner came to one of the session's breaks: task->regs. */
    struct rrs_error *(*at_break)(void *context, struct rrs_task *task);
};

#endif
