/* SPDX-License-Identifier: MIT */
/*
 * Mappings as they come to be: of a program that was loaded, and by mmap and shmat. A mapping is
 * described with where its contents come from; what the kernel has changed of them since (the
 * stack, the end of a data segment) follows as memory.
 */
#include "engine/record/files.h"
#include "engine/record/recorder.h"
#include "engine/run/address_space.h"
#include "engine/tracee/maps.h"
#include "lmdb-store/scope.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/shm.h>
#include <sys/stat.h>
#include <sys/syscall.h>

enum { PAGE = 4096 };

struct image {
    struct rrs_recorder *recorder;
    const struct rrs_task *task;
    struct rrs_error *error;
};

/* --- what differs from the source --- */

/* Adds the pages of [from, to) whose contents are not those in `source` (NULL: zeros). */
static struct rrs_error *add_changed_pages(struct image *image, rrs_addr from, rrs_addr to,
                                           int source, uint64_t offset)
{
    enum { PIECE = 64 * PAGE };
    _cleanup_free_ uint8_t *now = malloc(PIECE), *then = malloc(PIECE);
    if (!now || !then)
        return rrs_error_no_memory();
    while (from < to) {
        size_t piece = to - from < PIECE ? to - from : PIECE;
        size_t size = rrs_tracee_read(image->task->tid, from, now, piece);
        memset(then, 0, piece);
        if (source >= 0 && pread(source, then, piece, (off_t)offset) < 0)
            return rrs_error_os(errno, NULL, "reading a mapped file");
        for (size_t at = 0; at < size; at += PAGE)
            if (memcmp(now + at, then + at, PAGE))
                RRS_TRY(rrs_recorder_add_bytes(image->recorder, from + at, now + at, PAGE));
        from += piece;
        offset += piece;
    }
    return NULL;
}

/* --- the mappings of a program --- */

static bool is_ours(const struct rrs_task *task, const struct rrs_mapping *mapping)
{
    rrs_addr runtime = task->space->runtime;
    rrs_addr end = runtime + RRS_RUNTIME_BYTES + RRS_OUTPUTS_BYTES;
    return (mapping->start >= runtime && mapping->start < end) ||
           mapping->start >= 1ull << 63 || !strcmp(mapping->path, "[vdso]") ||
           !strncmp(mapping->path, "[vvar", 5);
}

static struct rrs_map_item describe(const struct rrs_task *task, const struct rrs_mapping *mapping)
{
    struct rrs_map_item map = {
        .start = mapping->start,
        .end = mapping->end,
        .prot = mapping->prot,
        .shared = mapping->shared,
        .grows_down = !strcmp(mapping->path, "[stack]"),
        .file_offset = mapping->file_offset,
        .path = mapping->path,
        .path_bytes = strlen(mapping->path),
    };
    const struct rrs_region *region = rrs_space_region_at(task->space, mapping->start);
    if (region)
        map.prot =
            (region->unreadable ? 0 : PROT_READ) | (region->writable ? PROT_WRITE : 0) | PROT_EXEC;
    return map;
}

static bool opens_inode(const char *path, const struct rrs_mapping *mapping, int *fd)
{
    struct stat st;
    int opened = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (opened < 0)
        return false;
    if (fstat(opened, &st) < 0 || st.st_ino != mapping->inode) {
        close(opened);
        return false;
    }
    *fd = opened;
    return true;
}

/* A mapped file may be deleted, without a name ever (a memfd), or in another root directory. */
static int open_mapped(const struct rrs_task *task, const struct rrs_mapping *mapping)
{
    char path[PATH_MAX + 64];
    int fd = -1;
    if (opens_inode(mapping->path, mapping, &fd))
        return fd;
    snprintf(path, sizeof path, "/proc/%d/map_files/%lx-%lx", task->tid,
             (unsigned long)mapping->start, (unsigned long)mapping->end);
    if (opens_inode(path, mapping, &fd))
        return fd;
    snprintf(path, sizeof path, "/proc/%d/exe", task->tid);
    if (opens_inode(path, mapping, &fd))
        return fd;
    snprintf(path, sizeof path, "/proc/%d/root%s", task->tid, mapping->path);
    opens_inode(path, mapping, &fd);
    return fd;
}

static struct rrs_error *add_one(struct image *image, const struct rrs_mapping *mapping)
{
    struct rrs_recorder *recorder = image->recorder;
    struct rrs_map_item map = describe(image->task, mapping);
    _cleanup_close_ int fd = -1;
    if (mapping->inode) {
        fd = open_mapped(image->task, mapping);
        if (fd >= 0)
            RRS_TRY(rrs_recorded_files_add(recorder->files, recorder->writer, fd,
                                           &recorder->next_identity, &map));
    }
    rrs_body_put_map(&recorder->body, &map);
    bool changes = mapping->prot & PROT_WRITE || fd < 0; /* what no file tells, the memory does */
    if (!changes || !(mapping->prot & PROT_READ))
        return NULL;
    return add_changed_pages(image, map.start, map.end, fd, map.file_offset);
}

/* Where the program's protection changes within [from, to): the end of the first part. */
static rrs_addr end_of_part(const struct rrs_address_space *space, rrs_addr from, rrs_addr to)
{
    const struct rrs_region *here = rrs_space_region_at(space, from);
    if (here)
        return here->end < to ? here->end : to;
    for (uint32_t i = 0; i < space->region_count; i++)
        if (space->regions[i].start > from && space->regions[i].start < to)
            to = space->regions[i].start;
    return to;
}

