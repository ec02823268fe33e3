/* SPDX-License-Identifier: MIT */
/* What the program's calls do to its address space: the hosts do it, too, at the same addresses. */
#include "engine/replay/replayer.h"
#include "engine/run/address_space.h"
#include "engine/run/calls.h"
#include "engine/run/descriptors.h"
#include "engine/run/remote.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>

static struct rrs_error *inject(struct rrs_replayer *replayer, struct rrs_replay_task *task,
                                const char *what, long number, const uint64_t arguments[6])
{
    return rrs_remote_call_ok(&replayer->session, task->task, what, number, arguments, NULL);
}

/* --- new mappings --- */

static struct rrs_error *map_anonymous(struct rrs_replayer *replayer, struct rrs_replay_task *task,
                                       const struct rrs_map_item *map)
{
    uint64_t flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE |
                     (uint64_t)(map->grows_down ? MAP_GROWSDOWN : 0);
    return inject(replayer, task, "mapping memory", SYS_mmap,
                  RRS_ARGUMENTS(map->start, map->end - map->start,
                                rrs_real_protection((uint64_t)map->prot), flags, (uint64_t)-1));
}

static struct rrs_error *map_file(struct rrs_replayer *replayer, struct rrs_replay_task *task,
                                  const struct rrs_map_item *map,
                                  const struct rrs_content_file *file)
{
    if (map->file_offset < file->offset)
        return rrs_replay_diverged(replayer, "a mapping begins in front of its file's contents");
    return rrs_map_file(&replayer->session, task->task, file->fd,
                        &(struct rrs_file_mapping){
                            .start = map->start,
                            .size_bytes = map->end - map->start,
                            .offset_bytes = map->file_offset - file->offset,
                            .prot = (uint64_t)map->prot,
                            .shared = map->shared,
                        });
}

/* The translator's view of the new mapping. */
static struct rrs_error *note_code(struct rrs_replayer *replayer, struct rrs_replay_task *task,
                                   const struct rrs_map_item *map,
                                   const struct rrs_content_file *file)
{
    struct rrs_region region = {
        .writable = map->prot & PROT_WRITE,
        .unreadable = !(map->prot & PROT_READ),
        .changes_unseen = map->shared || map->grows_down,
        .from_file = file && !map->shared,
    };
    bool executable = map->prot & PROT_EXEC;
    if (!executable && !rrs_space_has_code(task->task->space, map->start, map->end))
        return NULL;
    if (region.from_file) {
        region.file_offset = map->file_offset - file->offset;
        region.key = (struct rrs_file_key){file->device, file->inode, file->bytes, 0};
    }
    return rrs_space_set_code(&replayer->session, task->task, map->start, map->end,
                              executable ? &region : NULL);
}

struct rrs_error *rrs_replay_map(struct rrs_replayer *replayer, struct rrs_replay_task *task,
                                 const struct rrs_map_item *map)
{
    const struct rrs_content_file *file = NULL;
    RRS_TRY(rrs_replay_check_range(replayer, task, map->start, map->end - map->start));
    bool has_file = map->shared || map->source == RRS_MAP_FILE;
    if (has_file)
        RRS_TRY(rrs_contents_file(&replayer->contents, replayer->reader, map, &file));
    RRS_TRY(has_file ? map_file(replayer, task, map, file) : map_anonymous(replayer, task, map));
    RRS_TRY(note_code(replayer, task, map, file));
    char *path = strndup(map->path, map->path_bytes);
    if (!path)
        return rrs_error_no_memory();
    rrs_map_list_set(&task->space->maps, &(struct rrs_map_entry){
                                             .start = map->start,
                                             .end = map->end,
                                             .prot = map->prot,
                                             .shared = map->shared,
                                             .grows_down = map->grows_down,
                                             .identity = map->identity,
                                             .file_offset = map->file_offset,
                                             .source = map->source,
                                             .blob_offset = map->blob_offset,
                                             .blob_bytes = map->blob_bytes,
                                             .blob = map->blob,
                                             .path = path,
                                         });
    free(path);
    return NULL;
}

/* --- calls --- */

struct mapping_call {
    struct rrs_replayer *replayer;
    struct rrs_replay_task *task;
    const uint64_t *args;
    uint64_t result;
};

static struct rrs_error *note_change(const struct mapping_call *c)
{
    return rrs_calls_mapping_changed(&c->replayer->session, c->task->task, c->result);
}

static struct rrs_error *check_range(const struct mapping_call *c, rrs_addr start, uint64_t bytes)
{
    return rrs_replay_check_range(c->replayer, c->task, start, bytes);
}

static struct rrs_error *call_munmap(const struct mapping_call *c)
{
    RRS_TRY(check_range(c, c->args[0], rrs_page_up(c->args[1])));
    rrs_map_list_remove(&c->task->space->maps, c->args[0], c->args[0] + rrs_page_up(c->args[1]));
    RRS_TRY(inject(c->replayer, c->task, "unmapping", SYS_munmap,
                   RRS_ARGUMENTS(c->args[0], c->args[1])));
    return note_change(c);
}

static struct rrs_error *call_mprotect(const struct mapping_call *c)
{
    enum { PROTECTIONS = PROT_READ | PROT_WRITE | PROT_EXEC };
    RRS_TRY(check_range(c, c->args[0], rrs_page_up(c->args[1])));
    rrs_map_list_protect(&c->task->space->maps, c->args[0], c->args[0] + rrs_page_up(c->args[1]),
                         (int)c->args[2] & PROTECTIONS);
    RRS_TRY(inject(c->replayer, c->task, "protecting memory", SYS_mprotect,
                   RRS_ARGUMENTS(c->args[0], c->args[1], rrs_real_protection(c->args[2]))));
    return note_change(c);
}

