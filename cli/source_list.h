/* SPDX-License-Identifier: MIT */
/* The files whose contents a trace holds because the recorded program mapped them. */
#ifndef RRS_CLI_SOURCE_LIST_H
#define RRS_CLI_SOURCE_LIST_H

#include "cli/trace.h"
#include "engine/events/body.h"

#include <stdint.h>

/* One content of one file: a file that changed between two mappings is here twice. */
struct source {
    char *path; /* as the recorder saw it; may hold any byte but NUL */
    struct rrs_hash hash;
    uint64_t offset, bytes; /* which part of the file was recorded */
    uint64_t n_mappings;
    uint64_t first_event; /* that maps it */
    int32_t first_task;
    rrs_addr first_start, first_end; /* where */
    bool code;                       /* some mapping of it is executable */
};

struct source_list {
    struct source **sources; /* in the order in which they were first mapped */
    size_t n_sources, room;
    void *tree; /* of the same, by path, hash and part */
};

/** Reads the whole log. Errors: BAD_TRACE, NO_MEMORY. */
RRS_MUST_CHECK struct rrs_error *source_list_read(const struct opened_trace *trace,
                                                  struct source_list *list);
void source_list_deinit(struct source_list *list);

#endif
