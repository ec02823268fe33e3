/* SPDX-License-Identifier: MIT */
#include "engine/run/writable.h"

#include "engine/run/address_space.h"
#include "engine/tracee/maps.h"

#include <assert.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>

enum { PAGE = 4096 };

void rrs_writable_deinit(struct rrs_writable *writable)
{
    free(writable->ranges);
    *writable = (struct rrs_writable){0};
}

void rrs_writable_note_call(struct rrs_task *task, int number)
{
    switch (number) {
    case SYS_mmap:
    case SYS_munmap:
    case SYS_mremap:
    case SYS_mprotect:
    case SYS_pkey_mprotect:
    case SYS_brk:
    case SYS_shmat:
    case SYS_shmdt:
    case SYS_remap_file_pages:
        task->space->writable.known = false;
        return;
    default:
        return;
    }
}

static void append(struct rrs_writable *writable, const struct rrs_writable_range *range)
{
    struct rrs_writable_range *last =
        writable->count ? &writable->ranges[writable->count - 1] : NULL;
    if (last && last->end == range->start && last->of_file == range->of_file) {
        last->end = range->end;
        return;
    }
    if (writable->count == writable->room) {
        writable->room = writable->room ? writable->room * 2 : 64;
        writable->ranges = realloc(writable->ranges, writable->room * sizeof *writable->ranges);
        assert(writable->ranges && "out of memory for a list of mappings");
    }
    writable->ranges[writable->count++] = *range;
}

/* Pages that are read-only because translated code came from them are writable to the program. */
static void append_guarded(struct rrs_address_space *space, const struct rrs_mapping *mapping)
{
    for (uint32_t i = 0; space->guarded_count && i < space->page_count; i++) {
        rrs_addr address = space->pages[i].address;
        struct rrs_writable_range range = {address, address + PAGE, mapping->inode != 0};
        if (space->pages[i].guarded && address >= mapping->start && address < mapping->end)
            append(&space->writable, &range);
    }
}

static bool visit_mapping(void *context, const struct rrs_mapping *mapping)
{
    struct rrs_address_space *space = context;
    struct rrs_writable_range range = {mapping->start, mapping->end, mapping->inode != 0};
    if (mapping->prot & PROT_WRITE)
        append(&space->writable, &range);
    else
        append_guarded(space, mapping);
    return true;
}

static void look(struct rrs_task *task)
{
    struct rrs_writable *writable = &task->space->writable;
    writable->count = 0;
    struct rrs_error *error = rrs_maps_visit(task->tid, visit_mapping, task->space);
    writable->known = !error;
    rrs_error_destroy(error);
}

/* The range that holds `address`, or NULL. */
static const struct rrs_writable_range *find(const struct rrs_writable *writable, rrs_addr address)
{
    size_t low = 0, high = writable->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (writable->ranges[middle].end <= address)
            low = middle + 1;
        else
            high = middle;
    }
    bool found = low < writable->count && writable->ranges[low].start <= address;
    return found ? &writable->ranges[low] : NULL;
}

/* What can be read there exists. */
static bool pages_exist(const struct rrs_task *task, rrs_addr start, rrs_addr end)
{
    enum { PAGES_MAX = 1024 };
    char byte;
    if (end - start > (rrs_addr)PAGES_MAX * PAGE)
        return false;
    for (rrs_addr at = start; at < end; at = (at & ~(rrs_addr)(PAGE - 1)) + PAGE)
        if (!rrs_tracee_read(task->tid, at, &byte, 1))
            return false;
    return true;
}

static bool is_covered(const struct rrs_task *task, rrs_addr start, rrs_addr end)
{
    while (start < end) {
        const struct rrs_writable_range *range = find(&task->space->writable, start);
        if (!range)
            return false;
        rrs_addr here = range->end < end ? range->end : end;
        if (range->of_file && !pages_exist(task, start, here))
            return false;
        start = here;
    }
    return true;
}

bool rrs_writable_has(struct rrs_task *task, rrs_addr start, uint64_t bytes)
{
    bool known = task->space->writable.known;
    if (start + bytes < start)
        return false;
    if (!known)
        look(task);
    if (is_covered(task, start, start + bytes))
        return true;
    if (!known)
        return false;
    look(task); /* a stack may have grown */
    return is_covered(task, start, start + bytes);
}
