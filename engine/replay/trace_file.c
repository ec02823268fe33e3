/* SPDX-License-Identifier: MIT */
/* Files of the recorded machine, as far as the trace holds them. */
#include "engine/replay/trace_file.h"

#include "engine/events/body.h"
#include "lmdb-store/blob.h"
#include "lmdb-store/scope.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static bool is_file(const struct rrs_item *item, const char *path)
{
    return item->kind == RRS_ITEM_MAP && item->map.source == RRS_MAP_FILE &&
           item->map.path_bytes == strlen(path) &&
           !memcmp(item->map.path, path, item->map.path_bytes);
}

/* Copies what the event's mappings have of the file; `*whole`: that is all of it. */
static struct rrs_error *copy_pieces(struct rrs_trace_reader *reader, const struct rrs_event *event,
                                     const char *path, int *fd, bool *whole)
{
    struct rrs_item_reader items = rrs_item_reader_begin(event->data, event->size_bytes);
    struct rrs_item item;
    while (rrs_item_next(&items, &item)) {
        if (!is_file(&item, path))
            continue;
        if (*fd < 0)
            *fd = memfd_create("rrsoft-extract", MFD_CLOEXEC);
        if (*fd < 0)
            return rrs_error_os(errno, NULL, "making an unnamed file");
        RRS_TRY(rrs_blob_copy_to_file(reader, &item.map.blob, item.map.blob_bytes, *fd,
                                      item.map.blob_offset));
        *whole = item.map.blob_offset == 0;
        if (*whole)
            return NULL;
    }
    return NULL;
}

struct rrs_error *rrs_trace_open_file(struct rrs_trace_reader *reader, struct rrs_event_log *log,
                                      const char *path, int *fd)
{
    struct rrs_event_cursor *cursor;
    const struct rrs_event *event;
    int found = -1;
    bool whole = false;
    RRS_TRY(rrs_event_cursor_create(log, NULL, &cursor));
    struct rrs_error *error = rrs_event_cursor_next(cursor, &event);
    while (!error && event && !whole) {
        error = copy_pieces(reader, event, path, &found, &whole);
        if (!error)
            error = rrs_event_cursor_next(cursor, &event);
    }
    rrs_event_cursor_destroy(cursor);
    if (!error && found < 0)
        error = rrs_error_path(RRS_ERROR_NOT_FOUND, path, "the recording has mapped no such file");
    if (error && found >= 0)
        close(found);
    if (!error)
        *fd = found;
    return error;
}
