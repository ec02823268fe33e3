/* SPDX-License-Identifier: MIT */
/*
 * Code caches at their places. A file's cache lies at the same distance from the file's code in
 * every address space, so that one copy of the shadow code serves all; where that place is taken,
 * the file gets another cache at another distance.
 */
#include "engine/run/space_internal.h"

#include "engine/run/descriptors.h"
#include "engine/run/remote.h"
#include "engine/tracee/maps.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>

enum { MEBIBYTE = 1 << 20 };

/* Shadow code of what a program really reaches is rarely more than its whole text. */
static const uint64_t cache_bytes_min = 4ull * MEBIBYTE;
static const uint64_t cache_bytes_max = 256ull * MEBIBYTE;

/* A window's cache that is full gives way to one of four times its size. */
static const uint64_t private_cache_bytes_min = 4ull * MEBIBYTE;
static const uint64_t private_cache_bytes_max = 64ull * MEBIBYTE;

/* Anonymous code is grouped into windows of this size; a cache serves one window. */
static const uint64_t window_bytes = 1ull << 30;

/* How far below its code a cache begins to look for room: the heap and further libraries come in
 * between. And how far it may lie, so that 32-bit displacements reach all of the module's data. */
static const uint64_t clearance_bytes = 256ull * MEBIBYTE;
static const uint64_t user_space_end = 0x7ffffffff000;

/* What the stack and the heap may still grow by, if there is a choice. */
static const uint64_t stack_room_bytes = 136ull * MEBIBYTE;
static const uint64_t heap_room_bytes = 64ull * MEBIBYTE;
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
    made->cache.number = (uint16_t)session->counters.modules++;
    *module = made;
    return NULL;
}

/* --- finding room --- */

struct gap_search {
    const struct rrs_session *session;
    rrs_addr low, high; /* the cache must lie within */
    bool lowest;        /* the lowest fit is wanted, not the highest */
    uint64_t size;
    rrs_addr previous_end;
    rrs_addr found; /* 0: none */
};

/* Takes the range [from, to) if the cache fits and no better one is known. */
static void look_at_range(struct gap_search *search, rrs_addr from, rrs_addr to)
{
    const rrs_addr unit = MEBIBYTE - 1;
    from = ((from > search->low ? from : search->low) + unit) & ~unit;
    to = (to < search->high ? to : search->high) & ~unit;
    if (to < from || to - from < search->size || (search->lowest && search->found))
        return;
    search->found = search->lowest ? from : to - search->size;
}

static void look_at_gap(struct gap_search *search, rrs_addr from, rrs_addr to)
{
    const struct rrs_session *session = search->session;
    for (size_t i = 0; i < session->avoided_count && from < to; i++) {
        const struct rrs_avoided_range *range = &session->avoided[i];
        if (range->end <= from || range->start >= to)
            continue;
        if (range->start > from)
            look_at_range(search, from, range->start);
        from = range->end;
    }
    if (from < to)
        look_at_range(search, from, to);
}

/* Whether the program is going to map any of [start, end): only a replay knows. */
static bool will_be_mapped(const struct rrs_session *session, rrs_addr start, rrs_addr end)
{
    size_t low = 0, high = session->avoided_count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (session->avoided[middle].end <= start)
            low = middle + 1;
        else
            high = middle;
    }
    return low < session->avoided_count && session->avoided[low].start < end;
}

static bool look_below_mapping(void *context, const struct rrs_mapping *mapping)
{
    struct gap_search *search = context;
    rrs_addr to = mapping->start;
    if (!strcmp(mapping->path, "[stack]"))
        to = to > stack_room_bytes ? to - stack_room_bytes : 0;
    look_at_gap(search, search->previous_end, to);
    search->previous_end = mapping->end;
    if (!strcmp(mapping->path, "[heap]"))
        search->previous_end += heap_room_bytes;
    return mapping->start < search->high;
}

static struct rrs_error *find_gap(const struct rrs_session *session, pid_t tid, rrs_addr low,
                                  rrs_addr high, bool lowest, uint64_t size, rrs_addr *at)
{
    struct gap_search search = {
        .session = session, .low = low, .high = high, .lowest = lowest, .size = size};
    if (high > user_space_end)
        search.high =
            user_space_end; /* above it are the kernel's own addresses, free as they look */
    RRS_TRY(rrs_maps_visit(tid, look_below_mapping, &search));
    look_at_gap(&search, search.previous_end, user_space_end - stack_room_bytes);
    *at = search.found;
    return NULL;
}

