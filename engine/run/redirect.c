/* SPDX-License-Identifier: MIT */
#include "engine/run/redirect.h"

#include "engine/run/address_space.h"
#include "engine/syscalls/redirect.h"
#include "engine/syscalls/table.h"
#include "lmdb-store/scope.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { PIECE_BYTES = 256 << 10 }; /* more than any one message, and than most pipes hold */

struct rrs_redirected {
    struct rrs_redirection plan;
    uint64_t offset;  /* in the session's scratch memory */
    uint8_t *memory;  /* the same, for the tracer */
    rrs_addr address; /* the same, for the task */
    uint8_t *before;  /* what the filled parts held, at their offsets; NULL: there are none */
    uint64_t rdx;     /* the call's, which may be smaller than the program's */
};

void rrs_copy_arguments(struct user_regs_struct *to, const struct user_regs_struct *from)
{
    to->rdi = from->rdi;
    to->rsi = from->rsi;
    to->rdx = from->rdx;
    to->r10 = from->r10;
    to->r8 = from->r8;
    to->r9 = from->r9;
}

static struct rrs_syscall call_of(const struct rrs_task *task, uint64_t rdx, int64_t result)
{
    const struct user_regs_struct *r = &task->call_regs;
    return (struct rrs_syscall){
        .number = task->call,
        .args = {r->rdi, r->rsi, rdx, r->r10, r->r8, r->r9},
        .result = result,
    };
}

/* --- whether, and what --- */

static bool somebody_could_look(const struct rrs_session *session, const struct rrs_task *task)
{
    return session->tasks->next && (task->space->references > 1 || task->space->shares_memory);
}

static bool is_stream(const struct rrs_task *task)
{
    char path[64];
    struct stat st;
    snprintf(path, sizeof path, "/proc/%d/fd/%d", task->tid, (int)task->call_regs.rdi);
    return !stat(path, &st) && !S_ISREG(st.st_mode) && !S_ISBLK(st.st_mode);
}

/* How much the call asks for at a time: whoever reads a stream has to take less. */
static uint64_t piece_of(const struct rrs_task *task)
{
    uint64_t asked = task->call_regs.rdx;
    bool reads = task->call == SYS_read;
    if (task->call == SYS_recvfrom)
        reads = !(task->call_regs.r10 & (MSG_WAITALL | MSG_TRUNC));
    return reads && asked > PIECE_BYTES && is_stream(task) ? PIECE_BYTES : asked;
}

static size_t read_task(void *context, rrs_addr address, void *buffer, size_t bytes)
{
    const struct rrs_task *task = context;
    return rrs_tracee_read(task->tid, address, buffer, bytes);
}

/* Whether the kernel would find all that it may write to. */
static bool can_be_written(struct rrs_task *task, const struct rrs_redirection *plan)
{
    for (size_t i = 0; i < plan->part_count; i++)
        if (plan->parts[i].written &&
            !rrs_writable_has(task, plan->parts[i].app, plan->parts[i].bytes))
            return false;
    return true;
}

static bool fill(struct rrs_task *task, const struct rrs_redirected *r)
{
    for (size_t i = 0; i < r->plan.part_count; i++) {
        const struct rrs_redirected_part *part = &r->plan.parts[i];
        if (part->filled &&
            rrs_tracee_read(task->tid, part->app, r->memory + part->at, part->bytes) != part->bytes)
            return false;
    }
    return true;
}

static void keep(struct rrs_redirected *r)
{
    uint64_t end = 0;
    for (size_t i = 0; i < r->plan.part_count; i++)
        if (r->plan.parts[i].filled)
            end = r->plan.parts[i].at + r->plan.parts[i].bytes;
    if (!end)
        return;
    r->before = malloc(end);
    assert(r->before && "out of memory for a call's outputs");
    for (size_t i = 0; i < r->plan.part_count; i++) {
        const struct rrs_redirected_part *part = &r->plan.parts[i];
        if (part->filled)
            memcpy(r->before + part->at, r->memory + part->at, part->bytes);
    }
}

static void set_pointers(const struct rrs_redirected *r)
{
    for (size_t i = 0; i < r->plan.pointer_count; i++) {
        const struct rrs_redirected_pointer *pointer = &r->plan.pointers[i];
        rrs_addr target = r->address + pointer->target;
        memcpy(r->memory + pointer->at, &target, sizeof target);
    }
}

