/* SPDX-License-Identifier: MIT */
#include "engine/record/recorder.h"

#include "engine/arch/x86_64/features.h"
#include "engine/record/checksum.h"
#include "engine/record/files.h"
#include "engine/run/state.h"
#include "lmdb-store/blob.h"
#include "lmdb-store/clock.h"
#include "lmdb-store/event_log_writer.h"

#include <errno.h>
#include <linux/sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/* --- events --- */

static struct rrs_event make_event(const struct rrs_recorder *recorder, const struct rrs_task *task,
                                   enum rrs_event_kind kind)
{
    return (struct rrs_event){
        .tick = recorder->session->clock.ticks,
        .wall_ns = rrs_clock_ns(CLOCK_REALTIME),
        .task = task->tid,
        .event_kind = (uint16_t)kind,
    };
}

static struct rrs_error *append(struct rrs_recorder *recorder, struct rrs_event event,
                                const struct rrs_body *body)
{
    event.size_bytes = (uint32_t)body->size;
    event.data = body->bytes;
    recorder->events++;
    recorder->last_task = event.task;
    recorder->last_tick = event.tick;
    return rrs_event_log_append(recorder->writer, &event);
}

void rrs_recorder_hold_back(struct rrs_recorder *recorder, struct rrs_task *task)
{
    struct rrs_body swap = recorder->opened_body;
    recorder->opened_body = recorder->body;
    recorder->body = swap;
    recorder->opened = task;
    recorder->opened_event = make_event(recorder, task, RRS_EVENT_CALL_ENTER);
}

static struct rrs_error *write_opened(struct rrs_recorder *recorder)
{
    if (!recorder->opened)
        return NULL;
    recorder->opened = NULL;
    return append(recorder, recorder->opened_event, &recorder->opened_body);
}

static struct rrs_error *write_place(struct rrs_recorder *recorder, const struct rrs_task *task)
{
    rrs_body_clear(&recorder->body);
    rrs_body_put_pc(&recorder->body, task->regs.rip);
    if (!task->at_safe_point)
        rrs_body_put_action(&recorder->body, RRS_PREEMPT_ANYWHERE);
    if (task->state == RRS_TASK_READY)
        RRS_TRY(rrs_recorder_add_checksum(recorder, task, &task->regs));
    return append(recorder, make_event(recorder, task, RRS_EVENT_PREEMPT), &recorder->body);
}

/* What befalls `task` comes behind all that another one has done by now, the last runner. */
static struct rrs_error *write_progress(struct rrs_recorder *recorder, const struct rrs_task *task)
{
    const struct rrs_session *session = recorder->session;
    const struct rrs_task *ran = session->last_runner;
    bool known = !ran || ran == task || ran->state != RRS_TASK_READY ||
                 (recorder->last_task == ran->tid && recorder->last_tick == session->clock.ticks);
    return known ? NULL : write_place(recorder, ran);
}

/* Another task's place comes first, as long as memory is what it saw. */
static struct rrs_error *record_memory_changes(void *context, struct rrs_task *task)
{
    struct rrs_recorder *recorder = context;
    if (recorder->session->last_runner == task)
        return NULL;
    RRS_TRY(write_opened(recorder));
    return write_progress(recorder, task);
}

struct rrs_error *rrs_recorder_begin(struct rrs_recorder *recorder, const struct rrs_task *task,
                                     rrs_addr pc)
{
    RRS_TRY(write_opened(recorder));
    RRS_TRY(write_progress(recorder, task));
    rrs_body_clear(&recorder->body);
    rrs_body_put_pc(&recorder->body, pc);
    recorder->guessed = false;
    return NULL;
}

struct rrs_error *rrs_recorder_end(struct rrs_recorder *recorder, const struct rrs_task *task,
                                   enum rrs_event_kind kind)
{
    return append(recorder, make_event(recorder, task, kind), &recorder->body);
}

struct rrs_error *rrs_recorder_add_bytes(struct rrs_recorder *recorder, rrs_addr address,
                                         const void *bytes, uint64_t size)
{
    enum { INLINE_MAX = 16384, BODY_MAX = 512 << 10 };
    if (!size)
        return NULL;
    if (size <= INLINE_MAX && recorder->body.size < BODY_MAX) {
        rrs_body_put_write(&recorder->body, address, bytes, size);
        return NULL;
    }
    struct rrs_hash hash;
    RRS_TRY(rrs_blob_put(recorder->writer, bytes, size, &hash));
    rrs_body_put_blob(&recorder->body, address, size, &hash);
    return NULL;
}

