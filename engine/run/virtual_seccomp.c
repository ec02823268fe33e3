/* SPDX-License-Identifier: MIT */
/*
 * seccomp for the program, with the actions as in Linux v6.1 kernel/seccomp.c. Not here: user
 * notification, which is refused as by a kernel before 5.0.
 */
#include "engine/run/virtual.h"

#include "engine/run/address_space.h"
#include "engine/run/remote.h"
#include "engine/run/seccomp_filter.h"
#include "engine/run/state.h"
#include "lmdb-store/scope.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/capability.h>
#include <stdio.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>

static struct rrs_error *give(struct rrs_answer *answer, int64_t result)
{
    *answer = (struct rrs_answer){true, result};
    return NULL;
}

int rrs_virtual_seccomp_mode(const struct rrs_virtual *virtual)
{
    return virtual->strict ? SECCOMP_MODE_STRICT : virtual->filters ? SECCOMP_MODE_FILTER : 0;
}

/* --- setting filters --- */

static bool is_privileged(const struct rrs_task *task)
{
    char path[64], line[256];
    unsigned long capabilities = 0;
    snprintf(path, sizeof path, "/proc/%d/status", task->tid);
    _cleanup_fclose_ FILE *file = fopen(path, "re");
    while (file && fgets(line, sizeof line, file))
        if (sscanf(line, "CapEff: %lx", &capabilities) == 1)
            break;
    return capabilities >> CAP_SYS_ADMIN & 1;
}

static bool is_in_chain(const struct rrs_filter *chain, const struct rrs_filter *filter)
{
    while (chain && chain != filter)
        chain = chain->older;
    return chain == filter;
}

/* SECCOMP_FILTER_FLAG_TSYNC: the thread that has filters of its own, or 0. */
static pid_t thread_apart(struct rrs_session *session, const struct rrs_task *task)
{
    for (struct rrs_task *other = session->tasks; other; other = other->next)
        if (other->process == task->process &&
            (other->virtual.strict || !is_in_chain(task->virtual.filters, other->virtual.filters)))
            return other->tid;
    return 0;
}

static void give_to_threads(struct rrs_session *session, const struct rrs_task *task)
{
    for (struct rrs_task *other = session->tasks; other; other = other->next)
        if (other->process == task->process && other != task) {
            rrs_filter_release(other->virtual.filters);
            other->virtual.filters = rrs_filter_keep(task->virtual.filters);
            other->virtual.no_new_privs |= task->virtual.no_new_privs;
        }
}

static int read_filter(const struct rrs_task *task, rrs_addr program, struct sock_filter **code,
                       uint16_t *length)
{
    struct sock_fprog head;
    if (rrs_tracee_read(task->tid, program, &head, sizeof head) != sizeof head)
        return -EFAULT;
    if (head.len == 0 || head.len > BPF_MAXINSNS)
        return -EINVAL;
    size_t bytes = head.len * sizeof **code;
    _cleanup_free_ struct sock_filter *made = malloc(bytes);
    if (!made)
        return -ENOMEM;
    rrs_addr from = (rrs_addr)(uintptr_t)head.filter;
    if (rrs_tracee_read(task->tid, from, made, bytes) != bytes)
        return -EFAULT;
    *length = head.len;
    *code = rrs_steal_pointer(&made);
    return 0;
}

static struct rrs_error *add_filter(struct rrs_session *session, struct rrs_task *task,
                                    uint64_t flags, rrs_addr program, struct rrs_answer *answer)
{
    _cleanup_free_ struct sock_filter *code = NULL;
    const uint64_t known = SECCOMP_FILTER_FLAG_TSYNC | SECCOMP_FILTER_FLAG_LOG |
                           SECCOMP_FILTER_FLAG_SPEC_ALLOW | SECCOMP_FILTER_FLAG_TSYNC_ESRCH;
    uint16_t length;
    if (flags & ~known || task->virtual.strict)
        return give(answer, -EINVAL);
    int refused = read_filter(task, program, &code, &length);
    if (refused)
        return give(answer, refused);
    if (!task->virtual.no_new_privs && !is_privileged(task))
        return give(answer, -EACCES);
    pid_t apart = flags & SECCOMP_FILTER_FLAG_TSYNC ? thread_apart(session, task) : 0;
    if (apart)
        return give(answer, flags & SECCOMP_FILTER_FLAG_TSYNC_ESRCH ? -ESRCH : apart);
    refused = rrs_filter_create(code, length, task->virtual.filters, &task->virtual.filters);
    if (refused)
        return give(answer, refused);
    if (flags & SECCOMP_FILTER_FLAG_TSYNC)
        give_to_threads(session, task);
    RRS_TRY(rrs_space_trace_all_calls(session, task));
    return give(answer, 0);
}

