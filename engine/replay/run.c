/* SPDX-License-Identifier: MIT */
/* Shadow code runs, until it comes to where the machine would have had a say. */
#include "engine/replay/replayer.h"
#include "engine/run/remote.h"
#include "engine/run/state.h"
#include "engine/syscalls/print.h"

#include <string.h>
#include <sys/ptrace.h>

/* --- the oracle: each puts the task in front of the instruction and says why it stands there ---
 */

static void stop(struct rrs_replayer *replayer, enum rrs_run_stop_kind stop_kind)
{
    replayer->stop = (struct rrs_run_stop){.stop_kind = stop_kind};
    replayer->stopped = true;
}

static bool is_vsyscall(const struct rrs_task *task)
{
    return task->call_pc >= 1ull << 63;
}

static struct rrs_error *meet_call(void *context, struct rrs_task *task)
{
    struct rrs_replayer *replayer = context;
    struct user_regs_struct regs = task->call_regs;
    if (!is_vsyscall(task)) {
        rrs_session_settle(&replayer->session, false);
        task->call = (int)regs.orig_rax;
        regs.rax = regs.orig_rax;
        regs.rip = task->call_pc;
    }
    rrs_task_ready(&replayer->session, task, &regs);
    task->at_call = !is_vsyscall(task);
    stop(replayer, RRS_RUN_CALL);
    return NULL;
}

static struct rrs_error *meet_insn(void *context, struct rrs_task *task,
                                   const struct rrs_insn *insn,
                                   const struct user_regs_struct *before)
{
    struct rrs_replayer *replayer = context;
    rrs_task_ready(&replayer->session, task, before);
    stop(replayer, RRS_RUN_INSN);
    replayer->stop.trapped_op = insn->trapped_op;
    return NULL;
}

static struct rrs_error *meet_raised(void *context, struct rrs_task *task, const siginfo_t *info)
{
    struct rrs_replayer *replayer = context;
    (void)task;
    stop(replayer, RRS_RUN_RAISED);
    replayer->stop.info = *info;
    return NULL;
}

static struct rrs_error *meet_break(void *context, struct rrs_task *task)
{
    (void)task;
    stop(context, RRS_RUN_BREAK);
    return NULL;
}

void rrs_replay_init_oracle(struct rrs_replayer *replayer)
{
    replayer->oracle = (struct rrs_oracle){
        .context = replayer,
        .permit = rrs_replay_permit,
        .call = meet_call,
        .insn = meet_insn,
        .raised = meet_raised,
        .at_break = meet_break,
    };
    replayer->session.oracle = &replayer->oracle;
}

/* --- running --- */

/* Whether a debug register trapped; `*stops`: the run is to end with it. */
static struct rrs_error *is_trapped_write(struct rrs_replayer *replayer, struct rrs_task *task,
                                          bool *trapped, bool *stops)
{
    siginfo_t info;
    struct user_regs_struct regs;
    *trapped = *stops = false;
    if (!replayer->stops_at_write)
        return NULL;
    RRS_TRY(rrs_ptrace_get_siginfo(task->tid, &info));
    *trapped = info.si_signo == SIGTRAP && info.si_code == TRAP_HWBKPT;
    if (!*trapped)
        return NULL;
    RRS_TRY(rrs_ptrace_get_regs(task->tid, &regs));
    if (rrs_state_is_amid_transfer(task, regs.rip)) /* the program writes something else there */
        return NULL;
    rrs_session_settle(&replayer->session, false);
    *stops = replayer->stops_at_write(replayer->stops_at_write_context);
    return NULL;
}

static struct rrs_error *handle_signal(struct rrs_replayer *replayer, struct rrs_task *task)
{
    bool trapped, stops;
    RRS_TRY(is_trapped_write(replayer, task, &trapped, &stops));
    if (!trapped)
        return rrs_handle_signal(&replayer->session, task);
    if (!stops)
        return rrs_ptrace_resume(task->tid, PTRACE_CONT, 0);
    stop(replayer, RRS_RUN_WRITE);
    task->state = RRS_TASK_READY;
    replayer->session.runner = NULL;
    return NULL;
}

static struct rrs_error *handle_stop(struct rrs_replayer *replayer, struct rrs_task *task,
                                     int status)
{
    switch (rrs_status_event(status)) {
    case PTRACE_EVENT_SECCOMP:
        return rrs_handle_seccomp_stop(&replayer->session, task);
    case 0:
        return handle_signal(replayer, task);
    default:
        return rrs_ptrace_resume(task->tid, PTRACE_CONT, 0);
    }
}

