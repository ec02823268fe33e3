/* SPDX-License-Identifier: MIT */
/* System calls: what they returned, and what they wrote. */
#include "engine/record/checksum.h"

#include "engine/run/code_calls.h"
#include "engine/run/pi_futex.h"
#include "engine/syscalls/outputs.h"
#include "engine/syscalls/print.h"
#include "engine/syscalls/table.h"
#include "lmdb-store/blob.h"
#include "lmdb-store/scope.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

void rrs_recorder_add_call(struct rrs_recorder *recorder, const struct rrs_task *task)
{
    const struct user_regs_struct *r = &task->call_regs;
    const uint64_t arguments[6] = {r->rdi, r->rsi, r->rdx, r->r10, r->r8, r->r9};
    rrs_body_put_call(&recorder->body, task->call, arguments);
}

/* --- what was read --- */

/* Of strings that are data, so much is shown at most; and of one call in all. */
enum { INPUT_STRING_MAX = 128, INPUTS_MAX_BYTES = 4096 };

struct inputs {
    struct rrs_recorder *recorder;
    const struct rrs_task *task;
    size_t bytes;
};

static size_t read_input(void *context, rrs_addr address, void *buffer, size_t bytes)
{
    const struct inputs *inputs = context;
    return rrs_tracee_read(inputs->task->tid, address, buffer, bytes);
}

static void add_input(void *context, rrs_addr address, const void *content, size_t bytes)
{
    struct inputs *inputs = context;
    if (!bytes || inputs->bytes + bytes > INPUTS_MAX_BYTES)
        return;
    inputs->bytes += bytes;
    rrs_body_put_input(&inputs->recorder->body, address, content, bytes);
}

static bool has_inputs(const struct rrs_syscall *call)
{
    const struct rrs_syscall_shape *shape = rrs_syscall_shape(call->number, call->args);
    for (unsigned i = 0; shape && i < shape->argument_count; i++)
        if (shape->arguments[i].direction & RRS_DIRECTION_IN)
            return true;
    return false;
}

/* Whoever looks at the trace sees what the call was about, without a replay. */
static void add_inputs(struct rrs_recorder *recorder, const struct rrs_task *task)
{
    const struct user_regs_struct *r = &task->call_regs;
    struct inputs inputs = {recorder, task, 0};
    const struct rrs_memory_reader memory = {
        .read = read_input, .context = &inputs, .used = add_input};
    const struct rrs_syscall call = {
        .number = task->call,
        .args = {r->rdi, r->rsi, r->rdx, r->r10, r->r8, r->r9},
    };
    const struct rrs_print_options options = {
        .max_string = INPUT_STRING_MAX, .at_entry = true, .reads_only = true};
    if (has_inputs(&call)) /* a printed line reads just what is to be shown */
        rrs_syscall_print(&call, &memory, &options, NULL, 0);
}

struct rrs_error *rrs_record_call_begins(void *context, struct rrs_task *task)
{
    struct rrs_recorder *recorder = context;
    RRS_TRY(rrs_recorder_begin(recorder, task, task->call_pc));
    rrs_recorder_add_call(recorder, task);
    add_inputs(recorder, task);
    if (rrs_pi_futex_word(task))
        RRS_TRY(rrs_recorder_add_memory(recorder, task, rrs_pi_futex_word(task), 4));
    if (task->call == SYS_exit) /* of a leader that other threads outlive */
        RRS_TRY(rrs_recorder_add_exit_writes(recorder, task));
    rrs_recorder_hold_back(recorder, task);
    task->begin_recorded = true;
    return NULL;
}

/* --- what was written --- */

struct outputs {
    struct rrs_recorder *recorder;
    const struct rrs_task *task;
};

static size_t read_memory(void *context, rrs_addr address, void *buffer, size_t bytes)
{
    const struct outputs *outputs = context;
    return rrs_tracee_read(outputs->task->tid, address, buffer, bytes);
}

/* The bytes are saved, but what they point to may have been written, too. */
static void warn_of_guess(struct rrs_recorder *recorder, const struct rrs_task *task)
{
    uint64_t request = task->call_regs.rsi;
    recorder->guessed = true;
    if (task->call != SYS_ioctl)
        return;
    for (size_t i = 0; i < recorder->guess_count; i++)
        if (recorder->guesses[i] == request)
            return;
    if (recorder->guess_count == sizeof recorder->guesses / sizeof recorder->guesses[0])
        return;
    recorder->guesses[recorder->guess_count++] = request;
    rrs_session_warn(recorder->session,
                     "ioctl %#lx of process %d is unknown: memory that its argument points to "
                     "by way of other pointers is not recorded",
                     (unsigned long)request, task->process->tgid);
}

static struct rrs_error *add_output(void *context, const struct rrs_memory_range *range)
{
    const struct outputs *outputs = context;
    if (range->certainty != RRS_RANGE_KNOWN)
        warn_of_guess(outputs->recorder, outputs->task);
    return rrs_recorder_add_memory(outputs->recorder, outputs->task, range->addr, range->bytes);
}

struct rrs_error *rrs_recorder_add_outputs(struct rrs_recorder *recorder,
                                           const struct rrs_task *task, int64_t result)
{
    const struct user_regs_struct *r = &task->call_regs;
    struct outputs outputs = {recorder, task};
    const struct rrs_memory_reader memory = {.read = read_memory, .context = &outputs};
    const struct rrs_syscall call = {
        .number = task->call,
        .args = {r->rdi, r->rsi, r->rdx, r->r10, r->r8, r->r9},
        .result = result,
    };
    return rrs_syscall_outputs(&call, &memory, add_output, &outputs);
}

