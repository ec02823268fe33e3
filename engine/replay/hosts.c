/* SPDX-License-Identifier: MIT */
/*
 * The processes that replay. The first of them, a zygote, is a fork of the tracer that has given up
 * all its memory for the runtime; the others are forks of it, or of each other.
 */
#include "engine/replay/replayer.h"
#include "engine/run/address_space.h"
#include "engine/run/remote.h"
#include "lmdb-store/scope.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/rseq.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static const uint64_t user_space_end = 0x7ffffffff000;

/* --- the zygote --- */

/* Nothing that is not the tracer's own doing reaches the kernel. */
static void install_filter(void)
{
    struct sock_filter code[] = {BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRACE)};
    struct sock_fprog program = {.len = 1, .filter = code};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
        syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) < 0)
        _exit(1);
}

/* The kernel writes to glibc's rseq area at every switch, and that memory is about to go. */
static void leave_rseq(void)
{
    enum { UNREGISTER = 1, BYTES = 32 }; /* RSEQ_FLAG_UNREGISTER; glibc's sysdeps rseq.h */
    const uint32_t signature = 0x53053053;
    if (__rseq_size)
        syscall(SYS_rseq, (char *)__builtin_thread_pointer() + __rseq_offset, BYTES, UNREGISTER,
                signature);
}

/* Should memory run short, it is for us to go: man 5 proc_pid_oom_score_adj. */
static void offer_to_be_killed(void)
{
    int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
    ssize_t written = fd < 0 ? 0 : write(fd, "1000", 4);
    (void)written;
    close(fd);
}

static void __attribute__((noreturn)) run_child(int go_fd)
{
    char go;
    const struct rlimit all = {RLIM_INFINITY, RLIM_INFINITY}, none = {0, 0};
    setpgid(0, 0); /* keys typed at the terminal are not for us */
    offer_to_be_killed();
    setrlimit(RLIMIT_CORE, &none);
    setrlimit(RLIMIT_STACK, &all);
    for (int i = 1; i <= 64; i++)
        signal(i, SIG_DFL);
    if (read(go_fd, &go, 1) != 1)
        _exit(1);
    leave_rseq();
    install_filter();
    for (;;)
        syscall(SYS_getppid); /* the tracer takes over here */
}

static struct rrs_error *start_child(pid_t *pid)
{
    enum { READ, WRITE };
    int go[2];
    if (pipe2(go, O_CLOEXEC) < 0)
        return rrs_error_os(errno, NULL, "pipe");
    *pid = fork();
    if (*pid == 0) {
        close(go[WRITE]);
        run_child(go[READ]);
    }
    close(go[READ]);
    _cleanup_close_ int go_fd = go[WRITE];
    if (*pid < 0)
        return rrs_error_os(errno, NULL, "fork");
    RRS_TRY(rrs_ptrace_seize(*pid, PTRACE_O_EXITKILL | PTRACE_O_TRACESYSGOOD |
                                       PTRACE_O_TRACESECCOMP | PTRACE_O_TRACEFORK));
    return write(go_fd, "", 1) == 1 ? NULL : rrs_error_os(errno, NULL, "starting a process");
}

static struct rrs_error *unmap_all_else(struct rrs_session *session, struct rrs_task *task)
{
    rrs_addr runtime = task->space->runtime, behind = runtime + RRS_RUNTIME_BYTES;
    RRS_TRY(rrs_remote_call_ok(session, task, "giving up memory", SYS_munmap,
                               RRS_ARGUMENTS(0, runtime), NULL));
    RRS_TRY(rrs_remote_call_ok(session, task, "giving up memory", SYS_munmap,
                               RRS_ARGUMENTS(behind, user_space_end - behind), NULL));
    uint64_t pool = (uint64_t)session->pool.fd;
    if (pool)
        RRS_TRY(rrs_remote_call_ok(session, task, "closing files", SYS_close_range,
                                   RRS_ARGUMENTS(0, pool - 1, 0), NULL));
    return rrs_remote_call_ok(session, task, "closing files", SYS_close_range,
                              RRS_ARGUMENTS(pool + 1, ~0u, 0), NULL);
}

static struct rrs_error *create_host(struct rrs_task *task, struct rrs_replay_space **space)
{
    char path[64];
    struct rrs_replay_space *made = calloc(1, sizeof *made);
    if (!made)
        return rrs_error_no_memory();
    snprintf(path, sizeof path, "/proc/%d/mem", task->tid);
    made->host = task->tid;
    made->references = 1;
    made->memory_fd = open(path, O_RDWR | O_CLOEXEC);
    *space = made;
    return made->memory_fd < 0 ? rrs_error_os(errno, path, "cannot open") : NULL;
}