static void destroy(struct rrs_session *session, struct rrs_redirected *r)
{
    if (r->memory)
        rrs_scratch_give(&session->scratch, r->offset, r->plan.bytes);
    rrs_redirection_deinit(&r->plan);
    free(r->before);
    free(r);
}

/* False: the call is to be made as it is. */
static bool prepare(struct rrs_session *session, struct rrs_task *task, struct rrs_redirected *r)
{
    const struct rrs_memory_reader memory = {.read = read_task, .context = task};
    r->rdx = piece_of(task);
    const struct rrs_syscall call = call_of(task, r->rdx, 0);
    if (!rrs_redirection_plan(&call, &memory, RRS_OUTPUTS_BYTES, &r->plan) ||
        !can_be_written(task, &r->plan) ||
        !rrs_scratch_take(&session->scratch, r->plan.bytes, &r->offset))
        return false;
    r->memory = session->scratch.piece.memory + r->offset;
    r->address = task->space->runtime + RRS_RUNTIME_BYTES + r->offset;
    if (!fill(task, r))
        return false;
    keep(r);
    set_pointers(r);
    return true;
}

static bool writes(const struct rrs_task *task)
{
    const struct rrs_syscall call = call_of(task, task->call_regs.rdx, 0);
    const struct rrs_syscall_shape *shape = rrs_syscall_shape(call.number, call.args);
    for (unsigned i = 0; shape && i < shape->argument_count; i++)
        if ((shape->arguments[i].direction & RRS_DIRECTION_OUT) && call.args[i])
            return true;
    return false;
}

struct rrs_error *rrs_redirect_begin(struct rrs_session *session, struct rrs_task *task,
                                     struct user_regs_struct *regs)
{
    if (!writes(task) || !somebody_could_look(session, task))
        return NULL;
    struct rrs_redirected *r = calloc(1, sizeof *r);
    assert(r && "out of memory for a call's outputs");
    if (!prepare(session, task, r)) {
        destroy(session, r);
        return NULL;
    }
    task->redirected = r;
    const struct user_regs_struct made = rrs_redirect_arguments(task);
    rrs_copy_arguments(regs, &made);
    return rrs_ptrace_set_regs(task->tid, regs);
}

bool rrs_redirect_must_wait(const struct rrs_session *session, const struct rrs_task *task)
{
    if (task->redirected || !somebody_could_look(session, task))
        return false;
    switch (task->call) {
    case SYS_read:
    case SYS_readv:
    case SYS_preadv:
    case SYS_preadv2:
        return !is_stream(task);
    default:
        return false;
    }
}

struct user_regs_struct rrs_redirect_arguments(const struct rrs_task *task)
{
    struct user_regs_struct made = task->call_regs;
    const struct rrs_redirected *r = task->redirected;
    unsigned long long *const arguments[6] = {&made.rdi, &made.rsi, &made.rdx,
                                              &made.r10, &made.r8,  &made.r9};
    if (!r)
        return made;
    made.rdx = r->rdx;
    for (int i = 0; i < 6; i++)
        if (r->plan.replaced[i])
            *arguments[i] = r->address + r->plan.targets[i];
    return made;
}

/* --- what was written --- */

struct copy_out {
    struct rrs_session *session;
    struct rrs_task *task;
    int64_t result;
    const struct rrs_redirected *r;
};

/* Memory as it is behind the call: parts that were written stand in scratch memory. */
static size_t read_behind(void *context, rrs_addr address, void *buffer, size_t bytes)
{
    const struct copy_out *copy = context;
    const struct rrs_redirection *plan = &copy->r->plan;
    for (size_t i = 0; i < plan->part_count; i++) {
        const struct rrs_redirected_part *part = &plan->parts[i];
        if (address < part->app || address - part->app >= part->bytes)
            continue;
        uint64_t left = part->bytes - (address - part->app);
        size_t here = left < bytes ? left : bytes;
        memcpy(buffer, copy->r->memory + part->at + (address - part->app), here);
        if (here == bytes)
            return bytes;
        return here + read_behind(context, address + here, (uint8_t *)buffer + here, bytes - here);
    }
    return rrs_tracee_read(copy->task->tid, address, buffer, bytes);
}

