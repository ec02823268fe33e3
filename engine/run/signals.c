/* SPDX-License-Identifier: MIT */
/*
 * Signals. One that the code itself raised is delivered where it arose, in the app state of that
 * instruction. Any other waits for a safe point: the end of the call that it came in, or else the
 * next tick instruction. The kernel builds every frame, from app registers.
 */
#include "engine/run/state.h"

#include "engine/run/cut_calls.h"
#include "engine/run/own_traps.h"
#include "engine/run/redirect.h"
#include "engine/run/remote.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum disposition { IGNORED, STOPS, ENDS, CAUGHT };

static enum disposition disposition_of(const struct rrs_task *task, int signal)
{
    rrs_addr handler = task->process->signals[signal].handler;
    if (signal == SIGSTOP)
        return STOPS;
    if (handler == (rrs_addr)(uintptr_t)SIG_IGN)
        return IGNORED;
    if (handler != (rrs_addr)(uintptr_t)SIG_DFL)
        return CAUGHT;
    switch (signal) {
    case SIGCHLD:
    case SIGCONT:
    case SIGURG:
    case SIGWINCH:
        return IGNORED;
    case SIGTSTP:
    case SIGTTIN:
    case SIGTTOU:
        return STOPS;
    default:
        return ENDS;
    }
}

bool rrs_signal_is_ignored(const struct rrs_task *task, int signal)
{
    return disposition_of(task, signal) == IGNORED;
}

bool rrs_signal_is_raised(const siginfo_t *info)
{
    switch (info->si_signo) {
    case SIGSEGV:
    case SIGBUS:
    case SIGFPE:
    case SIGILL:
    case SIGTRAP:
        return info->si_code > 0;
    default:
        return false;
    }
}

/*
 * The task is at a signal-delivery stop, in the app state `regs`: lets the kernel deliver `info`.
 * Afterwards the task is READY at its handler's first instruction, or on its way to its end.
 */
static struct rrs_error *deliver(struct rrs_session *session, struct rrs_task *task,
                                 const siginfo_t *info, const struct user_regs_struct *regs,
                                 bool caught)
{
    struct rrs_disposition *action = &task->process->signals[info->si_signo];
    struct user_regs_struct after;
    int status;
    const struct user_regs_struct before = *regs; /* `regs` may be the task's own */
    const struct rrs_observer *observer = session->observer;
    task->regs = before;
    RRS_TRY(rrs_ptrace_set_regs(task->tid, &before));
    RRS_TRY(rrs_ptrace_set_siginfo(task->tid, info));
    if (!caught && observer)
        RRS_TRY(observer->signal(observer->context, task, info, &before, false));
    if (!caught) {
        task->state = RRS_TASK_IN_SYSCALL; /* its end or a job control stop is all that can come */
        if (session->runner == task)
            session->runner = NULL;
        return rrs_ptrace_resume(task->tid, PTRACE_CONT, info->si_signo);
    }
    RRS_TRY(rrs_ptrace_resume(task->tid, PTRACE_SINGLESTEP, info->si_signo));
    RRS_TRY(rrs_task_wait(task, &status));
    RRS_TRY(rrs_ptrace_get_regs(task->tid, &after));
    rrs_task_ready_safely(session, task, &after);
    if (WSTOPSIG(status) != SIGTRAP) { /* the frame could not be written */
        task->natural = true;
        task->natural_pc = after.rip;
        session->runner = task;
        return rrs_handle_signal(session, task);
    }
    RRS_TRY(rrs_own_traps_correct_frame(task, after.rsp, rrs_signal_is_raised(info)));
    if (action->flags & SA_RESETHAND)
        action->handler = (rrs_addr)(uintptr_t)SIG_DFL;
    return observer ? observer->signal(observer->context, task, info, &before, true) : NULL;
}

/*
 * Brings a task that is stopped otherwise to a signal-delivery stop, by a signal of the number that
 * is to be delivered: its siginfo is then replaced.
 */