static rrs_addr below(rrs_addr address, uint64_t bytes)
{
    return address > bytes + MEBIBYTE ? address - bytes : MEBIBYTE;
}

/*
 * The best place for a cache of the code at `code`; 0 if there is none within reach (and, with
 * `anywhere`, none at all).
 */
static struct rrs_error *find_room(const struct rrs_session *session, pid_t tid, rrs_addr code,
                                   uint64_t size, bool anywhere, rrs_addr *at)
{
    const rrs_addr gibibyte = 1ull << 30;
    const struct {
        rrs_addr low, high;
        bool lowest;
    } places[] = {
        /* a program below 2 GiB: the heap grows upwards behind it */
        {gibibyte, code < 2 * gibibyte ? 2 * gibibyte : 0, false},
        {below(code, reach_bytes), below(code, clearance_bytes), false},
        {code + clearance_bytes, code + reach_bytes, true},
        {below(code, reach_bytes), code, false},
        {code, code + reach_bytes, true},
        {4 * gibibyte, anywhere ? user_space_end : 0, false},
        {MEBIBYTE, anywhere ? 4 * gibibyte : 0, false},
    };
    *at = 0;
    for (size_t i = 0; i < sizeof places / sizeof places[0] && !*at; i++)
        if (places[i].low < places[i].high)
            RRS_TRY(
                find_gap(session, tid, places[i].low, places[i].high, places[i].lowest, size, at));
    return NULL;
}

/* --- mapping --- */

struct rrs_error *rrs_space_open_pool(struct rrs_session *session, struct rrs_task *task,
                                      rrs_addr scratch, int64_t *fd)
{
    if (session->pool_inherited)
        return rrs_remote_call_ok(session, task, "duplicating a descriptor", SYS_dup,
                                  RRS_ARGUMENTS((uint64_t)session->pool.fd), fd);
    return rrs_give_descriptor(session, task, session->pool.fd, O_RDWR, scratch, fd);
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
    int64_t fd, result;
    RRS_TRY(rrs_space_open_pool(session, task, task->space->runtime + RRS_RUNTIME_SCRATCH, &fd));
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
    for (uint32_t i = 0; i < cache->entry_room; i++) {
        const struct rrs_entry *entry = &cache->entries[i];
        rrs_addr app = attachment->base + entry->app_plus_1 - 1;
        if (!entry->app_plus_1 || !entry->block || app < attachment->start ||
            app >= attachment->end)
            continue;
        for (int kind = RRS_ENTRY_JUMP; kind <= RRS_ENTRY_TABLES; kind++)
            if (entry->table_entry[kind - 1])
                rrs_lookup_table_add(&session->pool, space->table, space->runtime, kind, app,
                                     attachment->shadow + entry->table_entry[kind - 1]);
    }
}

