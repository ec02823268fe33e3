/* SPDX-License-Identifier: MIT */
/*
 * Code caches at their places. A file's cache lies at the same distance from the file's code in
 * every address space, so that one copy of the shadow code serves all; where that place is taken,
 * the file gets another cache at another distance.
 */
#include "engine/run/space_internal.h"

#include "engine/run/remote.h"
#include "engine/tracee/maps.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { MEBIBYTE = 1 << 20 };

/* Shadow code of what a program really reaches is rarely more than its whole text. */
static const uint64_t cache_bytes_min = 4ull * MEBIBYTE;
static const uint64_t cache_bytes_max = 256ull * MEBIBYTE;
static const uint64_t private_cache_bytes = 64ull * MEBIBYTE;

/* Anonymous code is grouped into windows of this size; a cache serves one window. */
static const uint64_t window_bytes = 1ull << 30;

/* How far below its code a cache begins to look for room: the heap and further libraries come in
 * between. And how far it may lie, so that 32-bit displacements reach all of the module's data. */
static const uint64_t clearance_bytes = 256ull * MEBIBYTE;
static const uint64_t user_space_end = 0x7ffffffff000;
static const uint64_t reach_bytes = 1400ull * MEBIBYTE;

void rrs_module_release(struct rrs_session *session, struct rrs_module *module)
{
    if (--module->references || !module->private)
        return; /* files' caches stay: the next exec will want them */
    struct rrs_module **link = &session->modules;
    while (*link != module)
        link = &(*link)->next;
    *link = module->next;
    rrs_code_cache_deinit(&module->cache);
    rrs_shared_pool_give(&session->pool, &module->piece);
    free(module);
}

static struct rrs_error *create(struct rrs_session *session, struct rrs_address_space *space,
                                uint64_t size, int64_t shadow_base, struct rrs_module **module)
{
    struct rrs_module *made = calloc(1, sizeof *made);
    if (!made)
        return rrs_error_no_memory();
    struct rrs_error *error = rrs_shared_pool_take(&session->pool, size, &made->piece);
    if (!error)
        error = rrs_code_cache_init(&made->cache, made->piece.memory, (uint32_t)size, shadow_base,
                                    space->runtime);
    if (error) {
        rrs_shared_pool_give(&session->pool, &made->piece);
        free(made);
        return error;
    }
    made->next = session->modules;
    session->modules = made;
    session->counters.modules++;
    *module = made;
    return NULL;
}

/* --- finding room --- */

struct gap_search {
    rrs_addr low, high; /* the cache must lie within */
    uint64_t size;
    rrs_addr previous_end;
    rrs_addr found; /* the highest fit; 0: none */
};

static bool look_at_gap(void *context, const struct rrs_mapping *mapping)
{
    struct gap_search *search = context;
    rrs_addr from = search->previous_end > search->low ? search->previous_end : search->low;
    rrs_addr to = mapping->start < search->high ? mapping->start : search->high;
    rrs_addr fit = (to - search->size) & ~(rrs_addr)(MEBIBYTE - 1);
    if (to >= search->size && fit >= from && fit < to)
        search->found = fit;
    search->previous_end = mapping->end;
    return mapping->start < search->high;
}

static struct rrs_error *find_room(pid_t tid, rrs_addr code, uint64_t size, rrs_addr *at)
{
    struct gap_search search = {.size = size};
    if (code < (2ull << 30)) { /* a program below 2 GiB: the heap grows upwards behind it */
        search.low = 1ull << 30;
        search.high = 2ull << 30;
    } else {
        search.low = code > reach_bytes ? code - reach_bytes : MEBIBYTE;
        search.high = code - clearance_bytes;
    }
    RRS_TRY(rrs_maps_visit(tid, look_at_gap, &search));
    if (!search.found)
        return rrs_error_create(RRS_ERROR_UNSUPPORTED,
                                "no room for a code cache within reach of %#lx",
                                (unsigned long)code);
    *at = search.found;
    return NULL;
}

/* --- mapping --- */

struct rrs_error *rrs_space_open_pool(struct rrs_session *session, struct rrs_task *task,
                                      rrs_addr path_at, int64_t *fd)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/fd/%d", getpid(), session->pool.fd);
    RRS_TRY(rrs_tracee_write(task->tid, path_at, path, strlen(path) + 1));
    return rrs_remote_call_ok(session, task, "opening the shared memory", SYS_open,
                              RRS_ARGUMENTS(path_at, O_RDWR | O_CLOEXEC), fd);
}

