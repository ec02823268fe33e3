/* SPDX-License-Identifier: MIT */
#include "engine/replay/map_list.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

static char *copy_path(const char *path)
{
    char *copy = strdup(path);
    assert(copy && "out of memory for a mapping");
    return copy;
}

void rrs_map_list_deinit(struct rrs_map_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        free(list->entries[i].path);
    free(list->entries);
    *list = (struct rrs_map_list){0};
}

/* `entry`'s path goes to the list. */
static void insert(struct rrs_map_list *list, size_t at, const struct rrs_map_entry *entry)
{
    if (list->count == list->room) {
        list->room = list->room ? list->room * 2 : 32;
        list->entries = realloc(list->entries, list->room * sizeof *list->entries);
        assert(list->entries && "out of memory for mappings");
    }
    memmove(&list->entries[at + 1], &list->entries[at], (list->count - at) * sizeof *list->entries);
    list->entries[at] = *entry;
    list->count++;
}

void rrs_map_list_copy(struct rrs_map_list *to, const struct rrs_map_list *from)
{
    for (size_t i = 0; i < from->count; i++) {
        struct rrs_map_entry entry = from->entries[i];
        entry.path = copy_path(entry.path);
        insert(to, i, &entry);
    }
}

static size_t first_ending_behind(const struct rrs_map_list *list, rrs_addr address)
{
    size_t low = 0, high = list->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (list->entries[middle].end <= address)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* Makes `address` a border: an entry that holds it becomes two. */
static void cut(struct rrs_map_list *list, rrs_addr address)
{
    size_t at = first_ending_behind(list, address);
    if (at == list->count || list->entries[at].start >= address)
        return;
    struct rrs_map_entry tail = list->entries[at];
    tail.path = copy_path(tail.path);
    tail.file_offset += address - tail.start;
    tail.start = address;
    list->entries[at].end = address;
    insert(list, at + 1, &tail);
}

void rrs_map_list_remove(struct rrs_map_list *list, rrs_addr start, rrs_addr end)
{
    cut(list, start);
    cut(list, end);
    size_t from = first_ending_behind(list, start), to = from;
    while (to < list->count && list->entries[to].start < end)
        free(list->entries[to++].path);
    if (from == to)
        return; /* there may be no array */
    memmove(&list->entries[from], &list->entries[to], (list->count - to) * sizeof *list->entries);
    list->count -= to - from;
}

void rrs_map_list_set(struct rrs_map_list *list, const struct rrs_map_entry *entry)
{
    struct rrs_map_entry new = *entry;
    new.path = copy_path(entry->path);
    rrs_map_list_remove(list, entry->start, entry->end);
    insert(list, first_ending_behind(list, entry->start), &new);
}

void rrs_map_list_protect(struct rrs_map_list *list, rrs_addr start, rrs_addr end, int prot)
{
    cut(list, start);
    cut(list, end);
    for (size_t i = first_ending_behind(list, start);
         i < list->count && list->entries[i].start < end; i++)
        list->entries[i].prot = prot;
}

void rrs_map_list_set_on_fork(struct rrs_map_list *list, rrs_addr start, rrs_addr end,
                              enum rrs_on_fork on_fork)
{
    cut(list, start);
    cut(list, end);
    for (size_t i = first_ending_behind(list, start);
         i < list->count && list->entries[i].start < end; i++)
        list->entries[i].on_fork = on_fork;
}

void rrs_map_list_move(struct rrs_map_list *list, rrs_addr from, uint64_t from_bytes, rrs_addr to,
                       uint64_t to_bytes, bool keep)
{
    const struct rrs_map_entry *source = rrs_map_list_at(list, from);
    if (!source)
        return;
    struct rrs_map_entry moved = *source;
    moved.path = copy_path(source->path);
    moved.file_offset += from - source->start;
    moved.start = to;
    moved.end = to + to_bytes;
    if (!keep)
        rrs_map_list_remove(list, from, from + from_bytes);
    rrs_map_list_set(list, &moved);
    free(moved.path);
}

const struct rrs_map_entry *rrs_map_list_at(const struct rrs_map_list *list, rrs_addr address)
{
    size_t at = first_ending_behind(list, address);
    return at < list->count && list->entries[at].start <= address ? &list->entries[at] : NULL;
}
