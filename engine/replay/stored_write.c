/* SPDX-License-Identifier: MIT */
/* A checkpoint of the hosts goes into the trace. */
#include "engine/replay/stored.h"

#include "engine/run/address_space.h"
#include "engine/tracee/maps.h"
#include "lmdb-store/scope.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { PAGE = RRS_CHECKPOINT_PAGE_BYTES };

struct rrs_checkpoint_place rrs_stored_place(const struct rrs_replayer *replayer)
{
    return (struct rrs_checkpoint_place){.tick = replayer->session.clock.ticks,
                                         .event = replayer->next ? replayer->next->number
                                                                 : replayer->last_event + 1};
}

/* --- numbers and bytes --- */

static void put(FILE *out, uint64_t value)
{
    uint8_t bytes[8];
    for (int i = 0; i < 8; i++)
        bytes[i] = (uint8_t)(value >> 8 * i);
    fwrite(bytes, sizeof bytes, 1, out);
}

static void put_bytes(FILE *out, const void *bytes, size_t size)
{
    put(out, size);
    fwrite(bytes, 1, size, out);
}

/* --- the payload --- */

static uint64_t base_index(uint32_t runtime)
{
    uint64_t i = 0;
    while (i < RRS_RUNTIME_BASES - 1 && rrs_runtime_bases[i] != runtime)
        i++;
    return i;
}

/* The first task of each space stands for it; spaces are numbered in that order. */
static bool is_first_of_space(const struct rrs_replayer *replayer,
                              const struct rrs_replay_task *task)
{
    const struct rrs_replay_task *first = replayer->tasks;
    while (first->space != task->space)
        first = first->next;
    return first == task;
}

static uint64_t space_number(const struct rrs_replayer *replayer,
                             const struct rrs_replay_space *space)
{
    uint64_t number = 0;
    for (const struct rrs_replay_task *task = replayer->tasks; task->space != space;
         task = task->next)
        number += is_first_of_space(replayer, task);
    return number;
}

static void put_head(FILE *out, const struct rrs_replayer *replayer)
{
    put(out, RRS_STORED_VERSION);
    put(out, replayer->current ? (uint64_t)replayer->current->tid : 0);
    put(out, (uint64_t)replayer->root);
    put(out, (uint64_t)replayer->exit_status);
    put(out, replayer->stopped);
    put(out, replayer->stop.stop_kind);
    put(out, replayer->stop.trapped_op);
    put_bytes(out, &replayer->stop.info, sizeof replayer->stop.info);
}

static void put_shared(FILE *out, const struct rrs_contents *contents)
{
    uint64_t count = 0;
    for (size_t i = 0; i < contents->count; i++)
        count += contents->files[i].shared;
    put(out, count);
    for (size_t i = 0; i < contents->count; i++) {
        if (!contents->files[i].shared)
            continue;
        put(out, contents->files[i].identity);
        put(out, contents->files[i].bytes);
    }
}

static void put_task(FILE *out, const struct rrs_replayer *replayer,
                     const struct rrs_replay_task *task)
{
    const struct rrs_task *host = task->task;
    put(out, (uint64_t)task->tid);
    put(out, (uint64_t)task->tgid);
    put(out, (uint64_t)task->creator);
    put(out, space_number(replayer, task->space));
    put(out, base_index(host->space->runtime));
    put(out, (uint64_t)(task->at_call | task->at_insn << 1 | task->ends << 2 | task->in_call << 3 |
                        host->at_safe_point << 4));
    put(out, (uint64_t)(int64_t)host->call);
    put(out, host->call_pc);
    put(out, host->ticks);
    put_bytes(out, &host->regs, sizeof host->regs);
    put_bytes(out, &host->call_regs, sizeof host->call_regs);
    put_bytes(out, &task->last_signal, sizeof task->last_signal);
    put_bytes(out, task->xstate, task->xstate_bytes);
}

