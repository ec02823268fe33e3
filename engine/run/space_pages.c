/* SPDX-License-Identifier: MIT */
/*
 * Writable code. A page that code was translated from is made read-only, so that a write to it
 * faults and the blocks can be dropped. Where that would happen all the time, and where writes come
 * by another way (shared mappings, files without a name, the stack), blocks check their code each
 * time they are entered instead.
 */
#include "engine/run/space_internal.h"

#include "engine/run/remote.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>

enum {
    PAGE = 4096,
    FAULTS_MAX = 6, /* a page with more of them checks itself */
};

/* Index of the first page at or above `address`. */
static uint32_t first_page(const struct rrs_address_space *space, rrs_addr address)
{
    uint32_t low = 0, high = space->page_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (space->pages[middle].address < address)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static struct rrs_code_page *find_page(const struct rrs_address_space *space, rrs_addr address)
{
    uint32_t at = first_page(space, address);
    return at < space->page_count && space->pages[at].address == address ? &space->pages[at] : NULL;
}

static struct rrs_code_page *add_page(struct rrs_address_space *space, rrs_addr address)
{
    if (space->page_count == space->page_room) {
        space->page_room = space->page_room ? space->page_room * 2 : 64;
        space->pages = realloc(space->pages, space->page_room * sizeof *space->pages);
        assert(space->pages && "out of memory for code pages");
    }
    uint32_t at = first_page(space, address);
    memmove(&space->pages[at + 1], &space->pages[at],
            (space->page_count - at) * sizeof *space->pages);
    space->pages[at] = (struct rrs_code_page){.address = address};
    space->page_count++;
    return &space->pages[at];
}

bool rrs_space_changes_unseen(const struct rrs_address_space *space, rrs_addr pc)
{
    const struct rrs_region *region = rrs_space_region_at(space, pc);
    if (region && region->changes_unseen)
        return true;
    const struct rrs_code_page *page = find_page(space, pc & ~(rrs_addr)(PAGE - 1));
    return page && page->checked;
}

void rrs_space_forget_pages(struct rrs_address_space *space, rrs_addr start, rrs_addr end)
{
    uint32_t from = first_page(space, start), to = first_page(space, end);
    for (uint32_t i = from; i < to; i++)
        space->guarded_count -= space->pages[i].guarded;
    if (from == to)
        return; /* there may be no array */
    memmove(&space->pages[from], &space->pages[to],
            (space->page_count - to) * sizeof *space->pages);
    space->page_count -= to - from;
}

/*
 * From the first guard on, calls that pass untraced would fail where their output meets one. And
 * some of them can take code away that is not a file's.
 */
struct rrs_error *rrs_space_trace_all_calls(struct rrs_session *session, struct rrs_task *task)
{
    enum { CALLS = 4096 }; /* the page of the class table that has the numbers in use */
    struct rrs_address_space *space = task->space;
    if (space->all_traced)
        return NULL;
    space->all_traced = true;
    return rrs_remote_call_ok(session, task, "replacing the call classes", SYS_mmap,
                              RRS_ARGUMENTS(space->runtime + RRS_RUNTIME_CLASSES, CALLS, PROT_READ,
                                            MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, (uint64_t)-1),
                              NULL);
}

/* Whether the page at `address` is to be guarded and is not yet; it counts as guarded then. */
static bool begin_guard(struct rrs_address_space *space, rrs_addr address)
{
    const struct rrs_region *region = rrs_space_region_at(space, address);
    if (!region || !region->writable || region->changes_unseen)
        return false;
    struct rrs_code_page *page = find_page(space, address);
    if (!page)
        page = add_page(space, address);
    if (page->guarded || page->checked)
        return false;
    page->guarded = true;
    space->guarded_count++;
    return true;
}

struct rrs_error *rrs_space_guard(struct rrs_session *session, struct rrs_task *task, rrs_addr from,
                                  rrs_addr to)
{
    RRS_TRY(rrs_space_trace_all_calls(session, task));
    from &= ~(rrs_addr)(PAGE - 1);
    while (from < to) {
        rrs_addr end = from;
        while (end < to && begin_guard(task->space, end))
            end += PAGE;
        if (end > from)
            RRS_TRY(rrs_remote_call_ok(session, task, "guarding code", SYS_mprotect,
                                       RRS_ARGUMENTS(from, end - from, PROT_READ), NULL));
        from = end + PAGE; /* the page at `end` is none to guard */
    }
    return NULL;
}

void rrs_space_drop_blocks(struct rrs_session *session, struct rrs_address_space *space,
                           rrs_addr start, rrs_addr end)
{
    for (uint32_t i = 0; i < space->attachment_count; i++) {
        struct rrs_attachment *attachment = &space->attachments[i];
        if (!attachment->module->private || attachment->retired || attachment->start >= end ||
            attachment->end <= start)
            continue;
        rrs_addr from = start > attachment->start ? start : attachment->start;
        rrs_addr to = end < attachment->end ? end : attachment->end;
        session->counters.invalidations +=
            rrs_code_cache_drop(&attachment->module->cache, (int64_t)(from - attachment->base),
                                (int64_t)(to - attachment->base));
        if (!rrs_translate_has_room(&attachment->module->cache))
            rrs_space_flush_module(session, attachment->module);
    }
}

bool rrs_space_is_guarded(const struct rrs_address_space *space, rrs_addr address)
{
    const struct rrs_code_page *page = find_page(space, address & ~(rrs_addr)(PAGE - 1));
    return page && page->guarded;
}

struct rrs_error *rrs_space_unguard(struct rrs_session *session, struct rrs_task *task,
                                    rrs_addr start, rrs_addr end, bool faulted, bool *any)
{
    struct rrs_address_space *space = task->space;
    *any = false;
    for (uint32_t i = first_page(space, start & ~(rrs_addr)(PAGE - 1));
         i < space->page_count && space->pages[i].address < end; i++) {
        struct rrs_code_page *page = &space->pages[i];
        if (!page->guarded)
            continue;
        rrs_addr address = page->address;
        page->guarded = false;
        space->guarded_count--;
        page->faults += faulted;
        page->checked = page->faults > FAULTS_MAX;
        *any = true;
        rrs_space_drop_blocks(session, space, address, address + PAGE);
        RRS_TRY(rrs_remote_call_ok(session, task, "lifting a guard", SYS_mprotect,
                                   RRS_ARGUMENTS(address, PAGE, PROT_READ | PROT_WRITE), NULL));
    }
    return NULL;
}

void rrs_space_contents_gone(struct rrs_session *session, struct rrs_address_space *space,
                             rrs_addr start, rrs_addr end)
{
    space->fetch_generation++;
    rrs_space_drop_blocks(session, space, start, end);
}

struct rrs_error *rrs_space_code_written(struct rrs_session *session,
                                         struct rrs_address_space *space, rrs_addr start,
                                         rrs_addr end)
{
    for (uint32_t i = 0; i < space->region_count; i++) {
        const struct rrs_region *region = &space->regions[i];
        struct rrs_file_key key = region->key;
        if (region->from_file && region->start < end && region->end > start)
            RRS_TRY(rrs_space_disown_file(session, space, &key, false));
    }
    rrs_space_contents_gone(session, space, start, end);
    return NULL;
}

struct rrs_error *rrs_space_file_opened(struct rrs_session *session,
                                        struct rrs_address_space *space, uint64_t device,
                                        uint64_t inode)
{
    for (uint32_t i = 0; i < space->region_count; i++) {
        const struct rrs_region *region = &space->regions[i];
        struct rrs_file_key key = region->key;
        if (region->from_file && key.device == device && key.inode == inode)
            RRS_TRY(rrs_space_disown_file(session, space, &key, true));
    }
    return NULL;
}