static struct rrs_error *reach_delivery_stop(struct rrs_task *task, int signal)
{
    int status;
    siginfo_t info;
    struct user_regs_struct regs = task->regs;
    regs.orig_rax = (uint64_t)-1;
    RRS_TRY(rrs_ptrace_set_regs(task->tid, &regs));
    siginfo_t mark = {.si_signo = signal, .si_code = SI_QUEUE};
    mark.si_value.sival_ptr = task; /* nobody else sends that */
    syscall(SYS_rt_tgsigqueueinfo, task->process->tgid, task->tid, signal, &mark);
    for (;;) {
        RRS_TRY(rrs_ptrace_resume(task->tid, PTRACE_CONT, 0));
        RRS_TRY(rrs_task_wait(task, &status));
        if (rrs_status_event(status))
            continue;
        RRS_TRY(rrs_ptrace_get_siginfo(task->tid, &info));
        bool ours = info.si_code == SI_QUEUE && info.si_value.sival_ptr == task;
        bool unknown = info.si_code == SI_USER && !info.si_pid; /* RLIMIT_SIGPENDING is reached */
        if (info.si_signo == signal && (ours || unknown))
            return NULL;
        rrs_task_hold_signal(task, &info);
        if (info.si_signo == signal && signal < __SIGRTMIN)
            return NULL; /* one that was pending has swallowed ours */
    }
}

/* The kernel writes the frame, and must not meet a page that is guarded because code is in it. */
static struct rrs_error *make_room_for_frame(struct rrs_session *session, struct rrs_task *task,
                                             bool *calls_made)
{
    enum { FRAME_BYTES = 16384 };
    uint64_t before = session->counters.remote_calls;
    bool any;
    if (task->space->guarded_count) {
        rrs_addr top = task->regs.rsp;
        RRS_TRY(rrs_space_unguard(session, task, top - FRAME_BYTES, top, false, &any));
        if (task->alternate_stack_bytes)
            RRS_TRY(rrs_space_unguard(session, task, task->alternate_stack,
                                      task->alternate_stack + task->alternate_stack_bytes, false,
                                      &any));
    }
    *calls_made = session->counters.remote_calls != before;
    return NULL;
}

struct rrs_error *rrs_deliver_held(struct rrs_session *session, struct rrs_task *task)
{
    uint64_t blocked;
    siginfo_t info;
    RRS_TRY(rrs_ptrace_get_sigmask(task->tid, &blocked));
    while (rrs_task_take_signal(task, blocked, &info)) {
        enum disposition disposition = disposition_of(task, info.si_signo);
        if (disposition == IGNORED)
            continue;
        bool calls_made;
        RRS_TRY(make_room_for_frame(session, task, &calls_made));
        task->at_call = false;
        RRS_TRY(reach_delivery_stop(task, info.si_signo));
        RRS_TRY(deliver(session, task, &info, &task->regs, disposition == CAUGHT));
        if (task->state != RRS_TASK_READY)
            return NULL;
        RRS_TRY(rrs_ptrace_get_sigmask(task->tid, &blocked));
    }
    return NULL;
}

/* As force_sig() does: a signal that cannot be blocked or ignored where it arises. */
static struct rrs_error *force(struct rrs_session *session, struct rrs_task *task, int signal)
{
    struct rrs_disposition *action = &task->process->signals[signal];
    const uint64_t bit = 1ull << (signal - 1);
    uint64_t blocked;
    RRS_TRY(rrs_ptrace_get_sigmask(task->tid, &blocked));
    if (!(blocked & bit) && action->handler != (rrs_addr)(uintptr_t)SIG_IGN)
        return NULL;
    action->handler = (rrs_addr)(uintptr_t)SIG_DFL;
    RRS_TRY(rrs_ptrace_set_sigmask(task->tid, blocked & ~bit));
    return rrs_own_traps_set_disposition(session, task, signal);
}

struct rrs_error *rrs_raise_signal(struct rrs_session *session, struct rrs_task *task,
                                   const siginfo_t *info)
{
    struct user_regs_struct regs = task->regs;
    if (session->oracle)
        return session->oracle->raised(session->oracle->context, task, info);
    RRS_TRY(force(session, task, info->si_signo));
    RRS_TRY(reach_delivery_stop(task, info->si_signo));
    rrs_own_traps_raise(task, info->si_signo);
    bool caught = disposition_of(task, info->si_signo) == CAUGHT;
    return deliver(session, task, info, &regs, caught);
}

