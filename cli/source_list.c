/* SPDX-License-Identifier: MIT */
#include "cli/source_list.h"

#include "cli/decode.h"

#include <search.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

static int compare_numbers(uint64_t left, uint64_t right)
{
    return (left > right) - (left < right);
}

static int compare_sources(const void *a, const void *b)
{
    const struct source *left = a, *right = b;
    int order = memcmp(&left->hash, &right->hash, sizeof left->hash);
    if (!order)
        order = compare_numbers(left->offset, right->offset);
    if (!order)
        order = compare_numbers(left->bytes, right->bytes);
    return order ? order : strcmp(left->path, right->path);
}

static void free_source(struct source *source)
{
    free(source->path);
    free(source);
}

static struct source *make_source(const struct rrs_event *event, const struct rrs_map_item *map)
{
    struct source *source = calloc(1, sizeof *source);
    if (!source)
        return NULL;
    *source = (struct source){
        .path = strndup(map->path, map->path_bytes),
        .hash = map->blob,
        .offset = map->blob_offset,
        .bytes = map->blob_bytes,
        .first_event = event->number,
        .first_task = event->task,
        .first_start = map->start,
        .first_end = map->end,
    };
    if (source->path)
        return source;
    free(source);
    return NULL;
}

static bool append(struct source_list *list, struct source *source)
{
    if (list->n_sources == list->room) {
        size_t room = list->room ? list->room * 2 : 32;
        struct source **larger = reallocarray(list->sources, room, sizeof *larger);
        if (!larger)
            return false;
        list->sources = larger;
        list->room = room;
    }
    list->sources[list->n_sources++] = source;
    return true;
}

static struct rrs_error *add_mapping(struct source_list *list, const struct rrs_event *event,
                                     const struct rrs_map_item *map)
{
    struct source *source = make_source(event, map);
    if (!source)
        return rrs_error_no_memory();
    struct source **found = tsearch(source, &list->tree, compare_sources);
    if (found && *found == source && !append(list, source)) {
        tdelete(source, &list->tree, compare_sources);
        found = NULL;
    }
    if (!found || *found != source)
        free_source(source);
    if (!found)
        return rrs_error_no_memory();
    (*found)->n_mappings++;
    (*found)->code |= map->prot & PROT_EXEC;
    return NULL;
}

static struct rrs_error *see(struct source_list *list, const struct decoder *decoder,
                             const struct rrs_event *event)
{
    struct rrs_item item;
    enum rrs_event_kind kind = decode_kind(decoder, event);
    if (kind == RRS_EVENT_NONE)
        return NULL;
    struct rrs_item_reader items = rrs_item_reader_begin(event->data, event->size_bytes);
    while (rrs_item_next(&items, &item))
        if (item.kind == RRS_ITEM_MAP && item.map.source == RRS_MAP_FILE)
            RRS_TRY(add_mapping(list, event, &item.map));
    return NULL;
}

struct rrs_error *source_list_read(const struct opened_trace *trace, struct source_list *list)
{
    struct decoder decoder;
    struct rrs_event_cursor *cursor;
    const struct rrs_event *event;
    *list = (struct source_list){0};
    RRS_TRY(rrs_event_cursor_create(trace->log, NULL, &cursor));
    decoder_init(&decoder, trace);
    struct rrs_error *error = rrs_event_cursor_next(cursor, &event);
    while (!error && event) {
        error = see(list, &decoder, event);
        if (!error)
            error = rrs_event_cursor_next(cursor, &event);
    }
    decoder_deinit(&decoder);
    rrs_event_cursor_destroy(cursor);
    return error;
}

static void keep(void *source)
{
    (void)source; /* it is freed by way of the array */
}

void source_list_deinit(struct source_list *list)
{
    tdestroy(list->tree, keep);
    for (size_t i = 0; i < list->n_sources; i++)
        free_source(list->sources[i]);
    free(list->sources);
    *list = (struct source_list){0};
}
