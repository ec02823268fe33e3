/* SPDX-License-Identifier: MIT */
/*
 * What mappings show, as unnamed files of the host's: one for each blob that is mapped privately,
 * and one for each memory that is shared. Hosts map pieces of them.
 */
#ifndef RRS_ENGINE_REPLAY_CONTENTS_H
#define RRS_ENGINE_REPLAY_CONTENTS_H

#include "engine/events/body.h"
#include "engine/replay/memory_guard.h"
#include "lmdb-store/trace_reader.h"

struct rrs_content_file {
    bool shared;
    struct rrs_hash blob; /* not shared */
    uint64_t identity;    /* shared */
    uint64_t offset;      /* of the recorded file: where this one begins */
    uint64_t bytes;
    uint64_t device, inode;
    int fd;
};

struct rrs_contents {
    struct rrs_content_file *files;
    size_t count, room;
    const struct rrs_memory_guard *guard; /* asked while files are filled; NULL: there is none */
};

void rrs_contents_deinit(struct rrs_contents *contents);

/**
 * The file for `map`, filled. What a shared mapping shows is brought up to what the recording found
 * in the file when it was mapped. `*file` is borrowed until the next call. Errors: OS, BAD_TRACE.
 */
RRS_MUST_CHECK struct rrs_error *rrs_contents_file(struct rrs_contents *contents,
                                                   struct rrs_trace_reader *reader,
                                                   const struct rrs_map_item *map,
                                                   const struct rrs_content_file **file);

/** The file of the shared memory with that identity, or NULL. */
const struct rrs_content_file *rrs_contents_shared(const struct rrs_contents *contents,
                                                   uint64_t identity);

/** Adds shared memory of `bytes` zeros. Error: OS. */
RRS_MUST_CHECK struct rrs_error *rrs_contents_add_shared(struct rrs_contents *contents,
                                                         uint64_t identity, uint64_t bytes);

/** Adds copies of all shared memory in `from` to `to`, which has none of it. Error: OS. */
RRS_MUST_CHECK struct rrs_error *rrs_contents_copy_shared(struct rrs_contents *to,
                                                          const struct rrs_contents *from);
void rrs_contents_drop_shared(struct rrs_contents *contents);

#endif