/* A signal that somebody sent to a host means nothing. */
static void drop_held_signals(struct rrs_task *task)
{
    siginfo_t info;
    while (rrs_task_take_signal(task, 0, &info))
        ;
}

static struct rrs_error *run(struct rrs_replayer *replayer, struct rrs_replay_task *task,
                             uint64_t budget)
{
    struct rrs_session *session = &replayer->session;
    struct rrs_task *host = task->task;
    int status;
    RRS_TRY(rrs_replay_load(task));
    replayer->current = task;
    replayer->stopped = false;
    task->at_call = false;
    session->slice_left = budget;
    while (!replayer->stopped) {
        drop_held_signals(host);
        RRS_TRY(rrs_task_resume(session, host, RRS_ENTRY_DIRECT));
        while (host->state == RRS_TASK_RUNNING) {
            RRS_TRY(rrs_task_wait(host, &status));
            RRS_TRY(handle_stop(replayer, host, status));
        }
        if (!replayer->stopped && host->at_safe_point && !session->slice_left)
            stop(replayer, RRS_RUN_TICK);
    }
    return NULL;
}

struct rrs_error *rrs_replay_run(struct rrs_replayer *replayer, struct rrs_replay_task *task,
                                 uint64_t budget)
{
    return rrs_memory_guard_explain(replayer->guard, run(replayer, task, budget));
}

static size_t read_memory(void *context, rrs_addr address, void *buffer, size_t bytes)
{
    const struct rrs_task *task = context;
    return rrs_tracee_read(task->tid, address, buffer, bytes);
}

void rrs_replay_print_call(const struct rrs_task *task, char *buffer, size_t bytes)
{
    const struct user_regs_struct *r = &task->call_regs;
    const struct rrs_memory_reader memory = {.read = read_memory,
                                             .context = (void *)(uintptr_t)task};
    const struct rrs_syscall call = {.number = task->call,
                                     .args = {r->rdi, r->rsi, r->rdx, r->r10, r->r8, r->r9}};
    rrs_syscall_print(&call, &memory, &(struct rrs_print_options){.at_entry = true}, buffer, bytes);
}

static const char *describe_stop(const struct rrs_replayer *replayer,
                                 const struct rrs_replay_task *task, char buffer[160])
{
    switch (replayer->stop.stop_kind) {
    case RRS_RUN_CALL:
        rrs_replay_print_call(task->task, buffer, 160);
        return buffer;
    case RRS_RUN_INSN:
        return "an instruction whose result was recorded";
    case RRS_RUN_TICK:
        return "the event's tick";
    case RRS_RUN_RAISED:
        return "a fault";
    default:
        return "its place";
    }
}

struct rrs_error *rrs_replay_run_to_stop(struct rrs_replayer *replayer,
                                         struct rrs_replay_task *task,
                                         enum rrs_run_stop_kind expected, const char *what)
{
    uint64_t now = replayer->session.clock.ticks, tick = replayer->next->tick;
    char came[160];
    if (tick < now)
        return rrs_replay_diverged(replayer, "it is past by %lu ticks",
                                   (unsigned long)(now - tick));
    /* It stops by itself. A budget that is nearly used up costs stops; this one is for divergence.
     */
    enum { SLACK = 1 << 20 };
    RRS_TRY(rrs_replay_run(replayer, task, tick - now + SLACK));
    if (replayer->stop.stop_kind != expected)
        return rrs_replay_diverged(replayer, "expected %s, %s came at tick %lu", what,
                                   describe_stop(replayer, task, came),
                                   (unsigned long)replayer->session.clock.ticks);
    if (replayer->session.clock.ticks != tick)
        return rrs_replay_diverged(replayer, "%s came at tick %lu",
                                   describe_stop(replayer, task, came),
                                   (unsigned long)replayer->session.clock.ticks);
    return NULL;
}

struct rrs_error *rrs_replay_reach_call(struct rrs_replayer *replayer, struct rrs_replay_task *task)
{
    if (task->at_call || task->in_call)
        return NULL;
    RRS_TRY(rrs_replay_run_to_stop(replayer, task, RRS_RUN_CALL, "a system call"));
    task->at_call = true;
    return NULL;
}
