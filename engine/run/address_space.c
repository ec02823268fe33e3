/* SPDX-License-Identifier: MIT */
#include "engine/run/space_internal.h"

#include "engine/run/descriptors.h"
#include "engine/run/remote.h"
#include "engine/tracee/maps.h"

#include <assert.h>
#include <elf.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>

enum { PAGE = 4096 };

/* --- entering shadow code --- */

/* Reads of the tracee's memory cost more than what is read: pages of code are kept. */
enum { FETCHED_PAGES = 128 };

struct rrs_fetched_page {
    rrs_addr address;
    uint32_t generation; /* of the space; an older one's contents may have changed */
    uint32_t bytes;      /* that could be read */
    uint8_t contents[PAGE];
};

static const struct rrs_fetched_page *fetch_page(struct rrs_source_context *source, rrs_addr pc)
{
    struct rrs_address_space *space = source->task->space;
    rrs_addr address = pc & ~(rrs_addr)(PAGE - 1);
    if (!space->fetched) {
        space->fetched = calloc(FETCHED_PAGES, sizeof *space->fetched);
        space->fetch_generation++;
        assert(space->fetched && "out of memory for code that was read");
    }
    struct rrs_fetched_page *page = &space->fetched[address / PAGE % FETCHED_PAGES];
    if (page->address != address || page->generation != space->fetch_generation) {
        page->address = address;
        page->generation = space->fetch_generation;
        page->bytes = (uint32_t)rrs_tracee_read(source->task->tid, address, page->contents, PAGE);
    }
    return page;
}

/* Bytes of code from `pc` on, `size` at most, by the regions. */
static size_t code_bytes_at(const struct rrs_address_space *space, const struct rrs_region *region,
                            rrs_addr pc, size_t size)
{
    rrs_addr end = region->end;
    if (pc + size > end) {
        const struct rrs_region *next = rrs_space_region_at(space, end);
        end = next ? next->end : end;
    }
    return pc + size < end ? size : end - pc;
}

static size_t read_code(void *context, int64_t app, uint8_t *buffer, size_t size)
{
    struct rrs_source_context *source = context;
    struct rrs_address_space *space = source->task->space;
    rrs_addr pc = source->attachment->base + (uint64_t)app;
    const struct rrs_region *region = rrs_space_region_at(space, pc);
    if (!region)
        return 0;
    size = code_bytes_at(space, region, pc, size);
    rrs_addr stop =
        source->sees_through_breaks ? UINT64_MAX : rrs_session_next_break(source->session, pc);
    size = stop - pc < size ? stop - pc : size;
    size_t count = 0;
    while (count < size) {
        const struct rrs_fetched_page *page = fetch_page(source, pc + count);
        uint32_t offset = (pc + count) & (PAGE - 1);
        size_t part = page->bytes > offset ? page->bytes - offset : 0;
        part = part < size - count ? part : size - count;
        memcpy(buffer + count, page->contents + offset, part);
        count += part;
        if (offset + part < PAGE)
            break;
    }
    if (count && region->writable && !region->changes_unseen) {
        if (!source->saw_writable || pc < source->writable_from)
            source->writable_from = pc;
        if (!source->saw_writable || pc + count > source->writable_to)
            source->writable_to = pc + count;
        source->saw_writable = true;
    }
    return count;
}

static bool owns(void *context, int64_t app)
{
    struct rrs_source_context *source = context;
    rrs_addr pc = source->attachment->base + (uint64_t)app;
    if (pc < source->attachment->start || pc >= source->attachment->end)
        return false;
    /* A file's code may lie within a window of anonymous code. */
    const struct rrs_region *region =
        source->attachment->module->private ? rrs_space_region_at(source->task->space, pc) : NULL;
    return !region || !region->from_file || region->writable;
}

static bool changes_unseen(void *context, int64_t app)
{
    struct rrs_source_context *source = context;
    return rrs_space_changes_unseen(source->task->space, source->attachment->base + (uint64_t)app);
}

static void add_entry(void *context, int64_t app, enum rrs_entry_kind entry_kind, uint32_t shadow)
{
    struct rrs_source_context *source = context;
    struct rrs_address_space *space = source->task->space;
    rrs_lookup_table_add(&source->session->pool, space->table, space->runtime, entry_kind,
                         source->attachment->base + (uint64_t)app,
                         source->attachment->shadow + shadow);
}

struct rrs_code_source rrs_space_source(struct rrs_source_context *context)
{
    return (struct rrs_code_source){read_code, owns, changes_unseen, add_entry, context};
}