struct rrs_error *rrs_recorder_add_memory(struct rrs_recorder *recorder,
                                          const struct rrs_task *task, rrs_addr address,
                                          uint64_t size)
{
    enum { PIECE = 4 << 20 };
    uint8_t small[4096];
    if (size <= sizeof small)
        return rrs_recorder_add_bytes(recorder, address, small,
                                      rrs_tracee_read(task->tid, address, small, size));
    uint8_t *bytes = malloc(size < PIECE ? size : PIECE);
    struct rrs_error *error = bytes ? NULL : rrs_error_no_memory();
    while (size && !error) {
        size_t piece = size < PIECE ? size : PIECE;
        size_t count = rrs_tracee_read(task->tid, address, bytes, piece);
        error = rrs_recorder_add_bytes(recorder, address, bytes, count);
        address += count;
        size = count < piece ? 0 : size - count;
    }
    free(bytes);
    return error;
}

struct rrs_error *rrs_recorder_add_xstate(struct rrs_recorder *recorder,
                                          const struct rrs_task *task)
{
    uint8_t image[RRS_XSTATE_MAX_BYTES];
    size_t bytes;
    RRS_TRY(rrs_ptrace_get_xstate(task->tid, image, sizeof image, &bytes));
    rrs_body_put_bytes(&recorder->body, RRS_ITEM_XSTATE, image, bytes);
    return NULL;
}

/* --- what the session tells --- */

static struct rrs_error *record_exec(void *context, struct rrs_task *task)
{
    struct rrs_recorder *recorder = context;
    task->clear_child_tid = task->robust_list = 0;
    task->begin_recorded = false; /* another thread may have loaded the program for it */
    RRS_TRY(rrs_recorder_begin(recorder, task, task->regs.rip));
    rrs_body_put_task(&recorder->body, task->process->tgid, task->process->parent, 0);
    rrs_body_put_regs(&recorder->body, &task->regs, NULL);
    RRS_TRY(rrs_recorder_add_xstate(recorder, task));
    RRS_TRY(rrs_recorder_add_image(recorder, task));
    RRS_TRY(rrs_recorder_add_checksum(recorder, task, &task->regs));
    return rrs_recorder_end(recorder, task, RRS_EVENT_EXEC);
}

static struct rrs_error *record_insn(void *context, struct rrs_task *task,
                                     const struct user_regs_struct *before,
                                     const struct user_regs_struct *after)
{
    struct rrs_recorder *recorder = context;
    struct user_regs_struct expected = *before;
    expected.orig_rax = after->orig_rax;
    RRS_TRY(rrs_recorder_begin(recorder, task, before->rip));
    rrs_body_put_regs(&recorder->body, after, &expected);
    RRS_TRY(rrs_recorder_add_checksum(recorder, task, after));
    return rrs_recorder_end(recorder, task, RRS_EVENT_INSN);
}

/* The kernel's frame: from the new stack pointer to where the interrupted stack, or the alternate
 * one, begins. */
static uint64_t frame_bytes(const struct rrs_task *task, const struct user_regs_struct *before)
{
    enum { MOST = 65536, RED_ZONE = 128 };
    rrs_addr from = task->regs.rsp;
    rrs_addr alternate_end = task->alternate_stack + task->alternate_stack_bytes;
    bool switched = from >= task->alternate_stack && from < alternate_end &&
                    !(before->rsp > task->alternate_stack && before->rsp <= alternate_end);
    rrs_addr to = switched ? alternate_end : before->rsp - RED_ZONE;
    return to > from && to - from < MOST ? to - from : MOST;
}

static struct rrs_error *record_signal(void *context, struct rrs_task *task, const siginfo_t *info,
                                       const struct user_regs_struct *before, bool caught)
{
    struct rrs_recorder *recorder = context;
    bool raised = rrs_signal_is_raised(info);
    RRS_TRY(rrs_recorder_begin(recorder, task, before->rip));
    rrs_body_put_bytes(&recorder->body, RRS_ITEM_SIGINFO, info, sizeof *info);
    rrs_body_put_action(&recorder->body, (uint32_t)(caught ? RRS_SIGNAL_HANDLED : RRS_SIGNAL_ENDS) |
                                             (raised ? RRS_SIGNAL_RAISED : 0));
    if (!caught)
        RRS_TRY(rrs_recorder_note_words(recorder, task->process));
    if (task->begin_recorded) { /* it cut a call short */
        task->begin_recorded = false;
        RRS_TRY(rrs_recorder_add_outputs(recorder, task, -EINTR));
    }
    if (caught) {
        rrs_body_put_regs(&recorder->body, &task->regs, NULL);
        RRS_TRY(rrs_recorder_add_xstate(recorder, task));
        RRS_TRY(rrs_recorder_add_memory(recorder, task, task->regs.rsp, frame_bytes(task, before)));
        RRS_TRY(rrs_recorder_add_checksum(recorder, task, &task->regs));
    }
    return rrs_recorder_end(recorder, task, RRS_EVENT_SIGNAL);
}

static struct rrs_error *record_preempt(void *context, struct rrs_task *task)
{
    struct rrs_recorder *recorder = context;
    RRS_TRY(write_opened(recorder));
    return write_place(recorder, task);
}

