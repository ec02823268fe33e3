/* SPDX-License-Identifier: MIT */
/* Files of the recorded machine, as far as the trace holds them. */
#include "engine/replay/trace_file.h"

#include "engine/events/body.h"
#include "lmdb-store/blob.h"
#include "lmdb-store/scope.h"

#include <errno.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { PAGE_BYTES = 4096 };

struct piece {
    struct rrs_hash blob;
    uint64_t event, offset, bytes;
    bool whole; /* all of the file */
};

struct file {
    char *path;
    struct piece *pieces; /* in order of their events */
    size_t n_pieces, room;
};

struct rrs_trace_files {
    void *by_path; /* a tree of struct file */
};

static int compare_paths(const void *a, const void *b)
{
    return strcmp(((const struct file *)a)->path, ((const struct file *)b)->path);
}

static void free_file(void *file)
{
    free(((struct file *)file)->path);
    free(((struct file *)file)->pieces);
    free(file);
}

void rrs_trace_files_destroy(struct rrs_trace_files *files)
{
    if (files)
        tdestroy(files->by_path, free_file);
    free(files);
}

/* The file of that path, made if there is none; NULL: out of memory. */
static struct file *find_or_add(struct rrs_trace_files *files, const char *path, size_t length)
{
    struct file *file = calloc(1, sizeof *file), **found = NULL;
    if (file && (file->path = strndup(path, length)))
        found = tsearch(file, &files->by_path, compare_paths);
    if (file && (!found || *found != file))
        free_file(file);
    return found ? *found : NULL;
}

/* A piece that begins with the file and is no whole number of pages, or longer than what was mapped
 * of it, ends with the file. */
static bool is_whole(const struct rrs_map_item *map)
{
    return map->blob_offset == 0 &&
           (map->blob_bytes % PAGE_BYTES || map->blob_bytes > map->end - map->start);
}

static bool is_known(const struct file *file, const struct rrs_map_item *map)
{
    for (size_t i = file->n_pieces; i-- > 0;) {
        const struct piece *piece = &file->pieces[i];
        if (piece->offset == map->blob_offset)
            return piece->bytes == map->blob_bytes &&
                   memcmp(&piece->blob, &map->blob, sizeof map->blob) == 0;
    }
    return false;
}

static struct rrs_error *add_piece(struct rrs_trace_files *files, uint64_t event,
                                   const struct rrs_map_item *map)
{
    struct file *file = find_or_add(files, map->path, map->path_bytes);
    if (!file)
        return rrs_error_no_memory();
    if (is_known(file, map))
        return NULL;
    if (file->n_pieces == file->room) {
        size_t room = file->room ? 2 * file->room : 4;
        struct piece *larger = reallocarray(file->pieces, room, sizeof *larger);
        if (!larger)
            return rrs_error_no_memory();
        file->pieces = larger;
        file->room = room;
    }
    file->pieces[file->n_pieces++] = (struct piece){
        map->blob, event, map->blob_offset, map->blob_bytes, is_whole(map),
    };
    return NULL;
}

static struct rrs_error *add_event(struct rrs_trace_files *files, const struct rrs_event *event)
{
    struct rrs_item_reader items = rrs_item_reader_begin(event->data, event->size_bytes);
    struct rrs_item item;
    while (rrs_item_next(&items, &item))
        if (item.kind == RRS_ITEM_MAP && item.map.source == RRS_MAP_FILE)
            RRS_TRY(add_piece(files, event->number, &item.map));
    return NULL;
}

static struct rrs_error *read_files(struct rrs_event_log *log, struct rrs_trace_files **made)
{
    struct rrs_event_cursor *cursor;
    const struct rrs_event *event;
    struct rrs_trace_files *files = calloc(1, sizeof *files);
    if (!files)
        return rrs_error_no_memory();
    struct rrs_error *error = rrs_event_cursor_create(log, NULL, &cursor);
    if (!error) {
        error = rrs_event_cursor_next(cursor, &event);
        while (!error && event) {
            error = add_event(files, event);
            if (!error)
                error = rrs_event_cursor_next(cursor, &event);
        }
        rrs_event_cursor_destroy(cursor);
    }
    if (error)
        rrs_trace_files_destroy(files);
    else
        *made = files;
    return error;
}

/* The last one before the event, else the first behind it; NULL: the trace has only parts. */
static const struct piece *choose_whole(const struct file *file, uint64_t at)
{
    const struct piece *chosen = NULL;
    for (size_t i = 0; i < file->n_pieces; i++)
        if (file->pieces[i].whole && (!chosen || file->pieces[i].event < at))
            chosen = &file->pieces[i];
    return chosen;
}

static struct rrs_error *copy_piece(struct rrs_trace_reader *reader, const struct piece *piece,
                                    int fd)
{
    return rrs_blob_copy_to_file(reader, &piece->blob, piece->bytes, fd, piece->offset);
}

static struct rrs_error *copy(struct rrs_trace_reader *reader, const struct file *file, uint64_t at,
                              int fd)
{
    const struct piece *whole = choose_whole(file, at);
    if (whole)
        return copy_piece(reader, whole, fd);
    for (size_t i = 0; i < file->n_pieces; i++)
        RRS_TRY(copy_piece(reader, &file->pieces[i], fd));
    return NULL;
}

struct rrs_error *rrs_trace_open_file(struct rrs_trace_reader *reader, struct rrs_event_log *log,
                                      struct rrs_trace_files **files, const char *path, uint64_t at,
                                      int *fd)
{
    if (!*files)
        RRS_TRY(read_files(log, files));
    const struct file wanted = {.path = (char *)path};
    struct file **found = tfind(&wanted, &(*files)->by_path, compare_paths);
    if (!found)
        return rrs_error_path(RRS_ERROR_NOT_FOUND, path, "the recording has mapped no such file");
    int made = memfd_create("rrsoft-extract", MFD_CLOEXEC);
    if (made < 0)
        return rrs_error_os(errno, NULL, "making an unnamed file");
    struct rrs_error *error = copy(reader, *found, at, made);
    if (error)
        close(made);
    else
        *fd = made;
    return error;
}