/* Other address spaces may still look up what a flush forgets: their tables go too. */
void rrs_space_flush_module(struct rrs_session *session, struct rrs_module *module)
{
    rrs_code_cache_flush(&module->cache);
    session->counters.flushes++;
    for (struct rrs_task *task = session->tasks; task; task = task->next) {
        struct rrs_address_space *space = task->space;
        for (uint32_t i = 0; space && i < space->attachment_count; i++)
            if (space->attachments[i].module == module)
                rrs_lookup_table_clear(&session->pool, space->table);
    }
}

static struct rrs_error *map_table(struct rrs_session *session, struct rrs_task *task)
{
    struct rrs_address_space *space = task->space;
    int64_t fd;
    RRS_TRY(rrs_space_open_pool(session, task, space->runtime + RRS_RUNTIME_SCRATCH, &fd));
    RRS_TRY(rrs_space_map(session, task, fd, space->runtime + RRS_RUNTIME_CELLS, PAGE,
                          PROT_READ | PROT_WRITE, space->table->piece.offset));
    RRS_TRY(rrs_space_map(session, task, fd, space->runtime + RRS_RUNTIME_JUMPS,
                          RRS_RUNTIME_L2 - RRS_RUNTIME_JUMPS, PROT_READ | PROT_WRITE,
                          space->table->piece.offset + RRS_LOOKUP_LEVELS_AT));
    RRS_TRY(rrs_space_map(session, task, fd, space->runtime + RRS_RUNTIME_L2,
                          RRS_RUNTIME_BYTES - RRS_RUNTIME_L2, PROT_READ,
                          space->table->piece.offset + RRS_LOOKUP_LEVELS_AT + RRS_RUNTIME_L2 -
                              RRS_RUNTIME_JUMPS));
    space->table_mapped = true;
    return rrs_remote_call_ok(session, task, "closing the shared memory", SYS_close,
                              RRS_ARGUMENTS((uint64_t)fd), NULL);
}

static struct rrs_error *translate(struct rrs_session *session, struct rrs_task *task,
                                   struct rrs_attachment *attachment, rrs_addr pc,
                                   enum rrs_entry_kind entry_kind)
{
    struct rrs_module *module = attachment->module;
    struct rrs_source_context context = {
        .session = session, .task = task, .attachment = attachment};
    struct rrs_code_source source = rrs_space_source(&context);
    if (module->private)
        task->space->fetch_generation++; /* it may have changed since the last look */
    rrs_translate(&session->translator, &module->cache, &source, (int64_t)(pc - attachment->base),
                  entry_kind);
    if (context.saw_writable)
        return rrs_space_guard(session, task, context.writable_from, context.writable_to);
    return NULL;
}

/* A fork left the caches of the parent mapped. */
static struct rrs_error *unmap_leftovers(struct rrs_session *session, struct rrs_task *task)
{
    struct rrs_address_space *space = task->space;
    space->leftovers = false;
    for (uint32_t i = 0; i < space->attachment_count;)
        if (space->attachments[i].retired && space->attachments[i].module->private)
            RRS_TRY(rrs_space_detach(session, task, i));
        else
            i++;
    return NULL;
}

struct rrs_error *rrs_space_enter(struct rrs_session *session, struct rrs_task *task,
                                  rrs_addr app_pc, enum rrs_entry_kind entry_kind, rrs_addr *shadow)
{
    struct rrs_attachment *attachment;
    const struct rrs_region *region = rrs_space_region_at(task->space, app_pc);
    *shadow = 0;
    if (!region)
        return NULL;
    if (task->space->leftovers)
        RRS_TRY(unmap_leftovers(session, task));
    RRS_TRY(rrs_space_attach(session, task, region, app_pc, &attachment));
    if (!task->space->table_mapped)
        RRS_TRY(map_table(session, task));
    struct rrs_code_cache *cache = &attachment->module->cache;
    int64_t app = (int64_t)(app_pc - attachment->base);
    struct rrs_block *block = rrs_code_cache_block_at(cache, app);
    uint32_t entry_at = entry_kind ? rrs_code_cache_entry_at(cache, app, entry_kind) : 0;
    if (!block || (entry_kind && !entry_at)) {
        if (!rrs_translate_has_room(cache)) {
            RRS_TRY(rrs_space_enlarge(session, task, app_pc, &attachment));
            cache = &attachment->module->cache;
        }
        RRS_TRY(translate(session, task, attachment, app_pc, entry_kind));
        block = rrs_code_cache_block_at(cache, app);
    }
    if (entry_at)
        rrs_lookup_table_add(&session->pool, task->space->table, task->space->runtime, entry_kind,
                             app_pc, attachment->shadow + entry_at);
    *shadow = attachment->shadow + block->shadow;
    return NULL;
}

