/* SPDX-License-Identifier: MIT */
/* From shadow state to app state and back, and what happens at the border: see state.c, exits.c. */
#ifndef RRS_ENGINE_RUN_STATE_H
#define RRS_ENGINE_RUN_STATE_H

#include "engine/run/address_space.h"

/**
 * Turns the registers of a task that stands at a shadow PC into its app state; `*tick_pending` says
 * whether a tick is reserved but not retired there. False if the PC is in no block.
 */
bool rrs_state_to_app(struct rrs_session *session, struct rrs_task *task,
                      struct user_regs_struct *regs, bool *tick_pending);

/**
 * A site that keeps the flags counts in three steps, and a new budget in between would be lost:
 * puts a task that was interrupted there back to the site's beginning. To be called before the
 * cells are written while a task stands at an arbitrary shadow PC.
 */
RRS_MUST_CHECK struct rrs_error *rrs_state_rewind_site(struct rrs_task *task);

/* An address where no program has code; a fault there is reported as one at the app PC. */
enum { RRS_NOWHERE = 16 };

/** Gives the arithmetic flags that are dead at regs->rip their fixed value, 0. */
void rrs_state_clear_dead_flags(struct rrs_session *session, struct rrs_task *task,
                                struct user_regs_struct *regs);

/**
 * Puts the registers that a transfer by table keeps in cells into `regs`: the app state behind it.
 */
void rrs_state_behind_transfer(const struct rrs_task *task, enum rrs_entry_kind entry_kind,
                               struct user_regs_struct *regs);

/** Whether `shadow_pc` is where a return writes to the stack, which natively it only reads. */
bool rrs_state_is_returning(struct rrs_task *task, rrs_addr shadow_pc);

/**
 * Makes the task the runner: delivers a held signal if one can be, enters shadow code for its app
 * state and lets it run. `entry_kind`: how it came there, which the tables are to know from now on.
 */
RRS_MUST_CHECK struct rrs_error *rrs_task_resume(struct rrs_session *session, struct rrs_task *task,
                                                 enum rrs_entry_kind entry_kind);

/**
 * Whether a task with shadow PC `shadow_pc` stands right behind the system call that it was last
 * seen to make: no instruction has run since.
 */
bool rrs_task_at_call(const struct rrs_session *session, const struct rrs_task *task,
                      rrs_addr shadow_pc);

/** Whether the runner stands where it was resumed at a safe point: no instruction has run since. */
bool rrs_task_at_safe_point(const struct rrs_session *session, const struct rrs_task *task,
                            rrs_addr shadow_pc);

/** The error for a program that wrote to what only the engine's own code may, `where` in the
 * runtime.
 */
RRS_MUST_CHECK RRS_NEVER_NULL struct rrs_error *rrs_task_wrote_to_engine(
    const struct rrs_task *task, uint32_t where);

/** Lets the runner go on exactly as it stands. */
RRS_MUST_CHECK struct rrs_error *rrs_task_resume_raw(struct rrs_session *session,
                                                     struct rrs_task *task, int request);

/** The task is in an app state now, and no runner. */
void rrs_task_ready(struct rrs_session *session, struct rrs_task *task,
                    const struct user_regs_struct *regs);

/** The same, at a safe point. */
void rrs_task_ready_safely(struct rrs_session *session, struct rrs_task *task,
                           const struct user_regs_struct *regs);

/** The task is at a seccomp stop: it left shadow code, or makes a system call. */
RRS_MUST_CHECK struct rrs_error *rrs_handle_seccomp_stop(struct rrs_session *session,
                                                         struct rrs_task *task);

/** A system call of the program, at its seccomp stop and at its exit stop. */
RRS_MUST_CHECK struct rrs_error *rrs_handle_call(struct rrs_session *session, struct rrs_task *task,
                                                 struct user_regs_struct *regs);
RRS_MUST_CHECK struct rrs_error *rrs_handle_call_exit(struct rrs_session *session,
                                                      struct rrs_task *task);

/** Whether the code that runs raised it; an interval timer's has a positive si_code, too. */
bool rrs_signal_is_raised(const siginfo_t *info);

/** Whether the process neither handles `signal` nor is stopped or ended by it. */
bool rrs_signal_is_ignored(const struct rrs_task *task, int signal);

/** A signal-delivery stop. */
RRS_MUST_CHECK struct rrs_error *rrs_handle_signal(struct rrs_session *session,
                                                   struct rrs_task *task);

/** Delivers a held signal that is not blocked. READY before and, if it still lives, after. */
RRS_MUST_CHECK struct rrs_error *rrs_deliver_held(struct rrs_session *session,
                                                  struct rrs_task *task);

/** Sends the task, in the app state `regs`, a signal of the engine's making. */
RRS_MUST_CHECK struct rrs_error *rrs_raise_signal(struct rrs_session *session,
                                                  struct rrs_task *task, const siginfo_t *info);

/**
 * Executes one instruction, the one at app PC `task->regs.rip`, alone: the task's app state before
 * and after. `*faulted`: it raised a signal instead, and the task stands at that signal's stop.
 */
RRS_MUST_CHECK struct rrs_error *rrs_run_alone(struct rrs_session *session, struct rrs_task *task,
                                               const struct rrs_insn *insn, bool *faulted);

/**
 * The instruction was executed alone, from the state `before`, and stored the x87 state: the
 * pointers in it, which are of shadow code, become 0.
 */
RRS_MUST_CHECK struct rrs_error *rrs_clear_x87_pointers(struct rrs_task *task,
                                                        const struct rrs_insn *insn,
                                                        const struct user_regs_struct *before);

/** Makes sure that the code at the task's app PC has a cache, which rrs_run_alone() needs. */
RRS_MUST_CHECK struct rrs_error *rrs_run_alone_prepare(struct rrs_session *session,
                                                       struct rrs_task *task);

/** Decodes the program's instruction at `pc`; false if none can be fetched there. */
bool rrs_fetch_insn(struct rrs_session *session, struct rrs_task *task, rrs_addr pc,
                    struct rrs_insn *insn);

/** Whether the access to memory that ended in front of `shadow_pc` was none of the program's, but a
 * part of a call or of a return. */
bool rrs_state_is_amid_transfer(struct rrs_task *task, rrs_addr shadow_pc);

/** Whether a signal is held that `blocked` does not block. */
bool rrs_task_has_signal(const struct rrs_task *task, uint64_t blocked);

/** Takes the first held signal that `blocked` does not block. */
bool rrs_task_take_signal(struct rrs_task *task, uint64_t blocked, siginfo_t *info);

/** New task: `flags` are clone's. The creator is in the call that makes it. */
RRS_MUST_CHECK struct rrs_error *rrs_handle_new_task(struct rrs_session *session,
                                                     struct rrs_task *creator, pid_t tid,
                                                     uint64_t clone_flags);
RRS_MUST_CHECK struct rrs_error *rrs_handle_exec(struct rrs_session *session,
                                                 struct rrs_task *task);

#endif