static struct rrs_error *set_strict(struct rrs_session *session, struct rrs_task *task,
                                    struct rrs_answer *answer)
{
    if (task->virtual.filters)
        return give(answer, -EINVAL);
    task->virtual.strict = true;
    RRS_TRY(rrs_space_trace_all_calls(session, task));
    return give(answer, 0);
}

struct rrs_error *rrs_virtual_set_seccomp(struct rrs_session *session, struct rrs_task *task,
                                          uint64_t mode, uint64_t program,
                                          struct rrs_answer *answer)
{
    switch (mode) {
    case SECCOMP_MODE_STRICT:
        return set_strict(session, task, answer);
    case SECCOMP_MODE_FILTER:
        return add_filter(session, task, 0, program, answer);
    default:
        return give(answer, -EINVAL);
    }
}

static int64_t action_available(const struct rrs_task *task, rrs_addr at)
{
    uint32_t action;
    if (rrs_tracee_read(task->tid, at, &action, sizeof action) != sizeof action)
        return -EFAULT;
    switch (action) {
    case SECCOMP_RET_KILL_PROCESS:
    case SECCOMP_RET_KILL_THREAD:
    case SECCOMP_RET_TRAP:
    case SECCOMP_RET_ERRNO:
    case SECCOMP_RET_TRACE:
    case SECCOMP_RET_LOG:
    case SECCOMP_RET_ALLOW:
        return 0;
    default:
        return -EOPNOTSUPP;
    }
}

struct rrs_error *rrs_virtual_seccomp(struct rrs_session *session, struct rrs_task *task,
                                      const struct user_regs_struct *regs,
                                      struct rrs_answer *answer)
{
    switch ((uint32_t)regs->rdi) {
    case SECCOMP_SET_MODE_STRICT:
        return regs->rsi || regs->rdx ? give(answer, -EINVAL) : set_strict(session, task, answer);
    case SECCOMP_SET_MODE_FILTER:
        return add_filter(session, task, (uint32_t)regs->rsi, regs->rdx, answer);
    case SECCOMP_GET_ACTION_AVAIL:
        return give(answer, regs->rsi ? -EINVAL : action_available(task, regs->rdx));
    default:
        return give(answer, -EINVAL);
    }
}

struct rrs_error *rrs_virtual_after_exec(struct rrs_session *session, struct rrs_task *task)
{
    if (!rrs_virtual_seccomp_mode(&task->virtual))
        return NULL;
    return rrs_space_trace_all_calls(session, task);
}

/* --- judging a call --- */

/* A signal that the kernel forces: blocked or ignored, it ends the process (or if `always`). */
static struct rrs_error *force_signal(struct rrs_session *session, struct rrs_task *task,
                                      const siginfo_t *info, bool always)
{
    struct rrs_disposition *action = &task->process->signals[info->si_signo];
    static const uint64_t default_action[4];
    uint64_t blocked, bit = 1ull << (info->si_signo - 1);
    rrs_addr scratch = task->space->runtime + RRS_RUNTIME_SCRATCH;
    RRS_TRY(rrs_ptrace_get_sigmask(task->tid, &blocked));
    if (always || blocked & bit || action->handler == (rrs_addr)(uintptr_t)SIG_IGN) {
        RRS_TRY(rrs_tracee_write(task->tid, scratch, default_action, sizeof default_action));
        RRS_TRY(rrs_remote_call_ok(session, task, "resetting a signal", SYS_rt_sigaction,
                                   RRS_ARGUMENTS((uint64_t)info->si_signo, scratch, 0, 8), NULL));
        *action = (struct rrs_disposition){0};
        RRS_TRY(rrs_ptrace_set_sigmask(task->tid, blocked & ~bit));
    }
    return rrs_raise_signal(session, task, info);
}