/* --- code that changes --- */

/* A table that a fork left shared must not show one side's changes to the other. */
struct rrs_error *rrs_space_unshare_table(struct rrs_session *session,
                                          struct rrs_address_space *space)
{
    if (space->table->references == 1)
        return NULL;
    struct rrs_lookup_table *table;
    RRS_TRY(rrs_lookup_table_create(&session->pool, &table));
    rrs_lookup_table_release(&session->pool, space->table);
    space->table = table;
    space->table_mapped = false;
    rrs_space_fill_table(session, space);
    return NULL;
}

/* Whether code of the file is still mapped as the attachment has it. */
static bool some_remains(const struct rrs_address_space *space,
                         const struct rrs_attachment *attachment)
{
    for (uint32_t i = 0; i < space->region_count; i++) {
        const struct rrs_region *region = &space->regions[i];
        if (region->from_file && region->start - region->file_offset == attachment->base &&
            region->start < attachment->end && region->end > attachment->start)
            return true;
    }
    return false;
}

/*
 * [start, end) is no longer what the files mapped there hold. The shadow code of what remains of
 * such a file leads into that of what is gone, so the remainder cannot use it either.
 */
static struct rrs_error *release_files(struct rrs_session *session, struct rrs_task *task,
                                       rrs_addr start, rrs_addr end)
{
    struct rrs_address_space *space = task->space;
    for (uint32_t i = 0; i < space->attachment_count;) {
        struct rrs_attachment *attachment = &space->attachments[i];
        if (attachment->module->private || attachment->retired || attachment->start >= end ||
            attachment->end <= start) {
            i++;
        } else if (some_remains(space, attachment)) {
            struct rrs_file_key key = attachment->module->key;
            RRS_TRY(rrs_space_disown_file(session, space, &key, false));
        } else {
            RRS_TRY(rrs_space_detach(session, task, i));
        }
    }
    return NULL;
}

struct rrs_error *rrs_space_set_code(struct rrs_session *session, struct rrs_task *task,
                                     rrs_addr start, rrs_addr end, const struct rrs_region *region)
{
    struct rrs_address_space *space = task->space;
    bool had_code = rrs_space_has_code(space, start, end);
    space->fetch_generation++;
    rrs_space_forget_pages(space, start, end);
    rrs_regions_set(space, start, end, region);
    if (had_code) {
        rrs_space_drop_blocks(session, space, start, end);
        RRS_TRY(release_files(session, task, start, end));
    }
    RRS_TRY(rrs_space_unshare_table(session, space));
    if (had_code) {
        rrs_lookup_table_clear(&session->pool, space->table);
        rrs_space_fill_table(session, space);
    }
    return region && !region->from_file ? rrs_space_trace_all_calls(session, task) : NULL;
}

/* --- beginning --- */

struct exec_scan {
    struct rrs_address_space *space;
    rrs_addr vdso, vdso_end;
    bool base_taken[RRS_RUNTIME_BASES];
};

static bool scan_mapping(void *context, const struct rrs_mapping *mapping)
{
    struct exec_scan *scan = context;
    for (int i = 0; i < RRS_RUNTIME_BASES; i++)
        if (mapping->start <
                rrs_runtime_bases[i] + (rrs_addr)RRS_RUNTIME_BYTES + RRS_OUTPUTS_BYTES &&
            mapping->end > rrs_runtime_bases[i])
            scan->base_taken[i] = true;
    if (!strcmp(mapping->path, "[vdso]")) {
        scan->vdso = mapping->start;
        scan->vdso_end = mapping->end;
        return true;
    }
    if (!(mapping->prot & PROT_EXEC) || mapping->start >= 1ull << 63)
        return true; /* the vsyscall page is handled where it is called */
    struct rrs_region region = {.writable = mapping->prot & PROT_WRITE,
                                .unreadable = !(mapping->prot & PROT_READ)};
    region.changes_unseen = mapping->shared || !strcmp(mapping->path, "[stack]");
    if (mapping->inode && !mapping->shared)
        rrs_region_set_file(&region, mapping->path, mapping->file_offset);
    if (region.from_file && region.key.inode != mapping->inode)
        region.from_file = false;
    rrs_regions_set(scan->space, mapping->start, mapping->end, &region);
    return true;
}

