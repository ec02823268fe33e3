/* SPDX-License-Identifier: MIT */
/* The mappings of an address space as the program sees them: disjoint ranges in rising order. */
#ifndef RRS_ENGINE_REPLAY_MAP_LIST_H
#define RRS_ENGINE_REPLAY_MAP_LIST_H

#include "engine/events/body.h"

/* What becomes of a mapping in the child of a fork: man 2 madvise. */
enum rrs_on_fork { RRS_ON_FORK_COPY, RRS_ON_FORK_OMIT, RRS_ON_FORK_WIPE };

struct rrs_map_entry {
    rrs_addr start, end; /* end is exclusive */
    int prot;
    bool shared, grows_down;
    enum rrs_on_fork on_fork;
    uint64_t identity; /* of shared memory: see rrs_map_item */
    uint64_t file_offset;
    enum rrs_map_source source;
    uint64_t blob_offset, blob_bytes; /* of the file's contents: see rrs_map_item */
    struct rrs_hash blob;
    char *path; /* "" if anonymous; owned */
};

struct rrs_map_list {
    struct rrs_map_entry *entries;
    size_t count, room;
};

void rrs_map_list_deinit(struct rrs_map_list *list);

/** Makes `to`, which is empty, equal to `from`. */
void rrs_map_list_copy(struct rrs_map_list *to, const struct rrs_map_list *from);

/** Puts a mapping in place of whatever is in its range. `path` is copied. */
void rrs_map_list_set(struct rrs_map_list *list, const struct rrs_map_entry *entry);
void rrs_map_list_remove(struct rrs_map_list *list, rrs_addr start, rrs_addr end);
void rrs_map_list_protect(struct rrs_map_list *list, rrs_addr start, rrs_addr end, int prot);

void rrs_map_list_set_on_fork(struct rrs_map_list *list, rrs_addr start, rrs_addr end,
                              enum rrs_on_fork on_fork);

/** mremap: what was at [from, from + from_bytes) is now at [to, to + to_bytes). */
void rrs_map_list_move(struct rrs_map_list *list, rrs_addr from, uint64_t from_bytes, rrs_addr to,
                       uint64_t to_bytes, bool keep);

/** The entry that holds `address`, or NULL. Valid until the list changes. */
const struct rrs_map_entry *rrs_map_list_at(const struct rrs_map_list *list, rrs_addr address);

#endif
