/* SPDX-License-Identifier: MIT */
/* The calls that are answered in the kernel's place, but for seccomp's: see virtual_seccomp.c. */
#include "engine/run/virtual.h"

#include "engine/run/address_space.h"
#include "engine/run/remote.h"
#include "engine/run/seccomp_filter.h"

#include <errno.h>
#include <string.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Later than the headers of some systems. */
enum {
    SET_SYSCALL_USER_DISPATCH = 59,
    SET_MEMORY_DENY_WRITE_EXEC = 65,
};

static struct rrs_error *give(struct rrs_answer *answer, int64_t result)
{
    *answer = (struct rrs_answer){true, result};
    return NULL;
}

/* --- a task's view --- */

void rrs_virtual_init(struct rrs_virtual *virtual, const struct rrs_cpus *cpus)
{
    *virtual = (struct rrs_virtual){
        .cpus = cpus->usual,
        .no_new_privs = prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1,
        .not_randomised = personality(0xffffffff) & ADDR_NO_RANDOMIZE,
    };
}

void rrs_virtual_inherit(struct rrs_virtual *virtual, const struct rrs_virtual *creator)
{
    struct rrs_filter *old = virtual->filters;
    *virtual = *creator;
    rrs_filter_keep(virtual->filters);
    rrs_filter_release(old);
}

void rrs_virtual_deinit(struct rrs_virtual *virtual)
{
    rrs_filter_release(virtual->filters);
    virtual->filters = NULL;
}

/* --- affinity --- */

/* One CPU for tracer and tracees: a stop that crosses CPUs costs many times one that does not. */
void rrs_cpus_pin(struct rrs_cpus *cpus)
{
    cpu_set_t one, all;
    int cpu = sched_getcpu();
    long bytes = syscall(SYS_sched_getaffinity, 0, sizeof cpus->usual, &cpus->usual);
    if (cpu < 0 || bytes <= 0 || !CPU_ISSET(cpu, &cpus->usual))
        return;
    cpus->bytes = cpus->bytes_min = (uint32_t)bytes;
    while (cpus->bytes_min > 8 &&
           syscall(SYS_sched_getaffinity, 0, cpus->bytes_min - 8, &cpus->possible) > 0)
        cpus->bytes_min -= 8;
    memset(&all, 0xff, sizeof all);
    sched_setaffinity(0, sizeof all, &all);
    cpus->possible = cpus->usual;
    sched_getaffinity(0, sizeof cpus->possible, &cpus->possible);
    CPU_ZERO(&one);
    CPU_SET(cpu, &one);
    cpus->pinned = sched_setaffinity(0, sizeof one, &one) == 0;
}

static struct rrs_task *task_named(struct rrs_session *session, struct rrs_task *task, pid_t tid)
{
    return tid ? rrs_task_find(session, tid) : task;
}

struct rrs_error *rrs_virtual_sched_getaffinity(struct rrs_session *session, struct rrs_task *task,
                                                const struct user_regs_struct *regs,
                                                struct rrs_answer *answer)
{
    const struct rrs_task *asked = task_named(session, task, (pid_t)regs->rdi);
    uint32_t bytes = (uint32_t)regs->rsi;
    if (!session->cpus.pinned || !asked)
        return NULL;
    if (bytes < session->cpus.bytes_min || bytes % sizeof(long))
        return give(answer, -EINVAL);
    if (bytes > session->cpus.bytes)
        bytes = session->cpus.bytes;
    struct rrs_error *fault = rrs_tracee_write(task->tid, regs->rdx, &asked->virtual.cpus, bytes);
    int64_t result = fault ? -EFAULT : (int64_t)bytes;
    rrs_error_destroy(fault);
    return give(answer, result);
}

struct rrs_error *rrs_virtual_sched_setaffinity(struct rrs_session *session, struct rrs_task *task,
                                                const struct user_regs_struct *regs,
                                                struct rrs_answer *answer)
{
    struct rrs_task *asked = task_named(session, task, (pid_t)regs->rdi);
    cpu_set_t wanted;
    uint32_t bytes = (uint32_t)regs->rsi;
    if (!session->cpus.pinned || !asked)
        return NULL;
    CPU_ZERO(&wanted);
    if (bytes > sizeof wanted)
        bytes = sizeof wanted;
    if (rrs_tracee_read(task->tid, regs->rdx, &wanted, bytes) != bytes)
        return give(answer, -EFAULT);
    CPU_AND(&wanted, &wanted, &session->cpus.possible);
    if (!CPU_COUNT(&wanted))
        return give(answer, -EINVAL);
    asked->virtual.cpus = wanted;
    return give(answer, 0);
}