static struct rrs_error *clone_arguments(const struct rrs_task *creator, struct clone_args *args)
{
    *args = (struct clone_args){0};
    if (creator->call == SYS_clone) {
        args->flags = creator->call_regs.rdi;
        args->child_tid = creator->call_regs.r10;
        return NULL;
    }
    if (creator->call != SYS_clone3)
        return NULL;
    size_t size = creator->call_regs.rsi < sizeof *args ? creator->call_regs.rsi : sizeof *args;
    return rrs_tracee_read_all(creator->tid, creator->call_regs.rdi, args, size);
}

static struct rrs_error *record_task_begins(void *context, struct rrs_task *creator,
                                            struct rrs_task *task, uint64_t clone_flags)
{
    struct rrs_recorder *recorder = context;
    struct clone_args args;
    RRS_TRY(clone_arguments(creator, &args));
    if (clone_flags & CLONE_CHILD_CLEARTID)
        task->clear_child_tid = args.child_tid;
    RRS_TRY(rrs_recorder_begin(recorder, task, task->regs.rip));
    rrs_body_put_task(&recorder->body, task->process->tgid, creator->tid, clone_flags);
    rrs_body_put_regs(&recorder->body, &task->regs, NULL);
    if (clone_flags & CLONE_CHILD_SETTID)
        RRS_TRY(rrs_recorder_add_memory(recorder, task, args.child_tid, sizeof(pid_t)));
    if (!(clone_flags & CLONE_VM)) /* else what its creator's call writes is there already */
        RRS_TRY(rrs_recorder_add_checksum(recorder, task, &task->regs));
    return rrs_recorder_end(recorder, task, RRS_EVENT_TASK_NEW);
}

/* --- the end of a task --- */

static struct rrs_error *record_task_ends(void *context, struct rrs_task *task, int status)
{
    struct rrs_recorder *recorder = context;
    bool in_call = task->in_call && !task->begin_recorded; /* it ended by this call */
    RRS_TRY(rrs_recorder_begin(recorder, task, in_call ? task->call_pc : 0));
    rrs_body_put_status(&recorder->body, status);
    if (in_call)
        rrs_recorder_add_call(recorder, task);
    RRS_TRY(rrs_recorder_add_exit_writes(recorder, task));
    return rrs_recorder_end(recorder, task, RRS_EVENT_TASK_END);
}

/* --- beginning and end --- */

/* The CPU as the program will see it. */
static struct rrs_error *record_cpu(struct rrs_recorder *recorder)
{
    struct rrs_cpu cpu;
    uint8_t bytes[RRS_CPU_BYTES];
    rrs_cpu_describe(recorder->session->options.cpu_level, &cpu);
    rrs_cpu_encode(&cpu, bytes);
    return rrs_trace_writer_put_extra(recorder->writer, rrs_cpu_record, bytes, sizeof bytes);
}

struct rrs_error *rrs_recorder_init(struct rrs_recorder *recorder, struct rrs_session *session,
                                    struct rrs_trace_writer *writer, bool checksums)
{
    *recorder = (struct rrs_recorder){
        .session = session,
        .writer = writer,
        .next_identity = 1,
        .inner =
            {
                .context = recorder,
                .exec = record_exec,
                .call_begins = rrs_record_call_begins,
                .memory_changes = record_memory_changes,
                .call_ends = rrs_record_call_ends,
                .insn = record_insn,
                .signal = record_signal,
                .preempt = record_preempt,
                .task_begins = record_task_begins,
                .call_may_end = rrs_record_call_may_end,
                .task_ends = record_task_ends,
            },
    };
    for (int i = 0; i < 2; i++)
        recorder->output_open[i] = !fstat(STDOUT_FILENO + i, &recorder->outputs[i]);
    RRS_TRY(rrs_recorded_files_create(&recorder->files));
    RRS_TRY(record_cpu(recorder));
    if (checksums)
        RRS_TRY(rrs_recorded_sums_create(&recorder->sums));
    rrs_recorder_guard(recorder);
    session->observer = &recorder->observer;
    return NULL;
}

void rrs_recorder_deinit(struct rrs_recorder *recorder)
{
    rrs_recorded_files_destroy(recorder->files);
    rrs_recorded_sums_destroy(recorder->sums);
    free(recorder->words);
    rrs_error_destroy(recorder->failure);
    rrs_body_deinit(&recorder->body);
    rrs_body_deinit(&recorder->opened_body);
}

struct rrs_error *rrs_recorder_name_kinds(struct rrs_metadata *metadata)
{
    static const char *const names[] = {
#define X(name, text, meaning) text,
        RRS_EVENT_KINDS(X)
#undef X
    };
    return rrs_string_list_set(&metadata->event_kinds, names, RRS_EVENT_KIND_COUNT);
}
