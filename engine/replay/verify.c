/* SPDX-License-Identifier: MIT */
/* Comparing with the checksums of a recording that was made with them. */
#include "engine/events/checksum.h"
#include "engine/replay/replayer.h"

#include <stdio.h>
#include <unistd.h>

/* "; what event 17 wrote was guessed", if that may be why. */
static const char *suspicion(const struct rrs_replayer *replayer, char *buffer, size_t bytes)
{
    buffer[0] = 0;
    if (replayer->guessed_event)
        snprintf(buffer, bytes, "; what the system call of event %lu wrote is not known for sure",
                 (unsigned long)replayer->guessed_event);
    return buffer;
}

static struct rrs_error *compare_registers(struct rrs_replayer *replayer,
                                           struct rrs_replay_task *task,
                                           const struct rrs_checksum_head *head)
{
    struct rrs_checksum_head here = {0};
    char why[128];
    RRS_TRY(rrs_replay_unload(task->space));
    rrs_checksum_fill(&here, &task->task->regs, task->xstate, task->xstate_bytes);
    for (int i = 0; i < RRS_CHECKSUM_REGISTERS; i++)
        if (here.registers[i] != head->registers[i])
            return rrs_replay_diverged(replayer, "behind it %s is %#lx, and was %#lx%s",
                                       rrs_checksum_register_name(i),
                                       (unsigned long)here.registers[i],
                                       (unsigned long)head->registers[i],
                                       suspicion(replayer, why, sizeof why));
    if (head->vectors && task->xstate_bytes && here.vectors != head->vectors)
        return rrs_replay_diverged(replayer, "behind it the vector registers differ%s",
                                   suspicion(replayer, why, sizeof why));
    return NULL;
}

static struct rrs_error *page_differs(const struct rrs_replayer *replayer,
                                      const struct rrs_replay_space *space, rrs_addr page)
{
    char why[128];
    const struct rrs_map_entry *entry = rrs_map_list_at(&space->maps, page);
    const char *name = entry ? entry->path : "";
    return rrs_replay_diverged(replayer, "behind it the memory page at %#lx%s%s differs%s",
                               (unsigned long)page, *name ? " of " : "", name,
                               suspicion(replayer, why, sizeof why));
}

/* Pages that lie side by side are read at once. */
static struct rrs_error *compare_run(const struct rrs_replayer *replayer,
                                     const struct rrs_replay_space *space, size_t first,
                                     size_t count, uint8_t *buffer)
{
    const struct rrs_page_sum *sums = space->sums.items + first;
    ssize_t bytes = pread(space->memory_fd, buffer, count * RRS_PAGE_BYTES, (off_t)sums->address);
    size_t read = bytes > 0 ? (size_t)bytes / RRS_PAGE_BYTES : 0;
    for (size_t i = 0; i < count; i++)
        if (i >= read || rrs_page_hash(buffer + i * RRS_PAGE_BYTES) != sums[i].hash)
            return page_differs(replayer, space, sums[i].address);
    return NULL;
}

static struct rrs_error *compare_memory(const struct rrs_replayer *replayer,
                                        const struct rrs_replay_space *space)
{
    enum { MOST = 16 };
    uint8_t buffer[MOST * RRS_PAGE_BYTES];
    const struct rrs_page_sums *sums = &space->sums;
    for (size_t at = 0, count; at < sums->count; at += count) {
        for (count = 1; count < MOST && at + count < sums->count; count++)
            if (sums->items[at + count].address != sums->items[at].address + count * RRS_PAGE_BYTES)
                break;
        RRS_TRY(compare_run(replayer, space, at, count, buffer));
    }
    return NULL;
}

struct rrs_error *rrs_replay_verify(struct rrs_replayer *replayer)
{
    const struct rrs_event *event = replayer->next;
    struct rrs_checksum_head head;
    struct rrs_page_sums changes = {0};
    struct rrs_item item;
    struct rrs_replay_task *task = rrs_replay_find_task(replayer, event->task);
    if (!task || !rrs_item_find(event->data, event->size_bytes, RRS_ITEM_CHECKSUM, &item))
        return NULL;
    bool sound = rrs_checksum_read(&item, &head, &changes);
    if (sound && head.flags & RRS_CHECKSUM_FORGET)
        task->space->sums.count = 0;
    if (sound && head.flags & RRS_CHECKSUM_GUESSED)
        replayer->guessed_event = event->number;
    struct rrs_error *error = sound ? rrs_page_sums_apply(&task->space->sums, &changes)
                                    : rrs_error_create(RRS_ERROR_BAD_TRACE,
                                                       "event %lu has a malformed checksum",
                                                       (unsigned long)event->number);
    rrs_page_sums_deinit(&changes);
    RRS_TRY(error);
    RRS_TRY(compare_registers(replayer, task, &head));
    return compare_memory(replayer, task->space);
}