/* The kernel has joined what differs by the execute permission alone, which the engine took. */
static bool visit(void *context, const struct rrs_mapping *mapping)
{
    struct image *image = context;
    if (is_ours(image->task, mapping))
        return true;
    struct rrs_mapping part = *mapping;
    while (part.start < mapping->end && !image->error) {
        part.end = end_of_part(image->task->space, part.start, mapping->end);
        image->error = add_one(image, &part);
        part.file_offset += part.end - part.start;
        part.start = part.end;
    }
    return !image->error;
}

static rrs_addr program_break(pid_t tid)
{
    enum { START_BRK = 47 }; /* field of /proc/PID/stat: man 5 proc_pid_stat */
    char path[64], line[2048];
    snprintf(path, sizeof path, "/proc/%d/stat", tid);
    _cleanup_fclose_ FILE *file = fopen(path, "re");
    const char *at = file && fgets(line, sizeof line, file) ? strrchr(line, ')') : NULL;
    for (int field = 2; at && field < START_BRK; field++)
        at = strchr(at + 1, ' ');
    return at ? strtoull(at, NULL, 10) : 0;
}

static uint32_t runtime_index(const struct rrs_task *task)
{
    uint32_t index = 0;
    while (rrs_runtime_bases[index] != task->space->runtime)
        index++;
    return index;
}

struct rrs_error *rrs_recorder_add_image(struct rrs_recorder *recorder, const struct rrs_task *task)
{
    struct image image = {.recorder = recorder, .task = task};
    char link[64], program[PATH_MAX];
    snprintf(link, sizeof link, "/proc/%d/exe", task->tid);
    ssize_t length = readlink(link, program, sizeof program);
    rrs_body_put_bytes(&recorder->body, RRS_ITEM_PROGRAM, program, length > 0 ? (size_t)length : 0);
    rrs_body_put_runtime(&recorder->body, runtime_index(task), program_break(task->tid));
    struct rrs_error *error = rrs_maps_visit(task->tid, visit, &image);
    return error ? error : image.error;
}

/* --- mmap and shmat --- */

static struct rrs_error *add_file(struct rrs_recorder *recorder, const struct rrs_task *task,
                                  int task_fd, struct rrs_map_item *map, char path[PATH_MAX])
{
    char link[64];
    snprintf(link, sizeof link, "/proc/%d/fd/%d", task->tid, task_fd);
    ssize_t length = readlink(link, path, PATH_MAX);
    map->path = path;
    map->path_bytes = length > 0 ? (size_t)length : 0;
    _cleanup_close_ int fd = open(link, O_RDONLY | O_CLOEXEC);
    if (fd < 0) { /* a file that only the program may read, a device: its memory tells */
        rrs_session_warn(recorder->session,
                         "process %d: the file behind descriptor %d is mapped and cannot be read",
                         task->process->tgid, task_fd);
        return NULL;
    }
    return rrs_recorded_files_add(recorder->files, recorder->writer, fd, &recorder->next_identity,
                                  map);
}

static struct rrs_error *add_mmap(struct rrs_recorder *recorder, const struct rrs_task *task,
                                  rrs_addr start)
{
    const struct user_regs_struct *asked = &task->call_regs;
    char path[PATH_MAX];
    struct rrs_map_item map = {
        .start = start,
        .end = start + rrs_page_up(asked->rsi),
        .prot = (int)asked->rdx & (PROT_READ | PROT_WRITE | PROT_EXEC),
        .shared = asked->r10 & MAP_SHARED,
        .grows_down = asked->r10 & MAP_GROWSDOWN,
    };
    if (!(asked->r10 & MAP_ANONYMOUS)) {
        map.file_offset = asked->r9;
        RRS_TRY(add_file(recorder, task, (int)asked->r8, &map, path));
    } else if (map.shared) {
        map.identity = recorder->next_identity++;
    }
    rrs_body_put_map(&recorder->body, &map);
    return NULL;
}

/* Segments get identities of their own, far from those of files. */
static struct rrs_error *add_shmat(struct rrs_recorder *recorder, const struct rrs_task *task,
                                   rrs_addr start)
{
    const struct user_regs_struct *asked = &task->call_regs;
    const uint64_t segments = 1ull << 32;
    struct shmid_ds ds;
    if (shmctl((int)asked->rdi, IPC_STAT, &ds) < 0)
        return rrs_error_os(errno, NULL, "looking at a segment of shared memory");
    int prot = PROT_READ | (asked->rdx & SHM_RDONLY ? 0 : PROT_WRITE) |
               (asked->rdx & SHM_EXEC ? PROT_EXEC : 0);
    struct rrs_map_item map = {
        .start = start,
        .end = start + rrs_page_up(ds.shm_segsz),
        .prot = prot,
        .shared = true,
        .identity = segments + (uint32_t)asked->rdi,
    };
    rrs_body_put_map(&recorder->body, &map);
    return rrs_recorder_add_memory(recorder, task, map.start, map.end - map.start);
}

struct rrs_error *rrs_recorder_add_mapping(struct rrs_recorder *recorder,
                                           const struct rrs_task *task, rrs_addr start)
{
    return task->call == SYS_shmat ? add_shmat(recorder, task, start)
                                   : add_mmap(recorder, task, start);
}
