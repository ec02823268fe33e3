/* SPDX-License-Identifier: MIT */
#include "engine/tracee/ptrace.h"

#include "engine/tracee/maps.h"
#include "lmdb-store/scope.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <time.h>
#include <unistd.h>

static struct rrs_error *failed(pid_t tid, const char *request)
{
    if (errno != ESRCH)
        return rrs_error_os(errno, NULL, "%s on task %d", request, tid);
    struct rrs_error *error =
        rrs_error_create(RRS_ERROR_TRACEE_GONE, "task %d died under %s", tid, request);
    error->task = tid;
    return error;
}

static struct rrs_error *call(int request, const char *name, pid_t tid, void *address, void *data)
{
    return ptrace(request, tid, address, data) == -1 ? failed(tid, name) : NULL;
}

#define CALL(request, tid, address, data) \
    call(request, #request, tid, (void *)(uintptr_t)(address), (void *)(uintptr_t)(data))

struct rrs_error *rrs_ptrace_seize(pid_t tid, unsigned long options)
{
    return CALL(PTRACE_SEIZE, tid, 0, options);
}

struct rrs_error *rrs_ptrace_get_regs(pid_t tid, struct user_regs_struct *regs)
{
    return CALL(PTRACE_GETREGS, tid, 0, regs);
}

struct rrs_error *rrs_ptrace_set_regs(pid_t tid, const struct user_regs_struct *regs)
{
    return CALL(PTRACE_SETREGS, tid, 0, regs);
}

struct rrs_error *rrs_ptrace_get_siginfo(pid_t tid, siginfo_t *info)
{
    return CALL(PTRACE_GETSIGINFO, tid, 0, info);
}

struct rrs_error *rrs_ptrace_set_siginfo(pid_t tid, const siginfo_t *info)
{
    return CALL(PTRACE_SETSIGINFO, tid, 0, info);
}

struct rrs_error *rrs_ptrace_get_sigmask(pid_t tid, uint64_t *mask)
{
    return CALL(PTRACE_GETSIGMASK, tid, sizeof *mask, mask);
}

struct rrs_error *rrs_ptrace_set_sigmask(pid_t tid, uint64_t mask)
{
    return CALL(PTRACE_SETSIGMASK, tid, sizeof mask, &mask);
}

struct rrs_error *rrs_ptrace_event_message(pid_t tid, unsigned long *message)
{
    return CALL(PTRACE_GETEVENTMSG, tid, 0, message);
}

struct rrs_error *rrs_ptrace_resume(pid_t tid, int request, int signal)
{
    return ptrace(request, tid, 0, (void *)(intptr_t)signal) == -1 ? failed(tid, "a resume") : NULL;
}

bool rrs_ptrace_is_gone(pid_t tid)
{
    unsigned long message;
    return ptrace(PTRACE_GETEVENTMSG, tid, 0, &message) == -1 && errno == ESRCH;
}

/* man 5 proc_pid_stat: the state stands behind the name, which may hold anything. */
char rrs_tracee_state(pid_t tid)
{
    char path[64], line[512];
    snprintf(path, sizeof path, "/proc/%d/task/%d/stat", tid, tid);
    _cleanup_fclose_ FILE *file = fopen(path, "re");
    const char *behind = file && fgets(line, sizeof line, file) ? strrchr(line, ')') : NULL;
    return behind && behind[1] == ' ' ? behind[2] : 'X';
}

void rrs_ptrace_await_zombie(pid_t tid)
{
    const struct timespec moment = {.tv_nsec = 100000};
    for (;;) {
        char state = rrs_tracee_state(tid);
        if (state == 'Z' || state == 'X')
            return;
        nanosleep(&moment, NULL);
    }
}

struct rrs_error *rrs_ptrace_skip_call(pid_t tid)
{
    const size_t number = offsetof(struct user, regs.orig_rax);
    return CALL(PTRACE_POKEUSER, tid, (void *)number, (void *)-1);
}

struct rrs_error *rrs_ptrace_get_xstate(pid_t tid, void *image, size_t room, size_t *bytes)
{
    struct iovec area = {image, room};
    RRS_TRY(CALL(PTRACE_GETREGSET, tid, (void *)NT_X86_XSTATE, &area));
    *bytes = area.iov_len;
    return NULL;
}

struct rrs_error *rrs_ptrace_set_xstate(pid_t tid, const void *image, size_t bytes)
{
    struct iovec area = {(void *)(uintptr_t)image, bytes};
    return CALL(PTRACE_SETREGSET, tid, (void *)NT_X86_XSTATE, &area);
}

struct permission_search {
    rrs_addr address;
    bool write_only;
};

static bool look_at_permissions(void *context, const struct rrs_mapping *mapping)
{
    struct permission_search *search = context;
    if (mapping->end <= search->address)
        return true;
    search->write_only = mapping->start <= search->address && !(mapping->prot & PROT_READ) &&
                         mapping->prot & PROT_WRITE;
    return false;
}

/*
 * The CPU cannot forbid reading what can be written, so the program and its system calls read such
 * memory (Linux v6.1 arch/x86/mm/fault.c access_error()); process_vm_readv() alone refuses.
 */
static ssize_t read_write_only(pid_t tid, rrs_addr address, void *buffer, size_t size)
{
    char path[64];
    struct permission_search search = {.address = address};
    snprintf(path, sizeof path, "/proc/%d/mem", tid);
    _cleanup_close_ int memory = open(path, O_RDONLY | O_CLOEXEC);
    size_t piece = 4096 - address % 4096;
    ssize_t count = pread(memory, buffer, piece < size ? piece : size, (off_t)address);
    if (count <= 0)
        return count;
    struct rrs_error *error = rrs_maps_visit(tid, look_at_permissions, &search);
    rrs_error_destroy(error);
    return search.write_only ? count : -1;
}

size_t rrs_tracee_read(pid_t tid, rrs_addr address, void *buffer, size_t size)
{
    enum { PAGE = 4096 };
    size_t done = 0;
    while (done < size) {
        /* A transfer that ends in an unreadable page may copy nothing at all of its last piece. */
        size_t piece = PAGE - (address + done) % PAGE;
        if (done == 0)
            piece = size;
        if (piece > size - done)
            piece = size - done;
        struct iovec local = {(char *)buffer + done, piece};
        struct iovec remote = {(void *)(uintptr_t)(address + done), piece};
        ssize_t count = process_vm_readv(tid, &local, 1, &remote, 1, 0);
        if (count <= 0)
            count = read_write_only(tid, address + done, local.iov_base, piece);
        if (count <= 0)
            break;
        done += (size_t)count;
    }
    return done;
}

static struct rrs_error *fault(pid_t tid, rrs_addr address, const char *what)
{
    struct rrs_error *error = rrs_error_create(
        RRS_ERROR_FAULT, "cannot %s task %d's memory at %#lx", what, tid, (unsigned long)address);
    error->address = address;
    error->task = tid;
    return error;
}

struct rrs_error *rrs_tracee_read_all(pid_t tid, rrs_addr address, void *buffer, size_t size)
{
    return rrs_tracee_read(tid, address, buffer, size) == size ? NULL : fault(tid, address, "read");
}

struct rrs_error *rrs_tracee_write(pid_t tid, rrs_addr address, const void *buffer, size_t size)
{
    struct iovec local = {(void *)(uintptr_t)buffer, size};
    struct iovec remote = {(void *)(uintptr_t)address, size};
    return process_vm_writev(tid, &local, 1, &remote, 1, 0) == (ssize_t)size
               ? NULL
               : fault(tid, address, "write");
}