static struct rrs_error *put_tasks(FILE *out, struct rrs_replayer *replayer)
{
    uint64_t count = 0;
    for (const struct rrs_replay_task *task = replayer->tasks; task; task = task->next)
        count++;
    put(out, count);
    for (const struct rrs_replay_task *task = replayer->tasks; task; task = task->next) {
        RRS_TRY(rrs_replay_unload(task->space));
        put_task(out, replayer, task);
    }
    return NULL;
}

static void put_mapping(FILE *out, const struct rrs_map_entry *entry, rrs_addr grown)
{
    put(out, entry->start);
    put(out, entry->end);
    put(out, (uint64_t)entry->prot);
    put(out,
        (uint64_t)(entry->shared | entry->grows_down << 1 | (entry->source == RRS_MAP_FILE) << 2));
    put(out, entry->on_fork);
    put(out, entry->identity);
    put(out, entry->file_offset);
    put(out, entry->blob_offset);
    put(out, entry->blob_bytes);
    put_bytes(out, &entry->blob, sizeof entry->blob);
    put_bytes(out, entry->path, strlen(entry->path));
    put(out, grown);
}

/* --- memory --- */

struct growth {
    rrs_addr entry_start, lowest;
};

static bool visit_growth(void *context, const struct rrs_mapping *mapping)
{
    struct growth *growth = context;
    if (mapping->start <= growth->entry_start && mapping->end > growth->entry_start)
        growth->lowest = mapping->start;
    return mapping->end <= growth->entry_start;
}

/* How far down a stack has grown below where the trace has mapped it. */
static struct rrs_error *find_growth(const struct rrs_replay_space *space, size_t index,
                                     rrs_addr *lowest)
{
    const struct rrs_map_entry *entry = &space->maps.entries[index];
    rrs_addr below = index ? space->maps.entries[index - 1].end : 0;
    struct growth growth = {entry->start, entry->start};
    *lowest = entry->start;
    if (!entry->grows_down)
        return NULL;
    RRS_TRY(rrs_maps_visit(space->host, visit_growth, &growth));
    *lowest = growth.lowest > below ? growth.lowest : below;
    return NULL;
}

static struct rrs_error *put_space(FILE *out, const struct rrs_replay_space *space)
{
    put(out, space->brk_start);
    put(out, space->brk);
    put(out, space->auxv);
    put(out, space->auxv_bytes);
    put_bytes(out, space->program ? space->program : "",
              space->program ? strlen(space->program) : 0);
    put(out, space->maps.count);
    for (size_t i = 0; i < space->maps.count; i++) {
        rrs_addr lowest;
        RRS_TRY(find_growth(space, i, &lowest));
        put_mapping(out, &space->maps.entries[i], lowest);
    }
    return NULL;
}

struct page_writer {
    struct rrs_checkpoint_builder *builder;
    const struct rrs_replay_space *space;
    uint32_t number;
    int pagemap_fd;
};

static struct rrs_error *write_page(const struct page_writer *w, rrs_addr address)
{
    uint8_t content[PAGE];
    if (pread(w->space->memory_fd, content, PAGE, (off_t)address) != PAGE)
        return rrs_error_os(errno, NULL, "reading a page at %#lx", (unsigned long)address);
    return rrs_checkpoint_builder_put_page(w->builder, w->number, address, content);
}

/* Pages that are no longer what is mapped: Linux Documentation/admin-guide/mm/pagemap.rst. */
static bool is_own_page(uint64_t entry)
{
    const uint64_t present = 1ull << 63, swapped = 1ull << 62, of_file = 1ull << 61;
    return entry & swapped || (entry & present && !(entry & of_file));
}

