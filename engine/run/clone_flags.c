/* SPDX-License-Identifier: MIT */
#include "engine/run/clone_flags.h"

#include "engine/run/address_space.h"
#include "engine/tracee/ptrace.h"

#include <linux/sched.h>
#include <string.h>
#include <sys/syscall.h>

struct rrs_error *rrs_clone_flags(const struct rrs_task *creator, uint64_t *flags)
{
    *flags = 0;
    switch (creator->call) {
    case SYS_vfork:
        *flags = CLONE_VM | CLONE_VFORK;
        return NULL;
    case SYS_clone:
        *flags = creator->call_regs.rdi;
        return NULL;
    case SYS_clone3:
        return rrs_tracee_read_all(creator->tid, creator->call_regs.rdi, flags, sizeof *flags);
    default:
        return NULL;
    }
}

/* The program's struct stays as it is: a copy in the session page takes its place. */
static void replace_struct(struct rrs_session *session, const struct rrs_task *task,
                           struct user_regs_struct *regs)
{
    enum { SLOT_BYTES = 128, SLOTS = 8, AT = RRS_RUNTIME_SESSION + 512 };
    union {
        struct clone_args args;
        char bytes[SLOT_BYTES]; /* a newer program's struct is longer */
    } copy;
    uint64_t size = task->call_regs.rsi;
    if (size < CLONE_ARGS_SIZE_VER0 || size > sizeof copy ||
        rrs_tracee_read(task->tid, task->call_regs.rdi, &copy, size) != size ||
        !(copy.args.flags & CLONE_UNTRACED))
        return;
    copy.args.flags &= ~(uint64_t)CLONE_UNTRACED;
    size_t at = AT + (size_t)task->tid % SLOTS * SLOT_BYTES;
    memcpy(session->common.memory + at, &copy, size);
    regs->rdi = task->space->runtime + at;
}

void rrs_clone_keep_traced(struct rrs_session *session, struct rrs_task *task,
                           struct user_regs_struct *regs)
{
    task->arguments_replaced = false;
    if (task->call == SYS_clone)
        regs->rdi &= ~(uint64_t)CLONE_UNTRACED;
    else if (task->call == SYS_clone3)
        replace_struct(session, task, regs);
    else
        return;
    task->arguments_replaced = regs->rdi != task->call_regs.rdi;
}