/* --- prctl --- */

static struct rrs_error *set_dumpable(struct rrs_task *task, uint64_t value,
                                      struct rrs_answer *answer)
{
    if (value > 1)
        return give(answer, -EINVAL);
    task->space->undumpable = !value; /* really undumpable, it would lock the tracer out */
    return value ? NULL : give(answer, 0);
}

static struct rrs_error *set_no_new_privs(struct rrs_task *task,
                                          const struct user_regs_struct *regs,
                                          struct rrs_answer *answer)
{
    if (regs->rsi != 1 || regs->rdx || regs->r10 || regs->r8)
        return give(answer, -EINVAL);
    task->virtual.no_new_privs = true;
    return give(answer, 0);
}

static struct rrs_error *get_no_new_privs(const struct rrs_task *task,
                                          const struct user_regs_struct *regs,
                                          struct rrs_answer *answer)
{
    bool wrong = regs->rsi || regs->rdx || regs->r10 || regs->r8;
    return give(answer, wrong ? -EINVAL : task->virtual.no_new_privs);
}

struct rrs_error *rrs_virtual_prctl(struct rrs_session *session, struct rrs_task *task,
                                    const struct user_regs_struct *regs, struct rrs_answer *answer)
{
    switch ((int)regs->rdi) {
    case PR_GET_DUMPABLE:
        return task->space->undumpable ? give(answer, 0) : NULL;
    case PR_SET_DUMPABLE:
        return set_dumpable(task, regs->rsi, answer);
    case PR_GET_NO_NEW_PRIVS:
        return get_no_new_privs(task, regs, answer);
    case PR_SET_NO_NEW_PRIVS:
        return set_no_new_privs(task, regs, answer);
    case PR_GET_SECCOMP:
        return give(answer, rrs_virtual_seccomp_mode(&task->virtual));
    case PR_SET_SECCOMP:
        return rrs_virtual_set_seccomp(session, task, regs->rsi, regs->rdx, answer);
    case SET_SYSCALL_USER_DISPATCH: /* as before Linux 5.11 and 6.3: both are about our code, too */
    case SET_MEMORY_DENY_WRITE_EXEC:
        return give(answer, -EINVAL);
    default:
        return NULL;
    }
}

/* --- others --- */

static void explain_ptrace(struct rrs_session *session, const struct rrs_task *task)
{
    if (!session->explained_ptrace)
        rrs_session_warn(
            session,
            "process %d (%s): it cannot use ptrace: all of the session's tasks are traced "
            "already (LeakSanitizer ends with an error then, unless ASAN_OPTIONS has "
            "detect_leaks=0)",
            task->process->tgid, task->process->name);
    session->explained_ptrace = true;
}

/* A task that is traced already cannot be traced by the program, and the program traces nobody. */
struct rrs_error *rrs_virtual_ptrace(struct rrs_session *session, struct rrs_task *task,
                                     const struct user_regs_struct *regs, struct rrs_answer *answer)
{
    explain_ptrace(session, task);
    switch ((int)regs->rdi) {
    case PTRACE_TRACEME:
    case PTRACE_ATTACH:
    case PTRACE_SEIZE:
        return give(answer, -EPERM);
    default:
        return give(answer, -ESRCH);
    }
}

/* The engine switched randomisation off; the program sees and sets a bit of its own. */
struct rrs_error *rrs_virtual_personality(struct rrs_session *session, struct rrs_task *task,
                                          const struct user_regs_struct *regs,
                                          struct rrs_answer *answer)
{
    uint32_t wanted = (uint32_t)regs->rdi;
    int64_t result;
    if (session->options.keep_aslr)
        return NULL;
    uint32_t real = wanted == 0xffffffff ? wanted : wanted | ADDR_NO_RANDOMIZE;
    RRS_TRY(rrs_remote_call(session, task, SYS_personality, RRS_ARGUMENTS(real), &result));
    if (result >= 0 && !task->virtual.not_randomised)
        result &= ~(int64_t)ADDR_NO_RANDOMIZE;
    if (wanted != 0xffffffff)
        task->virtual.not_randomised = wanted & ADDR_NO_RANDOMIZE;
    return give(answer, result);
}