/* Any system call instruction in the vDSO serves for the calls that map the runtime. */
static struct rrs_error *find_call_insn(struct rrs_task *task, const struct exec_scan *scan)
{
    uint8_t bytes[4 * PAGE];
    size_t size = scan->vdso_end - scan->vdso;
    if (size > sizeof bytes)
        size = sizeof bytes;
    size = rrs_tracee_read(task->tid, scan->vdso, bytes, size);
    for (size_t i = 0; i + 1 < size; i++)
        if (bytes[i] == 0x0f && bytes[i + 1] == 0x05) {
            task->space->call_insn = scan->vdso + i;
            return NULL;
        }
    return rrs_error_create(RRS_ERROR_UNSUPPORTED, "no system call instruction in the vDSO");
}

/* Makes the program see no vDSO: its time calls become system calls. */
static struct rrs_error *hide_vdso(struct rrs_task *task)
{
    rrs_addr at = task->regs.rsp;
    uint64_t entry[2];
    RRS_TRY(rrs_tracee_read_all(task->tid, at, entry, 8));
    at += 8 * (1 + entry[0] + 1); /* argc, argv, NULL */
    do {                          /* envp, NULL */
        RRS_TRY(rrs_tracee_read_all(task->tid, at, entry, 8));
        at += 8;
    } while (entry[0]);
    for (;; at += sizeof entry) {
        RRS_TRY(rrs_tracee_read_all(task->tid, at, entry, sizeof entry));
        if (entry[0] == AT_NULL)
            return NULL;
        if (entry[0] != AT_SYSINFO_EHDR)
            continue;
        entry[0] = AT_IGNORE;
        return rrs_tracee_write(task->tid, at, entry, sizeof entry);
    }
}

static struct rrs_error *map_runtime(struct rrs_session *session, struct rrs_task *task,
                                     uint32_t base)
{
    enum { BELOW_STACK = 1024 };
    struct rrs_address_space *space = task->space;
    rrs_addr scratch = task->regs.rsp - BELOW_STACK;
    uint8_t before[RRS_GIVE_SCRATCH_BYTES];
    int64_t fd;
    RRS_TRY(rrs_tracee_read_all(task->tid, scratch, before, sizeof before));
    RRS_TRY(rrs_space_open_pool(session, task, scratch, &fd));
    RRS_TRY(rrs_tracee_write(task->tid, scratch, before, sizeof before));
    uint64_t common = session->common.offset;
    RRS_TRY(rrs_space_map(session, task, fd, space->runtime + RRS_RUNTIME_SESSION, PAGE,
                          PROT_READ | PROT_WRITE, common));
    RRS_TRY(rrs_space_map(session, task, fd, space->runtime + RRS_RUNTIME_CODE, PAGE,
                          PROT_READ | PROT_EXEC, common + RRS_RUNTIME_CODE + base * PAGE));
    RRS_TRY(rrs_space_map(session, task, fd, space->runtime + RRS_RUNTIME_CLASSES, 65536, PROT_READ,
                          common + RRS_RUNTIME_CLASSES));
    RRS_TRY(rrs_space_map(session, task, fd, space->runtime + RRS_RUNTIME_CELLS, PAGE,
                          PROT_READ | PROT_WRITE, space->table->piece.offset));
    RRS_TRY(rrs_space_map(session, task, fd, space->runtime + RRS_RUNTIME_JUMPS,
                          RRS_RUNTIME_L2 - RRS_RUNTIME_JUMPS, PROT_READ | PROT_WRITE,
                          space->table->piece.offset + RRS_LOOKUP_LEVELS_AT));
    RRS_TRY(rrs_space_map(session, task, fd, space->runtime + RRS_RUNTIME_L2,
                          RRS_RUNTIME_BYTES - RRS_RUNTIME_L2, PROT_READ,
                          space->table->piece.offset + RRS_LOOKUP_LEVELS_AT + RRS_RUNTIME_L2 -
                              RRS_RUNTIME_JUMPS));
    space->table_mapped = true;
    if (session->scratch.piece.memory)
        RRS_TRY(rrs_space_map(session, task, fd, space->runtime + RRS_RUNTIME_BYTES,
                              RRS_OUTPUTS_BYTES, PROT_READ | PROT_WRITE,
                              session->scratch.piece.offset));
    RRS_TRY(rrs_remote_call_ok(session, task, "closing the shared memory", SYS_close,
                               RRS_ARGUMENTS((uint64_t)fd), NULL));
    space->call_insn = space->runtime + RRS_RUNTIME_CODE + RRS_CODE_TRACED;
    return NULL;
}