/* A write to a page that is only read-only because translated code came from it. */
static struct rrs_error *handle_guard_fault(struct rrs_session *session, struct rrs_task *task,
                                            const siginfo_t *info, bool *was_guard)
{
    rrs_addr address = (rrs_addr)(uintptr_t)info->si_addr;
    *was_guard = false;
    if (info->si_signo != SIGSEGV || info->si_code != SEGV_ACCERR)
        return NULL;
    if (!rrs_space_is_guarded(task->space, address))
        return NULL;
    RRS_TRY(rrs_own_traps_undo(session, task));
    RRS_TRY(rrs_space_unguard(session, task, address, address + 1, true, was_guard));
    session->counters.guard_faults++;
    struct rrs_insn insn;
    bool any, faulted;
    if (!rrs_fetch_insn(session, task, task->regs.rip, &insn) || insn.kind != RRS_INSN_PLAIN)
        return NULL; /* it goes on in fresh blocks; if it meets a guard again, that is counted */
    RRS_TRY(rrs_run_alone_prepare(session, task));
    RRS_TRY(rrs_space_unguard(session, task, address, address + 1, false, &any));
    RRS_TRY(rrs_run_alone(session, task, &insn, &faulted));
    return faulted ? rrs_handle_signal(session, task) : NULL;
}

/* int3 is cc or cd 03, and reports the address behind it. */
static struct rrs_error *step_over_breakpoint(struct rrs_task *task, struct user_regs_struct *regs)
{
    uint8_t opcode;
    RRS_TRY(rrs_tracee_read_all(task->tid, regs->rip, &opcode, 1));
    regs->rip += opcode == 0xcd ? 2 : 1;
    return NULL;
}

/*
 * Code beyond the end of its file: natively executable, so that the fault is the missing page's and
 * not the missing permission's.
 */
static void name_missing_file_page(const struct rrs_task *task, siginfo_t *info)
{
    if (info->si_signo == SIGSEGV && info->si_code == SEGV_ACCERR &&
        rrs_space_region_at(task->space, (rrs_addr)(uintptr_t)info->si_addr)) {
        info->si_signo = SIGBUS;
        info->si_code = BUS_ADRERR;
    }
}

/*
 * Shadow code returns by way of the stack, which natively a return does not write to. One from a
 * page that cannot be written is done here; one from a guarded page is made again.
 */
static bool returns_from_read_only_stack(struct rrs_task *task, const siginfo_t *info,
                                         rrs_addr shadow_pc)
{
    return info->si_signo == SIGSEGV && rrs_state_is_returning(task, shadow_pc) &&
           !rrs_space_is_guarded(task->space, (rrs_addr)(uintptr_t)info->si_addr);
}

static struct rrs_error *handle_raised(struct rrs_session *session, struct rrs_task *task,
                                       siginfo_t *info, struct user_regs_struct *regs)
{
    bool pending = false, natural = task->natural;
    rrs_addr shadow_pc = regs->rip, target = regs->rcx;
    if (natural) {
        regs->rip = task->natural_pc;
        if ((rrs_addr)(uintptr_t)info->si_addr == RRS_NOWHERE)
            info->si_addr = (void *)(uintptr_t)task->natural_pc;
        name_missing_file_page(task, info);
    } else {
        bool trap = info->si_signo == SIGTRAP && info->si_code == SI_KERNEL;
        if (trap)
            regs->rip--; /* int3 is done: find its own place */
        if (!rrs_state_to_app(session, task, regs, &pending))
            return rrs_error_create(RRS_ERROR_UNSUPPORTED,
                                    "task %d: signal %d in no block, at shadow PC %#lx (address "
                                    "%#lx)",
                                    task->tid, info->si_signo, (unsigned long)shadow_pc,
                                    (unsigned long)(uintptr_t)info->si_addr);
        if (trap)
            RRS_TRY(step_over_breakpoint(task, regs));
        if ((rrs_addr)(uintptr_t)info->si_addr == shadow_pc)
            info->si_addr = (void *)(uintptr_t)regs->rip;
    }
    bool returning = !natural && returns_from_read_only_stack(task, info, shadow_pc);
    if (returning) {
        regs->rip = target;
        regs->rsp += 8;
    }
    rrs_session_settle(session, pending && !returning);
    task->natural = false;
    rrs_task_ready(session, task, regs);
    if (returning) { /* where no guards are, nobody has noted the mask before: it is kept as it is
                      */
        task->trap_is_ours = true;
        return task->space->guarded_count ? rrs_own_traps_undo(session, task) : NULL;
    }
    bool was_guard = false;
    if (!natural)
        RRS_TRY(handle_guard_fault(session, task, info, &was_guard));
    if (was_guard)
        return NULL;
    if (session->oracle)
        return session->oracle->raised(session->oracle->context, task, info);
    task->trap_is_ours = false;
    bool calls_made;
    RRS_TRY(make_room_for_frame(session, task, &calls_made));
    if (calls_made) /* they used up the signal's own stop */
        RRS_TRY(reach_delivery_stop(task, info->si_signo));
    return deliver(session, task, info, &task->regs,
                   disposition_of(task, info->si_signo) == CAUGHT);
}