static struct rrs_error *raise_sigsys(struct rrs_session *session, struct rrs_task *task,
                                      const struct user_regs_struct *regs, uint32_t data,
                                      bool kills)
{
    siginfo_t info = {.si_signo = SIGSYS, .si_code = 1 /* SYS_SECCOMP */, .si_errno = (int)data};
    info.si_call_addr = (void *)(uintptr_t)task->call_regs.rip;
    info.si_syscall = (int)regs->orig_rax;
    info.si_arch = AUDIT_ARCH_X86_64;
    struct user_regs_struct app = *regs;
    app.rip = app.rcx = task->call_regs.rip;
    app.r11 = app.eflags;
    app.rax = regs->orig_rax;
    rrs_task_ready(session, task, &app);
    return force_signal(session, task, &info, kills);
}

static struct rrs_error *end_thread(struct rrs_session *session, struct rrs_task *task,
                                    const struct user_regs_struct *regs)
{
    if (task->process->tasks == 1)
        return raise_sigsys(session, task, regs, 0, true);
    struct user_regs_struct leave = *regs;
    leave.orig_rax = SYS_exit;
    leave.rdi = 0;
    task->state = RRS_TASK_IN_SYSCALL;
    if (session->runner == task)
        session->runner = NULL;
    RRS_TRY(rrs_ptrace_set_regs(task->tid, &leave));
    return rrs_ptrace_resume(task->tid, PTRACE_CONT, 0);
}

static struct rrs_error *judge_strictly(struct rrs_session *session, struct rrs_task *task,
                                        const struct user_regs_struct *regs,
                                        enum rrs_verdict *verdict)
{
    switch (regs->orig_rax) {
    case SYS_read:
    case SYS_write:
    case SYS_exit:
    case SYS_rt_sigreturn:
        return NULL;
    default:
        break;
    }
    *verdict = RRS_VERDICT_HANDLED;
    task->state = RRS_TASK_IN_SYSCALL;
    if (session->runner == task)
        session->runner = NULL;
    kill(task->process->tgid, SIGKILL);
    return NULL;
}

static struct rrs_error *follow(struct rrs_session *session, struct rrs_task *task,
                                const struct user_regs_struct *regs, uint32_t value,
                                enum rrs_verdict *verdict, struct rrs_answer *answer)
{
    enum { ERRNO_MAX = 4095 };
    uint32_t data = value & SECCOMP_RET_DATA;
    switch (value & SECCOMP_RET_ACTION_FULL) {
    case SECCOMP_RET_ALLOW:
    case SECCOMP_RET_LOG:
        return NULL;
    case SECCOMP_RET_ERRNO:
        *verdict = RRS_VERDICT_ANSWER;
        return give(answer, -(int64_t)(data < ERRNO_MAX ? data : ERRNO_MAX));
    case SECCOMP_RET_TRACE: /* nobody traces, nobody listens */
    case SECCOMP_RET_USER_NOTIF:
        *verdict = RRS_VERDICT_ANSWER;
        return give(answer, -ENOSYS);
    case SECCOMP_RET_TRAP:
        *verdict = RRS_VERDICT_HANDLED;
        return raise_sigsys(session, task, regs, data, false);
    case SECCOMP_RET_KILL_THREAD:
        *verdict = RRS_VERDICT_HANDLED;
        return end_thread(session, task, regs);
    default:
        *verdict = RRS_VERDICT_HANDLED;
        return raise_sigsys(session, task, regs, data, true);
    }
}

struct rrs_error *rrs_virtual_filter(struct rrs_session *session, struct rrs_task *task,
                                     const struct user_regs_struct *regs, enum rrs_verdict *verdict,
                                     struct rrs_answer *answer)
{
    *verdict = RRS_VERDICT_PASS;
    if (task->virtual.strict)
        return judge_strictly(session, task, regs, verdict);
    if (!task->virtual.filters)
        return NULL;
    const struct seccomp_data data = {
        .nr = (int)regs->orig_rax,
        .arch = AUDIT_ARCH_X86_64,
        .instruction_pointer = task->call_regs.rip,
        .args = {regs->rdi, regs->rsi, regs->rdx, regs->r10, regs->r8, regs->r9},
    };
    uint32_t value = rrs_filter_evaluate(task->virtual.filters, &data);
    return follow(session, task, regs, value, verdict, answer);
}