void rrs_space_fill_table(struct rrs_session *session, struct rrs_address_space *space)
{
    for (uint32_t i = 0; i < space->attachment_count; i++)
        if (!space->attachments[i].retired)
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
        if (at > user_space_end - module->piece.size ||
            will_be_mapped(session, at, at + module->piece.size))
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

/* `*module` stays as it is if there is no room. */
static struct rrs_error *attach_new(struct rrs_session *session, struct rrs_task *task,
                                    rrs_addr base, uint64_t size, rrs_addr near, bool anywhere,
                                    struct rrs_module **module)
{
    rrs_addr at;
    bool taken;
    RRS_TRY(find_room(session, task->tid, near, size, anywhere, &at));
    if (!at)
        return NULL;
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
        if (known->module->private || known->retired || known->base != base ||
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
    struct rrs_module *module = NULL;
    RRS_TRY(attach_new(session, task, base, size, region->start, false, &module));
    if (!module)
        return NULL;
    module->key = region->key;
    *attachment = add_attachment(task->space, module, base, region->start, region->end);
    return NULL;
}

static struct rrs_error *attach_window(struct rrs_session *session, struct rrs_task *task,
                                       rrs_addr pc, uint64_t size,
                                       struct rrs_attachment **attachment)
{
    rrs_addr base = pc & ~(window_bytes - 1);
    struct rrs_module *module = NULL;
    RRS_TRY(attach_new(session, task, base, size, pc, true, &module));
    if (!module)
        return rrs_error_create(RRS_ERROR_UNSUPPORTED,
                                "task %d: the program leaves no room for a code cache of %#lx "
                                "bytes",
                                task->tid, (unsigned long)size);
    module->private = true;
    module->cache.based = true;
    module->cache.base = base;
    *attachment = add_attachment(task->space, module, base, base, base + window_bytes);
    return NULL;
}

struct rrs_error *rrs_space_enlarge(struct rrs_session *session, struct rrs_task *task, rrs_addr pc,
                                    struct rrs_attachment **attachment)
{
    const struct rrs_module *module = (*attachment)->module;
    uint64_t size = module->piece.size * 4;
    if (!module->private || size > private_cache_bytes_max) {
        rrs_space_flush_module(session, (*attachment)->module);
        return NULL;
    }
    RRS_TRY(rrs_space_detach(session, task, (uint32_t)(*attachment - task->space->attachments)));
    rrs_lookup_table_clear(&session->pool, task->space->table);
    rrs_space_fill_table(session, task->space);
    return attach_window(session, task, pc, size, attachment);
}

struct rrs_error *rrs_space_disown_file(struct rrs_session *session,
                                        struct rrs_address_space *space,
                                        const struct rrs_file_key *key, bool changes_unseen)
{
    for (uint32_t i = 0; i < space->region_count; i++) {
        struct rrs_region *region = &space->regions[i];
        if (!region->from_file || !same_key(&region->key, key))
            continue;
        region->from_file = false;
        region->changes_unseen |= changes_unseen;
    }
    bool any = false;
    for (uint32_t i = 0; i < space->attachment_count; i++) {
        struct rrs_attachment *attachment = &space->attachments[i];
        if (!attachment->module->private && same_key(&attachment->module->key, key))
            any = attachment->retired = true;
    }
    if (!any)
        return NULL;
    RRS_TRY(rrs_space_unshare_table(session, space));
    rrs_lookup_table_clear(&session->pool, space->table);
    rrs_space_fill_table(session, space);
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
        if (!attachment->retired && pc >= attachment->start && pc < attachment->end &&
            attachment->module->private == !is_from_file(region) &&
            (attachment->module->private || same_key(&attachment->module->key, &region->key)))
            return attachment;
    }
    return NULL;
}

void rrs_space_drop_code_at(struct rrs_address_space *space, rrs_addr pc)
{
    for (uint32_t i = 0; i < space->attachment_count; i++) {
        struct rrs_attachment *attachment = &space->attachments[i];
        int64_t at = (int64_t)(pc - attachment->base);
        if (pc >= attachment->start && pc < attachment->end)
            rrs_code_cache_drop(&attachment->module->cache, at, at + 1);
    }
}

/* A cache that others have filled knows nothing of breaks in this space. */
static void respect_breaks(const struct rrs_session *session, struct rrs_address_space *space,
                           const struct rrs_attachment *attachment)
{
    rrs_addr at = rrs_session_next_break(session, attachment->start);
    for (; at < attachment->end; at = rrs_session_next_break(session, at + 1))
        rrs_space_drop_code_at(space, at);
}

static struct rrs_error *attach(struct rrs_session *session, struct rrs_task *task,
                                const struct rrs_region *region, rrs_addr pc,
                                struct rrs_attachment **attachment)
{
    /* The other side of a fork has the same code at the same place, but not this cache for it. */
    RRS_TRY(rrs_space_unshare_table(session, task->space));
    if (is_from_file(region)) {
        RRS_TRY(attach_file(session, task, region, attachment));
        if (*attachment)
            return NULL;
        struct rrs_file_key key = region->key;
        RRS_TRY(rrs_space_disown_file(session, task->space, &key, false));
        *attachment = rrs_space_attachment_at(task->space, pc);
        if (*attachment)
            return NULL;
    }
    return attach_window(session, task, pc, private_cache_bytes_min, attachment);
}

struct rrs_error *rrs_space_attach(struct rrs_session *session, struct rrs_task *task,
                                   const struct rrs_region *region, rrs_addr pc,
                                   struct rrs_attachment **attachment)
{
    *attachment = rrs_space_attachment_at(task->space, pc);
    if (*attachment)
        return NULL;
    RRS_TRY(attach(session, task, region, pc, attachment));
    if (session->break_count)
        respect_breaks(session, task->space, *attachment);
    return NULL;
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
