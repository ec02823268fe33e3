/* SPDX-License-Identifier: MIT */
#include "engine/run/own_traps.h"

#include "engine/run/remote.h"

#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <sys/syscall.h>
#include <ucontext.h>

static const uint64_t segv_bit = 1ull << (SIGSEGV - 1);

struct rrs_error *rrs_own_traps_expect(struct rrs_task *task)
{
    return rrs_ptrace_get_sigmask(task->tid, &task->mask_before);
}

static struct rrs_error *restore_disposition(struct rrs_session *session, struct rrs_task *task)
{
    enum { AT = RRS_RUNTIME_SESSION + 2048 }; /* unused, and mapped in every address space */
    memcpy(session->common.memory + AT, &task->process->signals[SIGSEGV],
           sizeof task->process->signals[SIGSEGV]);
    return rrs_remote_call_ok(session, task, "restoring a signal's disposition", SYS_rt_sigaction,
                              RRS_ARGUMENTS(SIGSEGV, task->space->runtime + AT, 0, 8), NULL);
}

struct rrs_error *rrs_own_traps_undo(struct rrs_session *session, struct rrs_task *task)
{
    rrs_addr handler = task->process->signals[SIGSEGV].handler;
    bool blocked = task->mask_before & segv_bit;
    task->trap_is_ours = true;
    if (blocked)
        RRS_TRY(rrs_ptrace_set_sigmask(task->tid, task->mask_before));
    if (handler == (rrs_addr)(uintptr_t)SIG_IGN ||
        (blocked && handler != (rrs_addr)(uintptr_t)SIG_DFL))
        return restore_disposition(session, task);
    return NULL;
}

/* arch/x86/include/asm/sigframe.h struct rt_sigframe: a return address, then the ucontext. */
static rrs_addr frame_field(rrs_addr stack, int reg)
{
    return stack + 8 + offsetof(ucontext_t, uc_mcontext.gregs) + 8 * (rrs_addr)reg;
}

struct rrs_error *rrs_own_traps_correct_frame(struct rrs_task *task, rrs_addr stack, bool raised)
{
    uint64_t error_and_trap[2] = {task->trap.error, task->trap.number};
    _Static_assert(REG_TRAPNO == REG_ERR + 1, "read and written as one");
    if (raised && !task->trap_is_ours) {
        RRS_TRY(rrs_tracee_read_all(task->tid, frame_field(stack, REG_ERR), error_and_trap, 16));
        RRS_TRY(rrs_tracee_read_all(task->tid, frame_field(stack, REG_CR2), &task->trap.address,
                                    sizeof task->trap.address));
        task->trap.error = error_and_trap[0];
        task->trap.number = error_and_trap[1];
        return NULL;
    }
    if (!task->trap_is_ours)
        return NULL;
    RRS_TRY(rrs_tracee_write(task->tid, frame_field(stack, REG_ERR), error_and_trap, 16));
    return rrs_tracee_write(task->tid, frame_field(stack, REG_CR2), &task->trap.address,
                            sizeof task->trap.address);
}

void rrs_own_traps_raise(struct rrs_task *task, int signal)
{
    enum { INVALID_OPCODE = 6, GENERAL_PROTECTION = 13 };
    task->trap.number = signal == SIGILL ? INVALID_OPCODE : GENERAL_PROTECTION;
    task->trap.error = 0;
    task->trap_is_ours = true;
}