struct rrs_error *rrs_space_map(struct rrs_session *session, struct rrs_task *task, int64_t fd,
                                rrs_addr at, uint64_t size, int prot, uint64_t offset)
{
    return rrs_remote_call_ok(
        session, task, "mapping the runtime", SYS_mmap,
        RRS_ARGUMENTS(at, size, (uint64_t)prot, MAP_SHARED | MAP_FIXED, (uint64_t)fd, offset),
        NULL);
}

/* Maps a module's cache at `at` unless something is there: then `*taken`. */
static struct rrs_error *map_cache(struct rrs_session *session, struct rrs_task *task,
                                   const struct rrs_module *module, rrs_addr at, bool *taken)
{
    enum { PATH_IN_CELLS = 2048 };
    int64_t fd, result;
    RRS_TRY(rrs_space_open_pool(session, task,
                                task->space->runtime + RRS_RUNTIME_CELLS + PATH_IN_CELLS, &fd));
    RRS_TRY(rrs_remote_call(session, task, SYS_mmap,
                            RRS_ARGUMENTS(at, module->piece.size, PROT_READ | PROT_EXEC,
                                          MAP_SHARED | MAP_FIXED_NOREPLACE, (uint64_t)fd,
                                          module->piece.offset),
                            &result));
    RRS_TRY(rrs_remote_call_ok(session, task, "closing the shared memory", SYS_close,
                               RRS_ARGUMENTS((uint64_t)fd), NULL));
    *taken = result == -EEXIST;
    if (result < 0 && !*taken)
        return rrs_error_os((int)-result, NULL,
                            "mapping a code cache of %#lx bytes at %#lx in task %d",
                            (unsigned long)module->piece.size, (unsigned long)at, task->tid);
    return NULL;
}

static struct rrs_attachment *add_attachment(struct rrs_address_space *space,
                                             struct rrs_module *module, rrs_addr base,
                                             rrs_addr start, rrs_addr end)
{
    if (space->attachment_count == space->attachment_room) {
        space->attachment_room = space->attachment_room ? space->attachment_room * 2 : 16;
        space->attachments =
            realloc(space->attachments, space->attachment_room * sizeof *space->attachments);
        assert(space->attachments && "out of memory for attachments");
    }
    struct rrs_attachment *attachment = &space->attachments[space->attachment_count++];
    *attachment = (struct rrs_attachment){
        .base = base,
        .start = start,
        .end = end,
        .shadow = base + (uint64_t)module->cache.shadow_base,
        .module = module,
    };
    module->references++;
    return attachment;
}

static void fill_table_from(struct rrs_session *session, struct rrs_address_space *space,
                            const struct rrs_attachment *attachment)
{
    const struct rrs_code_cache *cache = &attachment->module->cache;
    for (uint32_t i = 0; i < cache->block_count; i++) {
        const struct rrs_block *block = &cache->blocks[i];
        rrs_addr app = attachment->base + block->app;
        if (block->indirect_entry && !block->dropped && app >= attachment->start &&
            app < attachment->end)
            rrs_lookup_table_add(&session->pool, space->table, app,
                                 attachment->shadow + block->indirect_entry);
    }
}

void rrs_space_fill_table(struct rrs_session *session, struct rrs_address_space *space)
{
    for (uint32_t i = 0; i < space->attachment_count; i++)
        fill_table_from(session, space, &space->attachments[i]);
}

static bool same_key(const struct rrs_file_key *a, const struct rrs_file_key *b)
{
    return a->device == b->device && a->inode == b->inode && a->size == b->size &&
           a->mtime_ns == b->mtime_ns;
}

/* Tries the caches that this file has already. */
static struct rrs_error *attach_known(struct rrs_session *session, struct rrs_task *task,
                                      const struct rrs_region *region, rrs_addr base,
                                      struct rrs_attachment **attachment)
{
    for (struct rrs_module *module = session->modules; module; module = module->next) {
        if (module->private || !same_key(&module->key, &region->key) ||
            module->cache.runtime != task->space->runtime)
            continue;
        rrs_addr at = base + (uint64_t)module->cache.shadow_base;
        if (at > user_space_end - module->piece.size)
            continue;
        bool taken;
        RRS_TRY(map_cache(session, task, module, at, &taken));
        if (taken)
            continue;
        *attachment = add_attachment(task->space, module, base, region->start, region->end);
        fill_table_from(session, task->space, *attachment);
        return NULL;
    }
    return NULL;
}

static struct rrs_error *attach_new(struct rrs_session *session, struct rrs_task *task,
                                    rrs_addr base, uint64_t size, rrs_addr near,
                                    struct rrs_module **module)
{
    rrs_addr at = 0;
    bool taken;
    RRS_TRY(find_room(task->tid, near, size, &at));
    RRS_TRY(create(session, task->space, size, (int64_t)(at - base), module));
    RRS_TRY(map_cache(session, task, *module, at, &taken));
    assert(!taken && "a gap in the tracee's maps was not one");
    return NULL;
}

