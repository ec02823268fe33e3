/* SPDX-License-Identifier: MIT */
/*
 * What the kernel writes when a task ends: 0 where its thread library waits for that, and the words
 * of its futexes that are robust or have priority inheritance.
 *
 * Memory that other tasks of its address space show is read afterwards. Of a process that ends as a
 * whole, words may lie in memory that it shares with others; where they are is known only before,
 * and what the kernel makes of them is known (Linux v6.1 kernel/futex/core.c handle_futex_death()).
 */
#include "engine/record/recorder.h"
#include "engine/run/pi_futex.h"

#include <linux/futex.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/syscall.h>

static struct rrs_task *sharer(const struct rrs_recorder *recorder, const struct rrs_task *task)
{
    struct rrs_task *other = recorder->session->tasks;
    while (other && (other == task || other->dead || other->space != task->space))
        other = other->next;
    return other;
}

/* --- robust futexes --- */

typedef struct rrs_error *word_visitor(struct rrs_recorder *recorder, const struct rrs_task *task,
                                       const struct rrs_task *reader, rrs_addr word);

/* Linux v6.1 kernel/futex/core.c exit_robust_list(); read through the memory of `reader`. */
static struct rrs_error *visit_robust(struct rrs_recorder *recorder, const struct rrs_task *task,
                                      const struct rrs_task *reader, word_visitor *visit)
{
    enum { MOST = 2048 }; /* ROBUST_LIST_LIMIT */
    struct robust_list_head head;
    rrs_addr list = task->robust_list;
    if (!list || rrs_tracee_read(reader->tid, list, &head, sizeof head) != sizeof head)
        return NULL;
    rrs_addr entry = (rrs_addr)(uintptr_t)head.list.next & ~1ull;
    for (int i = 0; i < MOST && entry && entry != list; i++) {
        RRS_TRY(visit(recorder, task, reader, entry + (uint64_t)head.futex_offset));
        uint64_t next;
        if (rrs_tracee_read(reader->tid, entry, &next, sizeof next) != sizeof next)
            return NULL;
        entry = next & ~1ull;
    }
    rrs_addr pending = (rrs_addr)(uintptr_t)head.list_op_pending & ~1ull;
    return pending ? visit(recorder, task, reader, pending + (uint64_t)head.futex_offset) : NULL;
}

static struct rrs_error *add_word(struct rrs_recorder *recorder, const struct rrs_task *task,
                                  const struct rrs_task *reader, rrs_addr word)
{
    (void)task;
    return rrs_recorder_add_memory(recorder, reader, word, sizeof(uint32_t));
}

static struct rrs_error *note_word(struct rrs_recorder *recorder, const struct rrs_task *task,
                                   const struct rrs_task *reader, rrs_addr word)
{
    struct rrs_held_word held = {task->tid, word, 0};
    if (rrs_tracee_read(reader->tid, word, &held.value, sizeof held.value) != sizeof held.value)
        return NULL;
    if (recorder->word_count == recorder->word_room) {
        size_t room = recorder->word_room ? recorder->word_room * 2 : 16;
        void *moved = realloc(recorder->words, room * sizeof *recorder->words);
        if (!moved)
            return rrs_error_no_memory();
        recorder->words = moved;
        recorder->word_room = room;
    }
    recorder->words[recorder->word_count++] = held;
    return NULL;
}

static void forget_words(struct rrs_recorder *recorder, pid_t tid)
{
    size_t kept = 0;
    for (size_t i = 0; i < recorder->word_count; i++)
        if (recorder->words[i].tid != tid)
            recorder->words[kept++] = recorder->words[i];
    recorder->word_count = kept;
}

struct rrs_error *rrs_recorder_note_words(struct rrs_recorder *recorder,
                                          const struct rrs_process *process)
{
    for (struct rrs_task *task = recorder->session->tasks; task; task = task->next) {
        if (!task->robust_list || task->dead || (process && task->process != process))
            continue;
        forget_words(recorder, task->tid);
        RRS_TRY(visit_robust(recorder, task, task, note_word));
    }
    return NULL;
}

struct rrs_error *rrs_record_call_may_end(void *context, struct rrs_task *task)
{
    const struct user_regs_struct *r = &task->call_regs;
    bool exits = task->call == SYS_exit || task->call == SYS_exit_group;
    bool by_thread = task->call == SYS_tgkill || task->call == SYS_rt_tgsigqueueinfo;
    if (!exits && (by_thread ? r->rdx : r->rsi) != SIGKILL)
        return NULL;
    return rrs_recorder_note_words(context, exits ? task->process : NULL);
}

static void add_predicted_words(struct rrs_recorder *recorder, const struct rrs_task *task)
{
    for (size_t i = 0; i < recorder->word_count; i++) {
        const struct rrs_held_word *held = &recorder->words[i];
        uint32_t value = (held->value & FUTEX_WAITERS) | FUTEX_OWNER_DIED;
        if (held->tid == task->tid && (held->value & FUTEX_TID_MASK) == (uint32_t)task->tid)
            rrs_body_put_write(&recorder->body, held->address, &value, sizeof value);
    }
    forget_words(recorder, task->tid);
}

/* --- all of it --- */

/* What it held of futexes with priority inheritance goes to who waits. */
static struct rrs_error *add_awaited_words(struct rrs_recorder *recorder,
                                           const struct rrs_task *task)
{
    for (struct rrs_task *other = recorder->session->tasks; other; other = other->next) {
        bool waits = other != task && other->space == task->space && other->in_call;
        rrs_addr word = waits ? rrs_pi_futex_word(other) : 0;
        if (word)
            RRS_TRY(rrs_recorder_add_memory(recorder, other, word, sizeof(uint32_t)));
    }
    return NULL;
}

struct rrs_error *rrs_recorder_add_exit_writes(struct rrs_recorder *recorder,
                                               const struct rrs_task *task)
{
    const struct rrs_task *other = sharer(recorder, task);
    add_predicted_words(recorder, task);
    if (!other)
        return NULL;
    RRS_TRY(visit_robust(recorder, task, other, add_word));
    RRS_TRY(add_awaited_words(recorder, task));
    if (!task->clear_child_tid)
        return NULL;
    return rrs_recorder_add_memory(recorder, other, task->clear_child_tid, sizeof(pid_t));
}