/* What the kernel tells in the bytes that the CPU leaves to software: Linux v6.1
 * arch/x86/include/uapi/asm/ptrace-abi.h and kernel/fpu/xstate.c, copy_xstate_to_uabi_buf(). */
static struct rrs_error *measure_xstate(struct rrs_replayer *replayer, pid_t pid)
{
    enum { COMPONENTS = 464 };
    uint8_t image[RRS_XSTATE_MAX_BYTES];
    RRS_TRY(rrs_ptrace_get_xstate(pid, image, sizeof image, &replayer->xstate_bytes));
    memcpy(&replayer->xstate_components, image + COMPONENTS, sizeof replayer->xstate_components);
    return NULL;
}

static struct rrs_error *make_zygote(struct rrs_replayer *replayer, uint32_t base,
                                     struct rrs_replay_space **zygote)
{
    struct rrs_session *session = &replayer->session;
    pid_t pid;
    int status;
    struct user_regs_struct regs;
    RRS_TRY(start_child(&pid));
    struct rrs_task *task = rrs_task_create(session, pid);
    task->process = rrs_process_create(session, pid);
    task->process->tasks = 1;
    task->state = RRS_TASK_IN_SYSCALL;
    RRS_TRY(rrs_task_wait(task, &status));
    while (rrs_status_event(status) != PTRACE_EVENT_SECCOMP)
        RRS_TRY(rrs_task_run_to_stop(session, task, PTRACE_CONT, &status));
    RRS_TRY(measure_xstate(replayer, pid));
    RRS_TRY(rrs_ptrace_get_regs(pid, &regs));
    task->regs = regs;
    RRS_TRY(rrs_space_create_bare(session, task, base, regs.rip - 2));
    RRS_TRY(unmap_all_else(session, task));
    rrs_memory_guard_add(replayer->guard, pid);
    return create_host(task, zygote);
}

struct rrs_error *rrs_replay_zygote(struct rrs_replayer *replayer, uint32_t base,
                                    struct rrs_replay_space **zygote)
{
    if (base >= RRS_RUNTIME_BASES)
        return rrs_error_create(RRS_ERROR_BAD_TRACE, "no runtime has base number %u", base);
    if (!replayer->zygotes[base])
        RRS_TRY(make_zygote(replayer, base, &replayer->zygotes[base]));
    *zygote = replayer->zygotes[base];
    return NULL;
}

/* --- forks --- */

/* Brings the task to the stop behind a fork that is injected. */
static struct rrs_error *inject_fork(struct rrs_session *session, struct rrs_task *task,
                                     pid_t *child)
{
    struct user_regs_struct regs;
    int status;
    unsigned long pid;
    RRS_TRY(rrs_ptrace_get_regs(task->tid, &regs));
    regs.rip = task->space->call_insn;
    regs.rax = SYS_clone;
    regs.orig_rax = (uint64_t)-1;
    regs.rdi = SIGCHLD | CLONE_PARENT; /* or its parent, a host too, would have to wait for it */
    regs.rsi = regs.rdx = regs.r10 = regs.r8 = 0;
    task->at_call = false;
    RRS_TRY(rrs_ptrace_set_regs(task->tid, &regs));
    RRS_TRY(rrs_task_run_to_stop(session, task, PTRACE_CONT, &status));
    if (rrs_status_event(status) == PTRACE_EVENT_SECCOMP)
        RRS_TRY(rrs_task_run_to_stop(session, task, PTRACE_SYSCALL, &status));
    if (rrs_status_event(status) != PTRACE_EVENT_FORK)
        return rrs_error_os(EAGAIN, NULL, "cannot fork a process that replays");
    RRS_TRY(rrs_ptrace_event_message(task->tid, &pid));
    *child = (pid_t)pid;
    return rrs_task_run_to_stop(session, task, PTRACE_SYSCALL, &status);
}

