/* SPDX-License-Identifier: MIT */
/*
 * What a trace may make the hosts do: a stranger may have written it. The hosts' filter stops every
 * system call; what the tracer injects passes here, and where it follows the trace, ranges of
 * memory are the program's own.
 */
#include "engine/replay/replayer.h"
#include "engine/run/address_space.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

static const uint64_t user_space_end = 0x7ffffffff000; /* Linux v6.1 TASK_SIZE_MAX */

static bool overlaps(rrs_addr start, uint64_t bytes, rrs_addr other, uint64_t other_bytes)
{
    return start < other + other_bytes && other < start + bytes;
}

static bool is_in_user_space(rrs_addr start, uint64_t bytes)
{
    return bytes <= user_space_end && start <= user_space_end - bytes;
}

static bool is_the_engines(const struct rrs_address_space *space, rrs_addr start, uint64_t bytes)
{
    if (overlaps(start, bytes, space->runtime, RRS_RUNTIME_BYTES))
        return true;
    for (uint32_t i = 0; i < space->attachment_count; i++) {
        const struct rrs_attachment *attachment = &space->attachments[i];
        if (overlaps(start, bytes, attachment->shadow, attachment->module->piece.size))
            return true;
    }
    return false;
}

bool rrs_replay_range_is_programs(const struct rrs_replay_task *task, rrs_addr start,
                                  uint64_t bytes)
{
    return is_in_user_space(start, bytes) && !is_the_engines(task->task->space, start, bytes);
}

struct rrs_error *rrs_replay_check_range(const struct rrs_replayer *replayer,
                                         const struct rrs_replay_task *task, rrs_addr start,
                                         uint64_t bytes)
{
    if (rrs_replay_range_is_programs(task, start, bytes))
        return NULL;
    return rrs_error_create(RRS_ERROR_BAD_TRACE,
                            "event %lu changes memory that is not the program's: %#lx bytes at "
                            "%#lx",
                            (unsigned long)(replayer->next ? replayer->next->number : 0),
                            (unsigned long)bytes, (unsigned long)start);
}

/* --- injected calls --- */

/* Only the engine's own code is executable: a piece of the memory that it shares with hosts. */
static bool may_map(const uint64_t args[6])
{
    return is_in_user_space(args[0], args[1]) &&
           (!(args[2] & PROT_EXEC) || (args[3] & MAP_SHARED && !(args[3] & MAP_ANONYMOUS)));
}

/* The tracer's own descriptors, by the name that engine/run/descriptors.c gives them. */
static bool may_open(const struct rrs_task *task, const uint64_t args[6])
{
    char path[64] = {0}, expected[64];
    int fd, length = 0;
    if (args[0] != task->space->runtime + RRS_RUNTIME_SCRATCH)
        return false;
    rrs_tracee_read(task->tid, args[0], path, sizeof path - 1);
    snprintf(expected, sizeof expected, "/proc/%d/fd/%%d%%n", getpid());
    return sscanf(path, expected, &fd, &length) == 1 && !path[length];
}

static bool is_permitted(const struct rrs_task *task, long number, const uint64_t args[6])
{
    switch (number) {
    case SYS_mmap:
        return may_map(args);
    case SYS_mprotect:
        return is_in_user_space(args[0], args[1]) && !(args[2] & PROT_EXEC);
    case SYS_munmap:
    case SYS_madvise:
        return is_in_user_space(args[0], args[1]);
    case SYS_mremap:
        return is_in_user_space(args[0], args[1]) && is_in_user_space(args[4], args[2]);
    case SYS_open:
        return may_open(task, args);
    case SYS_dup:
    case SYS_close:
    case SYS_close_range:
        return true;
    case SYS_socketpair: /* where the tracer's descriptors cannot be opened by name */
        return args[0] == AF_UNIX && (args[1] & ~(uint64_t)SOCK_CLOEXEC) == SOCK_DGRAM;
    case SYS_recvmsg:
        return true;
    case SYS_prlimit64:
        return args[0] == 0;
    case SYS_rt_sigpending: /* to let a stack grow */
        return is_in_user_space(args[0], args[1]) && args[1] == 8 &&
               !is_the_engines(task->space, args[0], args[1]);
    case SYS_rt_sigaction: /* of what the engine's own traps have reset */
        return args[0] == SIGTRAP || args[0] == SIGSEGV;
    default:
        return false;
    }
}

struct rrs_error *rrs_replay_permit(void *context, const struct rrs_task *task, long number,
                                    const uint64_t args[6])
{
    (void)context;
    if (is_permitted(task, number, args))
        return NULL;
    return rrs_error_create(
        RRS_ERROR_BAD_TRACE,
        "the replay was about to make system call %ld (%#lx, %#lx, %#lx, %#lx), "
        "which no replay needs",
        number, (unsigned long)args[0], (unsigned long)args[1], (unsigned long)args[2],
        (unsigned long)args[3]);
}