static struct rrs_error *take_execute_permission(struct rrs_session *session, struct rrs_task *task,
                                                 const struct exec_scan *scan)
{
    struct rrs_address_space *space = task->space;
    for (uint32_t i = 0; i < space->region_count; i++) {
        const struct rrs_region *region = &space->regions[i];
        int prot = PROT_READ | (region->writable ? PROT_WRITE : 0);
        RRS_TRY(rrs_remote_call_ok(
            session, task, "protecting code", SYS_mprotect,
            RRS_ARGUMENTS(region->start, region->end - region->start, (uint64_t)prot), NULL));
    }
    if (!scan->vdso)
        return NULL;
    return rrs_remote_call_ok(session, task, "protecting the vDSO", SYS_mprotect,
                              RRS_ARGUMENTS(scan->vdso, scan->vdso_end - scan->vdso, PROT_READ),
                              NULL);
}

static struct rrs_error *choose_base(const struct exec_scan *scan, uint32_t *index)
{
    for (*index = 0; *index < RRS_RUNTIME_BASES; ++*index)
        if (!scan->base_taken[*index])
            return NULL;
    return rrs_error_create(RRS_ERROR_UNSUPPORTED,
                            "the program leaves no room below 2 GiB for the runtime");
}

struct rrs_error *rrs_space_create_bare(struct rrs_session *session, struct rrs_task *task,
                                        uint32_t base, rrs_addr call_insn)
{
    struct rrs_address_space *space = calloc(1, sizeof *space);
    if (!space)
        return rrs_error_no_memory();
    space->references = 1;
    space->identity = ++session->spaces_made;
    space->runtime = rrs_runtime_bases[base];
    space->call_insn = call_insn;
    task->space = space;
    RRS_TRY(rrs_lookup_table_create(&session->pool, &space->table));
    return map_runtime(session, task, base);
}

struct rrs_error *rrs_space_create(struct rrs_session *session, struct rrs_task *task)
{
    struct rrs_address_space *space = calloc(1, sizeof *space);
    if (!space)
        return rrs_error_no_memory();
    space->references = 1;
    space->identity = ++session->spaces_made;
    task->space = space;
    struct exec_scan scan = {.space = space};
    RRS_TRY(rrs_maps_visit(task->tid, scan_mapping, &scan));
    uint32_t base;
    RRS_TRY(choose_base(&scan, &base));
    space->runtime = rrs_runtime_bases[base];
    RRS_TRY(find_call_insn(task, &scan));
    RRS_TRY(rrs_lookup_table_create(&session->pool, &space->table));
    RRS_TRY(map_runtime(session, task, base));
    RRS_TRY(take_execute_permission(session, task, &scan));
    return hide_vdso(task);
}

static void *copy_array(const void *array, uint32_t count, size_t element_bytes)
{
    void *copy = malloc(count * element_bytes + 1);
    assert(copy && "out of memory for an address space");
    if (count)
        memcpy(copy, array, count * element_bytes);
    return copy;
}

/*
 * Anonymous code may become different in parent and child: the child starts without its caches.
 * They are still mapped in it.
 */
static bool leave_private_caches(struct rrs_address_space *space)
{
    for (uint32_t i = 0; i < space->attachment_count; i++) {
        struct rrs_attachment *attachment = &space->attachments[i];
        if (attachment->module->private)
            space->leftovers = attachment->retired = true;
    }
    return space->leftovers;
}

struct rrs_error *rrs_space_fork(struct rrs_session *session,
                                 const struct rrs_address_space *parent,
                                 struct rrs_address_space **child)
{
    struct rrs_address_space *space = malloc(sizeof *space);
    if (!space)
        return rrs_error_no_memory();
    *space = *parent;
    space->references = 1;
    space->identity = ++session->spaces_made;
    space->fetched = NULL;
    space->writable = (struct rrs_writable){0};
    space->regions = copy_array(parent->regions, parent->region_count, sizeof *parent->regions);
    space->region_room = parent->region_count;
    space->attachments =
        copy_array(parent->attachments, parent->attachment_count, sizeof *parent->attachments);
    space->attachment_room = parent->attachment_count;
    space->pages = copy_array(parent->pages, parent->page_count, sizeof *parent->pages);
    space->page_room = parent->page_count;
    bool own_table = leave_private_caches(space);
    for (uint32_t i = 0; i < space->attachment_count; i++)
        space->attachments[i].module->references++;
    space->table->references++;
    *child = space;
    return own_table ? rrs_space_unshare_table(session, space) : NULL;
}

void rrs_space_release(struct rrs_session *session, struct rrs_address_space *space)
{
    if (!space || --space->references)
        return;
    for (uint32_t i = 0; i < space->attachment_count; i++)
        rrs_module_release(session, space->attachments[i].module);
    rrs_lookup_table_release(&session->pool, space->table);
    free(space->regions);
    free(space->attachments);
    free(space->fetched);
    free(space->pages);
    rrs_writable_deinit(&space->writable);
    free(space);
}