static struct rrs_error *call_mremap(const struct mapping_call *c)
{
    enum { DONT_UNMAP = 4 }; /* MREMAP_DONTUNMAP */
    uint64_t flags = c->args[3] & DONT_UNMAP;
    RRS_TRY(check_range(c, c->args[0], rrs_page_up(c->args[1])));
    RRS_TRY(check_range(c, c->result, rrs_page_up(c->args[2])));
    if (c->result != c->args[0])
        flags |= MREMAP_MAYMOVE | MREMAP_FIXED;
    rrs_map_list_move(&c->task->space->maps, c->args[0], rrs_page_up(c->args[1]), c->result,
                      rrs_page_up(c->args[2]), flags & DONT_UNMAP);
    RRS_TRY(inject(c->replayer, c->task, "moving a mapping", SYS_mremap,
                   RRS_ARGUMENTS(c->args[0], c->args[1], c->args[2], flags, c->result)));
    return note_change(c);
}

static struct rrs_error *call_brk(const struct mapping_call *c)
{
    struct rrs_replay_space *space = c->task->space;
    rrs_addr from = rrs_page_up(space->brk), to = rrs_page_up(c->result);
    space->brk = c->result;
    if (to < from) {
        RRS_TRY(check_range(c, to, from - to));
        rrs_map_list_remove(&space->maps, to, from);
        return inject(c->replayer, c->task, "shrinking the heap", SYS_munmap,
                      RRS_ARGUMENTS(to, from - to));
    }
    if (to == from)
        return NULL;
    const struct rrs_map_item map = {.start = from,
                                     .end = to,
                                     .prot = PROT_READ | PROT_WRITE,
                                     .path = "[heap]",
                                     .path_bytes = 6};
    return rrs_replay_map(c->replayer, c->task, &map);
}

/* The hosts are forked for other reasons, too: theirs are not told. */
static void note_on_fork(const struct mapping_call *c)
{
    enum rrs_on_fork on_fork = c->args[2] == MADV_DONTFORK     ? RRS_ON_FORK_OMIT
                               : c->args[2] == MADV_WIPEONFORK ? RRS_ON_FORK_WIPE
                                                               : RRS_ON_FORK_COPY;
    rrs_map_list_set_on_fork(&c->task->space->maps, c->args[0],
                             c->args[0] + rrs_page_up(c->args[1]), on_fork);
}

struct rrs_error *rrs_replay_after_fork(struct rrs_replayer *replayer,
                                        struct rrs_replay_task *child)
{
    struct rrs_map_list *maps = &child->space->maps;
    for (size_t i = 0; i < maps->count;) {
        const struct rrs_map_entry entry = maps->entries[i];
        if (entry.on_fork == RRS_ON_FORK_WIPE)
            RRS_TRY(inject(replayer, child, "wiping memory", SYS_madvise,
                           RRS_ARGUMENTS(entry.start, entry.end - entry.start, MADV_DONTNEED)));
        if (entry.on_fork != RRS_ON_FORK_OMIT) {
            i++;
            continue;
        }
        rrs_map_list_remove(maps, entry.start, entry.end);
        RRS_TRY(inject(replayer, child, "leaving memory out", SYS_munmap,
                       RRS_ARGUMENTS(entry.start, entry.end - entry.start)));
        RRS_TRY(rrs_space_set_code(&replayer->session, child->task, entry.start, entry.end, NULL));
    }
    return NULL;
}

static struct rrs_error *call_madvise(const struct mapping_call *c)
{
    RRS_TRY(check_range(c, c->args[0], rrs_page_up(c->args[1])));
    if (c->args[2] == MADV_DONTFORK || c->args[2] == MADV_DOFORK || c->args[2] == MADV_WIPEONFORK ||
        c->args[2] == MADV_KEEPONFORK)
        note_on_fork(c);
    uint64_t advice = c->args[2] == MADV_FREE ? MADV_DONTNEED : c->args[2];
    struct rrs_task *task = c->task->task;
    if (advice != MADV_DONTNEED && advice != MADV_REMOVE)
        return NULL;
    if (rrs_space_has_code(task->space, c->args[0], c->args[0] + rrs_page_up(c->args[1])))
        rrs_space_contents_gone(&c->replayer->session, task->space, c->args[0],
                                c->args[0] + rrs_page_up(c->args[1]));
    return inject(c->replayer, c->task, "dropping memory", SYS_madvise,
                  RRS_ARGUMENTS(c->args[0], c->args[1], advice));
}

static struct rrs_error *call_shmdt(const struct mapping_call *c)
{
    const struct rrs_map_entry *entry = rrs_map_list_at(&c->task->space->maps, c->args[0]);
    if (!entry)
        return NULL;
    rrs_addr end = entry->end;
    rrs_map_list_remove(&c->task->space->maps, c->args[0], end);
    return inject(c->replayer, c->task, "detaching shared memory", SYS_munmap,
                  RRS_ARGUMENTS(c->args[0], end - c->args[0]));
}

struct rrs_error *rrs_replay_mapping_call(struct rrs_replayer *replayer,
                                          struct rrs_replay_task *task, int number,
                                          const uint64_t args[6], int64_t result)
{
    const struct mapping_call call = {replayer, task, args, (uint64_t)result};
    if (result < 0 && result >= -4095)
        return NULL;
    switch (number) {
    case SYS_munmap:
        return call_munmap(&call);
    case SYS_mprotect:
    case SYS_pkey_mprotect:
        return call_mprotect(&call);
    case SYS_mremap:
        return call_mremap(&call);
    case SYS_brk:
        return call_brk(&call);
    case SYS_madvise:
        return call_madvise(&call);
    case SYS_shmdt:
        return call_shmdt(&call);
    default:
        return NULL;
    }
}