static struct rrs_error *write_pages(const struct page_writer *w, rrs_addr start, rrs_addr end)
{
    enum { AT_ONCE = 8192 };
    _cleanup_free_ uint64_t *entries = malloc(AT_ONCE * sizeof *entries);
    if (!entries)
        return rrs_error_no_memory();
    while (start < end) {
        size_t count = (end - start) / PAGE < AT_ONCE ? (end - start) / PAGE : AT_ONCE;
        if (pread(w->pagemap_fd, entries, count * 8, (off_t)(start / PAGE * 8)) !=
            (ssize_t)(count * 8))
            return rrs_error_os(errno, NULL, "reading which pages are in use");
        for (size_t i = 0; i < count; i++)
            if (is_own_page(entries[i]))
                RRS_TRY(write_page(w, start + i * PAGE));
        start += count * PAGE;
    }
    return NULL;
}

static struct rrs_error *write_space(struct rrs_checkpoint_builder *builder, uint32_t number,
                                     const struct rrs_replay_space *space)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/pagemap", space->host);
    _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return rrs_error_os(errno, path, "cannot open");
    const struct page_writer w = {builder, space, number, fd};
    for (size_t i = 0; i < space->maps.count; i++) {
        rrs_addr lowest;
        RRS_TRY(find_growth(space, i, &lowest));
        if (!space->maps.entries[i].shared)
            RRS_TRY(write_pages(&w, lowest, space->maps.entries[i].end));
    }
    return NULL;
}

/* Holes stay holes. */
static struct rrs_error *write_shared(struct rrs_checkpoint_builder *builder, uint32_t number,
                                      const struct rrs_content_file *file)
{
    uint8_t content[PAGE];
    for (off_t at = 0, end; (at = lseek(file->fd, at, SEEK_DATA)) >= 0; at = end) {
        end = lseek(file->fd, at, SEEK_HOLE);
        for (off_t page = at / PAGE * PAGE; page < end; page += PAGE) {
            memset(content, 0, sizeof content);
            if (pread(file->fd, content, PAGE, page) <= 0)
                return rrs_error_os(errno, NULL, "reading shared memory");
            RRS_TRY(rrs_checkpoint_builder_put_page(builder, number, (uint64_t)page, content));
        }
    }
    return NULL;
}

static struct rrs_error *write_memory(const struct rrs_replayer *replayer,
                                      struct rrs_checkpoint_builder *builder)
{
    uint32_t number = 0, shared = RRS_STORED_SHARED;
    for (const struct rrs_replay_task *task = replayer->tasks; task; task = task->next)
        if (is_first_of_space(replayer, task))
            RRS_TRY(write_space(builder, number++, task->space));
    for (size_t i = 0; i < replayer->contents.count; i++)
        if (replayer->contents.files[i].shared)
            RRS_TRY(write_shared(builder, shared++, &replayer->contents.files[i]));
    return NULL;
}

/* --- all of it --- */

static struct rrs_error *make_payload(struct rrs_replayer *replayer, FILE *out)
{
    put_head(out, replayer);
    put_shared(out, &replayer->contents);
    RRS_TRY(put_tasks(out, replayer));
    for (const struct rrs_replay_task *task = replayer->tasks; task; task = task->next)
        if (is_first_of_space(replayer, task))
            RRS_TRY(put_space(out, task->space));
    return NULL;
}

struct rrs_error *rrs_stored_write(struct rrs_replayer *replayer, struct rrs_trace_writer *writer,
                                   const struct rrs_checkpoint_place *place)
{
    struct rrs_checkpoint_builder *builder;
    _cleanup_free_ char *payload = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&payload, &size);
    if (!out)
        return rrs_error_no_memory();
    struct rrs_error *error = make_payload(replayer, out);
    if (fclose(out) != 0 && !error)
        error = rrs_error_no_memory();
    if (error)
        return error;
    RRS_TRY(rrs_checkpoint_builder_create(writer, NULL, &builder));
    error = write_memory(replayer, builder);
    if (!error)
        error = rrs_checkpoint_builder_finish(builder, place, payload, size);
    rrs_checkpoint_builder_destroy(builder);
    return error;
}