/* A file may have several ranges of code: one cache serves all that lie as they do in the file. */
static bool widen_attachment(struct rrs_address_space *space, const struct rrs_region *region,
                             rrs_addr base, struct rrs_attachment **attachment)
{
    for (uint32_t i = 0; i < space->attachment_count; i++) {
        struct rrs_attachment *known = &space->attachments[i];
        if (known->module->private || known->base != base ||
            !same_key(&known->module->key, &region->key))
            continue;
        known->start = region->start < known->start ? region->start : known->start;
        known->end = region->end > known->end ? region->end : known->end;
        *attachment = known;
        return true;
    }
    return false;
}

static uint64_t code_bytes_of_file(const struct rrs_address_space *space,
                                   const struct rrs_region *file)
{
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < space->region_count; i++)
        if (space->regions[i].from_file && same_key(&space->regions[i].key, &file->key))
            bytes += space->regions[i].end - space->regions[i].start;
    return bytes;
}

static struct rrs_error *attach_file(struct rrs_session *session, struct rrs_task *task,
                                     const struct rrs_region *region,
                                     struct rrs_attachment **attachment)
{
    rrs_addr base = region->start - region->file_offset;
    if (widen_attachment(task->space, region, base, attachment))
        return NULL;
    RRS_TRY(attach_known(session, task, region, base, attachment));
    if (*attachment)
        return NULL;
    uint64_t size = code_bytes_of_file(task->space, region) * 8;
    size = size < cache_bytes_min ? cache_bytes_min : size;
    size = size > cache_bytes_max ? cache_bytes_max : size;
    size = (size + MEBIBYTE - 1) & ~(uint64_t)(MEBIBYTE - 1);
    struct rrs_module *module;
    RRS_TRY(attach_new(session, task, base, size, region->start, &module));
    module->key = region->key;
    *attachment = add_attachment(task->space, module, base, region->start, region->end);
    return NULL;
}

static struct rrs_error *attach_window(struct rrs_session *session, struct rrs_task *task,
                                       rrs_addr pc, struct rrs_attachment **attachment)
{
    rrs_addr base = pc & ~(window_bytes - 1);
    struct rrs_module *module;
    RRS_TRY(attach_new(session, task, base, private_cache_bytes, pc, &module));
    module->private = true;
    *attachment = add_attachment(task->space, module, base, base, base + window_bytes);
    return NULL;
}

static bool is_from_file(const struct rrs_region *region)
{
    return region->from_file && !region->writable;
}

struct rrs_attachment *rrs_space_attachment_at(struct rrs_address_space *space, rrs_addr pc)
{
    const struct rrs_region *region = rrs_space_region_at(space, pc);
    for (uint32_t i = 0; region && i < space->attachment_count; i++) {
        struct rrs_attachment *attachment = &space->attachments[i];
        if (pc >= attachment->start && pc < attachment->end &&
            attachment->module->private == !is_from_file(region) &&
            (attachment->module->private || same_key(&attachment->module->key, &region->key)))
            return attachment;
    }
    return NULL;
}

struct rrs_error *rrs_space_attach(struct rrs_session *session, struct rrs_task *task,
                                   const struct rrs_region *region, rrs_addr pc,
                                   struct rrs_attachment **attachment)
{
    *attachment = rrs_space_attachment_at(task->space, pc);
    if (*attachment)
        return NULL;
    return is_from_file(region) ? attach_file(session, task, region, attachment)
                                : attach_window(session, task, pc, attachment);
}

struct rrs_error *rrs_space_detach(struct rrs_session *session, struct rrs_task *task,
                                   uint32_t index)
{
    struct rrs_address_space *space = task->space;
    struct rrs_attachment gone = space->attachments[index];
    space->attachments[index] = space->attachments[--space->attachment_count];
    uint64_t size = gone.module->piece.size;
    rrs_module_release(session, gone.module);
    return rrs_remote_call_ok(session, task, "unmapping a code cache", SYS_munmap,
                              RRS_ARGUMENTS(gone.shadow, size), NULL);
}

struct rrs_attachment *rrs_space_attachment_of_shadow(struct rrs_address_space *space,
                                                      rrs_addr shadow_pc)
{
    for (uint32_t i = 0; i < space->attachment_count; i++) {
        struct rrs_attachment *attachment = &space->attachments[i];
        if (shadow_pc - attachment->shadow < attachment->module->piece.size)
            return attachment;
    }
    return NULL;
}