struct rrs_error *rrs_replay_fork_space(struct rrs_replayer *replayer,
                                        struct rrs_replay_space *parent, struct rrs_task *in_parent,
                                        struct rrs_process *process,
                                        struct rrs_replay_space **child, struct rrs_task **task)
{
    struct rrs_session *session = &replayer->session;
    pid_t pid;
    int status;
    RRS_TRY(inject_fork(session, in_parent, &pid));
    struct rrs_task *made = rrs_task_find(session, pid);
    if (!made)
        made = rrs_task_create(session, pid);
    made->process = process;
    made->state = RRS_TASK_IN_SYSCALL;
    process->tasks++;
    RRS_TRY(rrs_space_fork(session, in_parent->space, &made->space));
    if (made->reported) {
        made->reported = false;
        session->reported_count--;
    } else {
        RRS_TRY(rrs_task_wait(made, &status));
    }
    RRS_TRY(create_host(made, child));
    rrs_map_list_copy(&(*child)->maps, &parent->maps);
    (*child)->brk_start = parent->brk_start;
    (*child)->brk = parent->brk;
    (*child)->program = parent->program ? strdup(parent->program) : NULL;
    (*child)->auxv = parent->auxv;
    (*child)->auxv_bytes = parent->auxv_bytes;
    *task = made;
    return NULL;
}

void rrs_replay_release_space(struct rrs_replay_space *space)
{
    int status;
    if (!space || --space->references)
        return;
    kill(space->host, SIGKILL);
    while (waitpid(space->host, &status, __WALL) == space->host && WIFSTOPPED(status))
        ;
    close(space->memory_fd);
    rrs_map_list_deinit(&space->maps);
    rrs_page_sums_deinit(&space->sums);
    free(space->program);
    free(space);
}

/* --- registers and memory --- */

struct rrs_error *rrs_replay_unload(struct rrs_replay_space *space)
{
    struct rrs_replay_task *task = space->loaded;
    if (!task)
        return NULL;
    if (!task->xstate)
        task->xstate = malloc(RRS_XSTATE_MAX_BYTES);
    if (!task->xstate)
        return rrs_error_no_memory();
    RRS_TRY(rrs_ptrace_get_xstate(space->host, task->xstate, RRS_XSTATE_MAX_BYTES,
                                  &task->xstate_bytes));
    space->loaded = NULL;
    task->task->at_call = false;
    return NULL;
}

struct rrs_error *rrs_replay_load(struct rrs_replay_task *task)
{
    if (task->space->loaded == task)
        return NULL;
    RRS_TRY(rrs_replay_unload(task->space));
    if (task->xstate_bytes)
        RRS_TRY(rrs_ptrace_set_xstate(task->space->host, task->xstate, task->xstate_bytes));
    task->space->loaded = task;
    return NULL;
}

/* The kernel forces writes into private memory only; what is shared is written where it comes from.
 */
static size_t write_shared(struct rrs_replayer *replayer, const struct rrs_replay_task *task,
                           rrs_addr address, const uint8_t *bytes, uint64_t size)
{
    size_t done = 0;
    while (done < size) {
        const struct rrs_map_entry *entry = rrs_map_list_at(&task->space->maps, address + done);
        const struct rrs_content_file *file =
            entry && entry->shared ? rrs_contents_shared(&replayer->contents, entry->identity)
                                   : NULL;
        if (!file)
            return done;
        uint64_t here = address + done - entry->start, left = entry->end - (address + done);
        uint64_t piece = size - done < left ? size - done : left;
        if (pwrite(file->fd, bytes + done, piece, (off_t)(entry->file_offset + here)) !=
            (ssize_t)piece)
            return done;
        done += piece;
    }
    return done;
}

struct rrs_error *rrs_replay_poke(struct rrs_replayer *replayer, struct rrs_replay_task *task,
                                  rrs_addr address, const void *bytes, uint64_t size)
{
    struct rrs_address_space *space = task->task->space;
    bool any;
    RRS_TRY(rrs_replay_check_range(replayer, task, address, size));
    if (space->guarded_count)
        RRS_TRY(rrs_space_unguard(&replayer->session, task->task, address, address + size, false,
                                  &any));
    ssize_t written = pwrite(task->space->memory_fd, bytes, size, (off_t)address);
    size_t count = written > 0 ? (size_t)written : 0;
    count +=
        write_shared(replayer, task, address + count, (const uint8_t *)bytes + count, size - count);
    if (count == size)
        return rrs_space_has_code(space, address, address + size)
                   ? rrs_space_code_written(&replayer->session, space, address, address + size)
                   : NULL;
    struct rrs_error *error = rrs_replay_diverged(
        replayer, "memory at %#lx, which the recording has written, is not there",
        (unsigned long)(address + count));
    error->address = address;
    return error;
}