/* As the kernel would have, past every guard. What cannot be written any more is let be. */
static struct rrs_error *write_app(const struct copy_out *copy, rrs_addr address,
                                   const uint8_t *bytes, uint64_t count)
{
    struct rrs_task *task = copy->task;
    if (!rrs_space_has_code(task->space, address, address + count)) {
        struct rrs_error *error = rrs_tracee_write(task->tid, address, bytes, count);
        bool gone = error && error->code == RRS_ERROR_FAULT;
        if (gone)
            rrs_error_destroy(error);
        return gone ? NULL : error;
    }
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/mem", task->tid);
    _cleanup_close_ int fd = open(path, O_WRONLY | O_CLOEXEC);
    for (uint64_t done = 0; fd >= 0 && done < count;) {
        ssize_t written = pwrite(fd, bytes + done, count - done, (off_t)(address + done));
        if (written <= 0)
            break;
        done += (uint64_t)written;
    }
    return rrs_space_code_written(copy->session, task->space, address, address + count);
}

/* The rest of each entry may be another one by now. */
static struct rrs_error *write_events(const struct copy_out *copy, rrs_addr address,
                                      const uint8_t *entries, uint64_t bytes)
{
    enum { ENTRY = 8, EVENTS_AT = 6, EVENTS_BYTES = 2 };
    _cleanup_free_ uint8_t *now = malloc(bytes);
    assert(now && "out of memory for a call's outputs");
    if (rrs_tracee_read(copy->task->tid, address, now, bytes) != bytes)
        return NULL;
    for (uint64_t at = 0; at + ENTRY <= bytes; at += ENTRY)
        memcpy(now + at + EVENTS_AT, entries + at + EVENTS_AT, EVENTS_BYTES);
    return write_app(copy, address, now, bytes);
}

/*
 * Whether the kernel wrote to the part, as far as that shows. Where an input could not be read, the
 * ranges are guesses.
 */
static bool has_changed(const struct copy_out *copy, const struct rrs_redirected_part *part)
{
    const struct rrs_redirected *r = copy->r;
    if (!part->filled)
        return copy->result != -EFAULT;
    return memcmp(r->memory + part->at, r->before + part->at, part->bytes) != 0;
}

static struct rrs_error *copy_range(void *context, const struct rrs_memory_range *range)
{
    const struct copy_out *copy = context;
    for (size_t i = 0; i < copy->r->plan.part_count; i++) {
        const struct rrs_redirected_part *part = &copy->r->plan.parts[i];
        rrs_addr from = range->addr > part->app ? range->addr : part->app;
        rrs_addr to = range->addr + range->bytes;
        to = to < part->app + part->bytes ? to : part->app + part->bytes;
        if (from >= to || !part->written || !has_changed(copy, part))
            continue;
        const uint8_t *bytes = copy->r->memory + part->at + (from - part->app);
        RRS_TRY(part->events_only ? write_events(copy, from, bytes, to - from)
                                  : write_app(copy, from, bytes, to - from));
    }
    return NULL;
}

/* The program's pointers are put back first: what they lead to is looked up by them. */
static void restore_pointers(const struct rrs_redirected *r)
{
    for (size_t i = 0; i < r->plan.pointer_count; i++) {
        const struct rrs_redirected_pointer *pointer = &r->plan.pointers[i];
        memcpy(r->memory + pointer->at, &pointer->app, sizeof pointer->app);
    }
}

struct rrs_error *rrs_redirect_finish(struct rrs_session *session, struct rrs_task *task,
                                      int64_t result, struct user_regs_struct *app)
{
    struct rrs_redirected *r = task->redirected;
    if (!r)
        return NULL;
    struct copy_out copy = {session, task, result, r};
    const struct rrs_memory_reader memory = {.read = read_behind, .context = &copy};
    const struct rrs_syscall call = call_of(task, r->rdx, result);
    const struct rrs_observer *observer = session->observer;
    RRS_TRY(observer->memory_changes(observer->context, task));
    rrs_copy_arguments(app, &task->call_regs);
    restore_pointers(r);
    struct rrs_error *error = rrs_syscall_outputs(&call, &memory, copy_range, &copy);
    rrs_redirect_drop(session, task);
    return error;
}

void rrs_redirect_drop(struct rrs_session *session, struct rrs_task *task)
{
    if (task->redirected)
        destroy(session, task->redirected);
    task->redirected = NULL;
}