/* What the recorder itself has to remember of a call. */
static void take_note(struct rrs_task *task, int64_t result)
{
    if (result < 0)
        return;
    if (task->call == SYS_set_tid_address)
        task->clear_child_tid = task->call_regs.rdi;
    if (task->call == SYS_set_robust_list)
        task->robust_list = task->call_regs.rdi;
}

static bool is_error(int64_t result)
{
    return result < 0 && result >= -4095;
}

static bool is_output(const struct rrs_recorder *recorder, int index, const struct stat *st)
{
    return recorder->output_open[index] && st->st_dev == recorder->outputs[index].st_dev &&
           st->st_ino == recorder->outputs[index].st_ino;
}

/* Which of the tracer's outputs the task's descriptor is: 1, 2, or 0. */
static int shown_on(const struct rrs_recorder *recorder, const struct rrs_task *task, int fd)
{
    char path[64];
    struct stat st;
    snprintf(path, sizeof path, "/proc/%d/fd/%d", task->tid, fd);
    if (stat(path, &st) < 0)
        return 0;
    int first = fd == STDERR_FILENO; /* both may be one file */
    for (int i = first; i < first + 2; i++)
        if (is_output(recorder, i % 2, &st))
            return STDOUT_FILENO + i % 2;
    return 0;
}

/* What the kernel moved from a file, which the program never had in memory. */
static struct rrs_error *add_copied(struct rrs_recorder *recorder, const struct rrs_task *task,
                                    int in, rrs_addr position_at, uint64_t bytes)
{
    char path[64];
    struct stat st;
    struct rrs_hash hash;
    uint64_t behind = rrs_file_position(task, in);
    if (position_at)
        RRS_TRY(rrs_tracee_read_all(task->tid, position_at, &behind, sizeof behind));
    snprintf(path, sizeof path, "/proc/%d/fd/%d", task->tid, in);
    if (stat(path, &st) < 0 || !S_ISREG(st.st_mode) || behind < bytes)
        return NULL;
    _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return NULL;
    RRS_TRY(rrs_blob_put_file(recorder->writer, fd, behind - bytes, bytes, &hash, NULL));
    rrs_body_put_copied(&recorder->body, bytes, &hash);
    return NULL;
}

/* A user who replays wants to see what the program showed, and not what went into files. */
static struct rrs_error *add_shown(struct rrs_recorder *recorder, const struct rrs_task *task,
                                   uint64_t result)
{
    const struct user_regs_struct *r = &task->call_regs;
    bool plain = task->call == SYS_write || task->call == SYS_writev;
    bool sendfile = task->call == SYS_sendfile;
    bool copy = task->call == SYS_copy_file_range || task->call == SYS_splice;
    int descriptor = copy ? (int)r->rdx : (int)r->rdi;
    int output = plain || sendfile || copy ? shown_on(recorder, task, descriptor) : 0;
    if (!output)
        return NULL;
    rrs_body_put_shown(&recorder->body, output);
    if (plain)
        return NULL;
    return sendfile ? add_copied(recorder, task, (int)r->rsi, r->rdx, result)
                    : add_copied(recorder, task, (int)r->rdi, r->rsi, result);
}

static struct rrs_error *add_effects(struct rrs_recorder *recorder, struct rrs_task *task,
                                     const struct user_regs_struct *after)
{
    int64_t result = (int64_t)after->rax;
    if (task->call == SYS_rt_sigreturn) {
        rrs_body_put_regs(&recorder->body, after, NULL);
        return rrs_recorder_add_xstate(recorder, task);
    }
    struct user_regs_struct expected = rrs_expected_after_call(&task->call_regs, result);
    expected.orig_rax = after->orig_rax;
    rrs_body_put_regs(&recorder->body, after, &expected);
    if (result > 0)
        RRS_TRY(add_shown(recorder, task, (uint64_t)result));
    if ((task->call == SYS_mmap || task->call == SYS_shmat) && !is_error(result))
        return rrs_recorder_add_mapping(recorder, task, after->rax);
    RRS_TRY(rrs_recorder_add_outputs(recorder, task, result));
    if (task->call == SYS_pkey_alloc && !is_error(result)) /* it has set the key's bits in PKRU */
        RRS_TRY(rrs_recorder_add_xstate(recorder, task));
    return is_error(result) ? NULL : rrs_recorder_add_written(recorder, task, result);
}

struct rrs_error *rrs_record_call_ends(void *context, struct rrs_task *task,
                                       const struct user_regs_struct *after)
{
    struct rrs_recorder *recorder = context;
    bool alone = recorder->opened == task && recorder->session->last_runner == task;
    bool at_once = alone || !task->begin_recorded;
    if (alone) /* else others have run, even if they had nothing to tell */
        recorder->opened = NULL;
    task->begin_recorded = false;
    RRS_TRY(rrs_recorder_begin(recorder, task, task->call_pc));
    rrs_recorder_add_call(recorder, task);
    rrs_body_put_result(&recorder->body, (int64_t)after->rax);
    add_inputs(recorder, task);
    RRS_TRY(add_effects(recorder, task, after));
    RRS_TRY(rrs_recorder_add_checksum(recorder, task, after));
    take_note(task, (int64_t)after->rax);
    return rrs_recorder_end(recorder, task, at_once ? RRS_EVENT_CALL : RRS_EVENT_CALL_EXIT);
}
