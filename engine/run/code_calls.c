/* SPDX-License-Identifier: MIT */
/*
 * System calls that change code without mapping it: brk and madvise take pages away; writes to a
 * mapped file, to /proc/PID/mem and by process_vm_writev pass every guard by.
 *
 * A file is watched from the moment that it is opened for writing; the code of its mappings then
 * checks itself, whoever writes and how. Memory files are found at each write, once one was opened.
 */
#include "engine/run/code_calls.h"

#include "engine/run/address_space.h"
#include "engine/tracee/maps.h"
#include "lmdb-store/scope.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

enum { PAGE = 4096, VECTORS_MAX = 1024 };

/* --- which calls --- */

static bool has_code(const struct rrs_task *task, rrs_addr start, uint64_t bytes)
{
    rrs_addr end = (start + bytes + PAGE - 1) & ~(rrs_addr)(PAGE - 1);
    return rrs_space_has_code(task->space, start, end);
}

static bool takes_contents(int advice)
{
    return advice == MADV_DONTNEED || advice == MADV_FREE || advice == MADV_REMOVE ||
           advice == 24; /* MADV_DONTNEED_LOCKED */
}

static bool opens_for_writing(uint64_t flags)
{
    return (flags & O_ACCMODE) != O_RDONLY;
}

/* The number in "/proc/N/mem" or "/proc/P/task/N/mem", if that is what descriptor `fd` is. */
static pid_t owner_of_memory_file(const struct rrs_task *task, int fd)
{
    char link[64], path[128];
    int owner = 0, matched = 0;
    snprintf(link, sizeof link, "/proc/%d/fd/%d", task->tid, fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length <= 0)
        return 0;
    path[length] = 0;
    sscanf(path, "/proc/%d/mem%n", &owner, &matched);
    if (!matched)
        sscanf(path, "/proc/%*d/task/%d/mem%n", &owner, &matched);
    return matched == length ? owner : 0;
}

/* Code may lie above a program break that is given back. */
static bool heap_may_have_code(const struct rrs_task *task, rrs_addr from)
{
    const rrs_addr heap_most = 1ull << 36;
    for (uint32_t i = 0; i < task->space->region_count; i++) {
        const struct rrs_region *region = &task->space->regions[i];
        if (!region->from_file && region->end > from && region->start < from + heap_most)
            return true;
    }
    return false;
}

static bool mapping_spares_code(const struct rrs_task *task, int number,
                                const struct user_regs_struct *r)
{
    bool executable = number != SYS_munmap && number != SYS_mremap && (r->rdx & PROT_EXEC);
    bool placed = number != SYS_mmap || (r->r10 & (MAP_FIXED | MAP_FIXED_NOREPLACE));
    if (executable || (placed && has_code(task, r->rdi, r->rsi)))
        return false;
    return number != SYS_mremap || !(r->r10 & MREMAP_FIXED) || !has_code(task, r->r8, r->rdx);
}

static bool watched(const struct rrs_session *session, const struct rrs_task *task, int number,
                    const struct user_regs_struct *r)
{
    switch (number) {
    case SYS_brk:
        return r->rdi && heap_may_have_code(task, r->rdi);
    case SYS_madvise:
        return takes_contents((int)r->rdx) && has_code(task, r->rdi, r->rsi);
    case SYS_open:
        return opens_for_writing(r->rsi);
    case SYS_openat:
        return opens_for_writing(r->rdx);
    case SYS_creat:
    case SYS_openat2:
    case SYS_process_vm_writev:
        return true;
    case SYS_write:
    case SYS_pwrite64:
    case SYS_writev:
    case SYS_pwritev:
    case SYS_pwritev2:
        return session->writes_memory && owner_of_memory_file(task, (int)r->rdi);
    default:
        return false;
    }
}

enum rrs_code_concern rrs_code_concern(const struct rrs_session *session,
                                       const struct rrs_task *task,
                                       const struct user_regs_struct *regs)
{
    int number = (int)regs->orig_rax;
    switch (number) {
    case SYS_mmap:
    case SYS_munmap:
    case SYS_mprotect:
    case SYS_pkey_mprotect:
    case SYS_mremap:
        return mapping_spares_code(task, number, regs) ? RRS_CODE_SPARED : RRS_CODE_BY_CLASS;
    default:
        return watched(session, task, number, regs) ? RRS_CODE_WATCHED : RRS_CODE_BY_CLASS;
    }
}

/* --- pages that are taken away --- */

struct hole_search {
    rrs_addr start, end; /* what is looked for; becomes the first hole in it */
};

