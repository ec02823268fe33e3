/* SPDX-License-Identifier: MIT */
#include "engine/replay/contents.h"

#include "lmdb-store/blob.h"
#include "lmdb-store/scope.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

void rrs_contents_deinit(struct rrs_contents *contents)
{
    for (size_t i = 0; i < contents->count; i++)
        close(contents->files[i].fd);
    free(contents->files);
    *contents = (struct rrs_contents){0};
}

static struct rrs_content_file *find(const struct rrs_contents *contents,
                                     const struct rrs_map_item *map)
{
    for (size_t i = 0; i < contents->count; i++) {
        struct rrs_content_file *file = &contents->files[i];
        if (file->shared != map->shared)
            continue;
        if (map->shared ? file->identity == map->identity
                        : file->offset == map->blob_offset &&
                              !memcmp(&file->blob, &map->blob, sizeof file->blob))
            return file;
    }
    return NULL;
}

struct fill {
    const struct rrs_contents *contents;
    int fd;
    uint64_t at;
};

static struct rrs_error *fill_piece(void *context, uint64_t offset, const uint8_t *piece,
                                    size_t size)
{
    const struct fill *fill = context;
    if (fill->contents->guard)
        RRS_TRY(rrs_memory_guard_check(fill->contents->guard));
    return pwrite(fill->fd, piece, size, (off_t)(fill->at + offset)) == (ssize_t)size
               ? NULL
               : rrs_error_os(errno, NULL, "filling a mapped file");
}

static struct rrs_error *make_room(struct rrs_contents *contents)
{
    if (contents->count == contents->room) {
        size_t room = contents->room ? contents->room * 2 : 32;
        void *moved = realloc(contents->files, room * sizeof *contents->files);
        if (!moved)
            return rrs_error_no_memory();
        contents->files = moved;
        contents->room = room;
    }
    return NULL;
}

static struct rrs_error *create(struct rrs_contents *contents, const struct rrs_map_item *map,
                                struct rrs_content_file **file)
{
    RRS_TRY(make_room(contents));
    struct stat st;
    int fd = memfd_create("rrsoft-file", MFD_CLOEXEC);
    if (fd < 0 || fstat(fd, &st) < 0)
        return rrs_error_os(errno, NULL, "making a file to be mapped");
    *file = &contents->files[contents->count++];
    **file = (struct rrs_content_file){
        .shared = map->shared,
        .blob = map->blob,
        .identity = map->identity,
        .offset = map->shared ? 0 : map->blob_offset,
        .device = st.st_dev,
        .inode = st.st_ino,
        .fd = fd,
    };
    return NULL;
}

static struct rrs_error *enlarge(struct rrs_content_file *file, uint64_t bytes)
{
    if (bytes <= file->bytes)
        return NULL;
    if (ftruncate(file->fd, (off_t)bytes) < 0)
        return rrs_error_os(errno, NULL, "enlarging a file to be mapped");
    file->bytes = bytes;
    return NULL;
}

struct rrs_error *rrs_contents_file(struct rrs_contents *contents, struct rrs_trace_reader *reader,
                                    const struct rrs_map_item *map,
                                    const struct rrs_content_file **result)
{
    struct rrs_content_file *file = find(contents, map);
    bool known = file;
    if (!file)
        RRS_TRY(create(contents, map, &file));
    *result = file;
    /* As far as it is mapped, all of it is there: what the kernel refused, the trace knows. */
    if (map->file_offset >= file->offset)
        RRS_TRY(enlarge(file, map->file_offset - file->offset + (map->end - map->start)));
    if (map->source != RRS_MAP_FILE || (known && !map->shared))
        return NULL;
    uint64_t at = map->shared ? map->blob_offset : 0;
    RRS_TRY(enlarge(file, at + map->blob_bytes));
    struct fill fill_file = {contents, file->fd, at};
    return rrs_blob_for_each_piece(reader, &map->blob, map->blob_bytes, fill_piece, &fill_file);
}

/* --- copies of shared memory --- */

struct rrs_error *rrs_contents_add_shared(struct rrs_contents *contents, uint64_t identity,
                                          uint64_t bytes)
{
    const struct rrs_map_item map = {.shared = true, .identity = identity};
    struct rrs_content_file *file;
    RRS_TRY(create(contents, &map, &file));
    return enlarge(file, bytes);
}

const struct rrs_content_file *rrs_contents_shared(const struct rrs_contents *contents,
                                                   uint64_t identity)
{
    for (size_t i = 0; i < contents->count; i++)
        if (contents->files[i].shared && contents->files[i].identity == identity)
            return &contents->files[i];
    return NULL;
}

static struct rrs_error *copy_bytes(int from, int to, off_t at, off_t end)
{
    enum { PIECE = 1 << 20 };
    _cleanup_free_ uint8_t *buffer = malloc(PIECE);
    if (!buffer)
        return rrs_error_no_memory();
    while (at < end) {
        ssize_t size = pread(from, buffer, end - at < PIECE ? (size_t)(end - at) : PIECE, at);
        if (size <= 0 || pwrite(to, buffer, (size_t)size, at) != size)
            return rrs_error_os(errno, NULL, "copying shared memory");
        at += size;
    }
    return NULL;
}

/* Holes stay holes. */
static struct rrs_error *copy_file(const struct rrs_content_file *from, int to)
{
    if (ftruncate(to, (off_t)from->bytes) < 0)
        return rrs_error_os(errno, NULL, "copying shared memory");
    for (off_t at = 0, end; (at = lseek(from->fd, at, SEEK_DATA)) >= 0; at = end) {
        end = lseek(from->fd, at, SEEK_HOLE);
        RRS_TRY(copy_bytes(from->fd, to, at, end));
    }
    return NULL;
}

struct rrs_error *rrs_contents_copy_shared(struct rrs_contents *to, const struct rrs_contents *from)
{
    for (size_t i = 0; i < from->count; i++) {
        const struct rrs_content_file *file = &from->files[i];
        if (!file->shared)
            continue;
        const struct rrs_map_item map = {.shared = true, .identity = file->identity};
        struct rrs_content_file *copy;
        RRS_TRY(create(to, &map, &copy));
        copy->bytes = file->bytes;
        RRS_TRY(copy_file(file, copy->fd));
    }
    return NULL;
}

void rrs_contents_drop_shared(struct rrs_contents *contents)
{
    size_t kept = 0;
    for (size_t i = 0; i < contents->count; i++) {
        if (contents->files[i].shared)
            close(contents->files[i].fd);
        else
            contents->files[kept++] = contents->files[i];
    }
    contents->count = kept;
}
