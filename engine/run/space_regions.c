/* SPDX-License-Identifier: MIT */
/* The ranges of an address space that the program believes to be executable: an interval map. */
#include "engine/run/space_internal.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

const struct rrs_region *rrs_space_region_at(const struct rrs_address_space *space, rrs_addr pc)
{
    for (uint32_t i = 0; i < space->region_count; i++)
        if (pc >= space->regions[i].start && pc < space->regions[i].end)
            return &space->regions[i];
    return NULL;
}

bool rrs_space_has_code(const struct rrs_address_space *space, rrs_addr start, rrs_addr end)
{
    for (uint32_t i = 0; i < space->region_count; i++)
        if (space->regions[i].start < end && space->regions[i].end > start)
            return true;
    return false;
}

static void insert(struct rrs_address_space *space, uint32_t at, const struct rrs_region *region)
{
    if (space->region_count == space->region_room) {
        space->region_room = space->region_room ? space->region_room * 2 : 16;
        space->regions = realloc(space->regions, space->region_room * sizeof *space->regions);
        assert(space->regions && "out of memory for regions");
    }
    memmove(&space->regions[at + 1], &space->regions[at],
            (space->region_count - at) * sizeof *space->regions);
    space->regions[at] = *region;
    space->region_count++;
}

static void erase(struct rrs_address_space *space, uint32_t at)
{
    space->region_count--;
    memmove(&space->regions[at], &space->regions[at + 1],
            (space->region_count - at) * sizeof *space->regions);
}

/* Cuts [start, end) out of all regions. */
static void carve(struct rrs_address_space *space, rrs_addr start, rrs_addr end)
{
    for (uint32_t i = 0; i < space->region_count;) {
        struct rrs_region *region = &space->regions[i];
        if (region->end <= start || region->start >= end) {
            i++;
            continue;
        }
        struct rrs_region tail = *region;
        if (tail.end > end) {
            tail.file_offset += end - tail.start;
            tail.start = end;
            insert(space, i + 1, &tail);
            region = &space->regions[i];
        }
        if (region->start < start) {
            region->end = start;
            i++;
        } else {
            erase(space, i);
        }
    }
}

void rrs_regions_set(struct rrs_address_space *space, rrs_addr start, rrs_addr end,
                     const struct rrs_region *region)
{
    carve(space, start, end);
    if (!region)
        return;
    struct rrs_region copy = *region;
    copy.start = start;
    copy.end = end;
    uint32_t at = 0;
    while (at < space->region_count && space->regions[at].start < start)
        at++;
    insert(space, at, &copy);
}

void rrs_region_set_file(struct rrs_region *region, const char *path, uint64_t file_offset)
{
    struct stat st;
    region->from_file = false;
    if (stat(path, &st) < 0 || !S_ISREG(st.st_mode))
        return;
    if (st.st_nlink == 0) { /* a memfd: written at will, as code generators do */
        region->changes_unseen = true;
        return;
    }
    region->from_file = true;
    region->file_offset = file_offset;
    region->key = (struct rrs_file_key){
        .device = st.st_dev,
        .inode = st.st_ino,
        .size = (uint64_t)st.st_size,
        .mtime_ns = st.st_mtim.tv_sec * 1000000000LL + st.st_mtim.tv_nsec,
    };
}