/* Cuts the range short of what is mapped; an empty one ends the search. */
static bool shrink_to_hole(void *context, const struct rrs_mapping *mapping)
{
    struct hole_search *search = context;
    if (mapping->end <= search->start)
        return true;
    if (mapping->start > search->start) {
        if (mapping->start < search->end)
            search->end = mapping->start;
        return false;
    }
    search->start = mapping->end < search->end ? mapping->end : search->end;
    return search->start < search->end;
}

static struct rrs_error *forget_unmapped(struct rrs_session *session, struct rrs_task *task,
                                         rrs_addr from)
{
    for (uint32_t i = 0; i < task->space->region_count;) {
        const struct rrs_region *region = &task->space->regions[i];
        struct hole_search hole = {region->start, region->end};
        if (region->from_file || region->end <= from) {
            i++;
            continue;
        }
        RRS_TRY(rrs_maps_visit(task->tid, shrink_to_hole, &hole));
        if (hole.start == hole.end)
            i++;
        else
            RRS_TRY(rrs_space_set_code(session, task, hole.start, hole.end, NULL));
    }
    return NULL;
}

/* --- writes --- */

static struct rrs_task *task_in(const struct rrs_session *session, pid_t process)
{
    for (struct rrs_task *task = session->tasks; task; task = task->next)
        if (task->space && (task->tid == process || task->process->tgid == process))
            return task;
    return NULL;
}

static struct rrs_error *note_write(struct rrs_session *session, pid_t process, rrs_addr start,
                                    uint64_t bytes)
{
    struct rrs_task *target = task_in(session, process);
    if (!target || !bytes)
        return NULL;
    return rrs_space_code_written(session, target->space, start, start + bytes);
}

uint64_t rrs_file_position(const struct rrs_task *task, int fd)
{
    char path[64];
    unsigned long position = 0;
    snprintf(path, sizeof path, "/proc/%d/fdinfo/%d", task->tid, fd);
    _cleanup_fclose_ FILE *file = fopen(path, "re");
    return file && fscanf(file, "pos: %lu", &position) == 1 ? position : 0;
}

uint64_t rrs_written_file_offset(const struct rrs_task *task, uint64_t bytes)
{
    const struct user_regs_struct *asked = &task->call_regs;
    bool positioned = task->call != SYS_write && task->call != SYS_writev;
    if (task->call == SYS_pwritev2 && asked->r10 == (uint64_t)-1)
        positioned = false;
    return positioned ? asked->r10 : rrs_file_position(task, (int)asked->rdi) - bytes;
}

static struct rrs_error *memory_file_written(struct rrs_session *session, struct rrs_task *task,
                                             uint64_t bytes)
{
    return note_write(session, owner_of_memory_file(task, (int)task->call_regs.rdi),
                      rrs_written_file_offset(task, bytes), bytes);
}

struct rrs_error *rrs_other_memory_written(struct rrs_session *session, struct rrs_task *task,
                                           uint64_t result, rrs_other_memory_visitor *visit,
                                           void *context)
{
    const struct user_regs_struct *asked = &task->call_regs;
    struct iovec remote[VECTORS_MAX];
    if (task->call != SYS_process_vm_writev) {
        pid_t owner = session->writes_memory ? owner_of_memory_file(task, (int)asked->rdi) : 0;
        struct rrs_task *target = owner ? task_in(session, owner) : NULL;
        return target ? visit(context, target, rrs_written_file_offset(task, result), result)
                      : NULL;
    }
    struct rrs_task *target = task_in(session, (pid_t)asked->rdi);
    if (!target || asked->r8 > VECTORS_MAX ||
        rrs_tracee_read(task->tid, asked->r10, remote, asked->r8 * sizeof *remote) !=
            asked->r8 * sizeof *remote)
        return NULL;
    for (uint64_t i = 0; i < asked->r8 && result; i++) {
        uint64_t here = result < remote[i].iov_len ? result : remote[i].iov_len;
        RRS_TRY(visit(context, target, (rrs_addr)(uintptr_t)remote[i].iov_base, here));
        result -= here;
    }
    return NULL;
}

static struct rrs_error *opened(struct rrs_session *session, struct rrs_task *task, int fd)
{
    char path[64];
    struct stat st;
    if (owner_of_memory_file(task, fd)) {
        session->writes_memory = true;
        return NULL;
    }
    snprintf(path, sizeof path, "/proc/%d/fd/%d", task->tid, fd);
    if (stat(path, &st) < 0 || !S_ISREG(st.st_mode))
        return NULL;
    for (struct rrs_task *other = session->tasks; other; other = other->next)
        if (other->space)
            RRS_TRY(rrs_space_file_opened(session, other->space, st.st_dev, st.st_ino));
    return NULL;
}