/* A signal that came while the task was in a call, which it may have interrupted. */
static struct rrs_error *handle_in_call(struct rrs_session *session, struct rrs_task *task,
                                        const siginfo_t *info, const struct user_regs_struct *regs)
{
    enum disposition disposition = disposition_of(task, info->si_signo);
    struct user_regs_struct app = *regs;
    bool again;
    if (disposition == IGNORED) { /* where it need not, the kernel makes the call again by itself */
        RRS_TRY(rrs_cut_call_again(session, task, &app, true, &again));
        return rrs_ptrace_resume(task->tid, PTRACE_CONT, 0);
    }
    if (disposition == STOPS)
        return rrs_ptrace_resume(task->tid, PTRACE_CONT, info->si_signo);
    rrs_cut_call_finish(task, &app);
    RRS_TRY(rrs_redirect_finish(session, task, -EINTR, &app));
    app.rip = task->call_regs.rip;
    app.rcx = app.rip;
    app.r11 = app.eflags;
    task->in_call = false;
    if (session->runner == task)
        rrs_session_settle(session, false);
    bool calls_made = false;
    task->regs = app;
    if (disposition == CAUGHT)
        RRS_TRY(make_room_for_frame(session, task, &calls_made));
    if (calls_made) /* they used up the signal's own stop */
        RRS_TRY(reach_delivery_stop(task, info->si_signo));
    return deliver(session, task, info, &app, disposition == CAUGHT);
}

/* The runner was resumed at a safe point, and no instruction has run since. */
bool rrs_task_at_safe_point(const struct rrs_session *session, const struct rrs_task *task,
                            rrs_addr shadow_pc)
{
    return session->runner == task && task->entered && shadow_pc == task->entered &&
           rrs_clock_stands_still(&session->clock);
}

static struct rrs_error *handle_at_safe_point(struct rrs_session *session, struct rrs_task *task,
                                              const siginfo_t *info)
{
    enum disposition disposition = disposition_of(task, info->si_signo);
    if (disposition == IGNORED)
        return rrs_ptrace_resume(task->tid, PTRACE_CONT, 0);
    struct user_regs_struct regs = task->regs;
    bool calls_made;
    rrs_task_ready_safely(session, task, &regs);
    RRS_TRY(make_room_for_frame(session, task, &calls_made));
    if (calls_made) {
        rrs_task_hold_signal(task, info);
        return NULL;
    }
    return deliver(session, task, info, &regs, disposition == CAUGHT);
}

struct rrs_error *rrs_handle_signal(struct rrs_session *session, struct rrs_task *task)
{
    siginfo_t info;
    struct user_regs_struct regs;
    session->counters.stops_signal++;
    RRS_TRY(rrs_ptrace_get_siginfo(task->tid, &info));
    RRS_TRY(rrs_ptrace_get_regs(task->tid, &regs));
    if (rrs_signal_is_raised(&info))
        return handle_raised(session, task, &info, &regs);
    if (session->oracle) /* somebody means the process that replays, not the program */
        return rrs_ptrace_resume(task->tid, PTRACE_CONT, 0);
    if (rrs_task_at_call(session, task, regs.rip))
        return handle_in_call(session, task, &info, &regs);
    if (rrs_task_at_safe_point(session, task, regs.rip))
        return handle_at_safe_point(session, task, &info);
    rrs_task_hold_signal(task, &info);
    if (session->runner == task) {
        RRS_TRY(rrs_state_rewind_site(task));
        rrs_clock_expire(&session->clock); /* to its next tick instruction */
    }
    return rrs_ptrace_resume(task->tid, PTRACE_CONT, 0);
}