bool rrs_code_file_has_writer(const char *path)
{
    _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return false;
    if (!fcntl(fd, F_SETLEASE, F_RDLCK)) { /* man 2 fcntl: not given where there is a writer */
        fcntl(fd, F_SETLEASE, F_UNLCK);
        return false;
    }
    return errno == EAGAIN;
}

/* --- process_vm_writev --- */

/* A place in a vector of ranges. */
struct cursor {
    const struct iovec *vector;
    uint64_t count, index, offset;
};

static uint64_t left_here(struct cursor *c)
{
    while (c->index < c->count && c->offset == c->vector[c->index].iov_len) {
        c->index++;
        c->offset = 0;
    }
    return c->index < c->count ? c->vector[c->index].iov_len - c->offset : 0;
}

static rrs_addr address_here(const struct cursor *c)
{
    return (rrs_addr)(uintptr_t)c->vector[c->index].iov_base + c->offset;
}

static uint64_t least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* Writes through a guard, as the kernel would have without it. */
static bool write_guarded(const struct rrs_task *target, rrs_addr at, const void *bytes,
                          uint64_t count)
{
    char path[64];
    if (!rrs_space_is_guarded(target->space, at))
        return false;
    snprintf(path, sizeof path, "/proc/%d/mem", target->tid);
    _cleanup_close_ int fd = open(path, O_WRONLY | O_CLOEXEC);
    return fd >= 0 && pwrite(fd, bytes, count, (off_t)at) == (ssize_t)count;
}

/* Moves on by the `done` bytes that the kernel wrote, then writes on where a guard stopped it. */
static uint64_t write_on(const struct rrs_task *task, const struct rrs_task *target,
                         struct cursor local, struct cursor remote, uint64_t done)
{
    uint8_t bytes[PAGE];
    uint64_t written = 0;
    for (;;) {
        uint64_t count = least(left_here(&local), left_here(&remote));
        if (!count)
            return written;
        rrs_addr to = address_here(&remote);
        count = least(count, PAGE - to % PAGE);
        if (written < done) {
            count = least(count, done - written);
        } else if (rrs_tracee_read(task->tid, address_here(&local), bytes, count) != count ||
                   !write_guarded(target, to, bytes, count)) {
            struct rrs_error *error = rrs_tracee_write(target->tid, to, bytes, count);
            if (error) {
                rrs_error_destroy(error);
                return written;
            }
        }
        written += count;
        local.offset += count;
        remote.offset += count;
    }
}

static struct rrs_error *other_memory_written(struct rrs_session *session, struct rrs_task *task,
                                              uint64_t *result)
{
    const struct user_regs_struct *asked = &task->call_regs;
    struct iovec local[VECTORS_MAX], remote[VECTORS_MAX];
    struct rrs_task *target = task_in(session, (pid_t)asked->rdi);
    uint64_t done = (int64_t)*result > 0 ? *result : 0;
    if (!target || (!done && *result != (uint64_t)-EFAULT) || asked->rdx > VECTORS_MAX ||
        asked->r8 > VECTORS_MAX ||
        rrs_tracee_read(task->tid, asked->rsi, local, asked->rdx * sizeof *local) !=
            asked->rdx * sizeof *local ||
        rrs_tracee_read(task->tid, asked->r10, remote, asked->r8 * sizeof *remote) !=
            asked->r8 * sizeof *remote)
        return NULL;
    done = write_on(task, target, (struct cursor){local, asked->rdx, 0, 0},
                    (struct cursor){remote, asked->r8, 0, 0}, done);
    if (done)
        *result = done;
    for (uint64_t i = 0; i < asked->r8 && done; i++) {
        uint64_t here = least(done, remote[i].iov_len);
        RRS_TRY(note_write(session, target->tid, (rrs_addr)(uintptr_t)remote[i].iov_base, here));
        done -= here;
    }
    return NULL;
}

/* --- at the call's end --- */

struct rrs_error *rrs_code_call_done(struct rrs_session *session, struct rrs_task *task,
                                     uint64_t *result)
{
    const struct user_regs_struct *asked = &task->call_regs;
    bool failed = *result >= (uint64_t)-4095;
    if (task->call == SYS_process_vm_writev)
        return other_memory_written(session, task, result);
    if (failed)
        return NULL;
    switch (task->call) {
    case SYS_brk:
        return forget_unmapped(session, task, *result);
    case SYS_madvise:
        rrs_space_contents_gone(session, task->space, asked->rdi, asked->rdi + asked->rsi);
        return NULL;
    case SYS_open:
    case SYS_openat:
    case SYS_openat2:
    case SYS_creat:
        return opened(session, task, (int)*result);
    default:
        return memory_file_written(session, task, *result);
    }
}
