/* SPDX-License-Identifier: MIT */
/* /proc/PID/maps, line by line. */
#ifndef RRS_ENGINE_TRACEE_MAPS_H
#define RRS_ENGINE_TRACEE_MAPS_H

#include "engine/tracee/ptrace.h"

#include <limits.h>
#include <stdbool.h>

struct rrs_mapping {
    rrs_addr start, end; /* end is exclusive */
    int prot;            /* PROT_* */
    bool shared;
    uint64_t file_offset;
    uint64_t device, inode; /* inode 0: anonymous */
    char path[PATH_MAX];    /* "" if there is none */
};

/** Takes a line of such a file apart; false if it is none. */
bool rrs_maps_parse(const char *line, struct rrs_mapping *mapping);

/** Calls `visit` for each mapping in ascending order until it returns false. */
RRS_MUST_CHECK struct rrs_error *rrs_maps_visit(pid_t pid,
                                                bool (*visit)(void *, const struct rrs_mapping *),
                                                void *context);

/** The same for the file `path`. */
RRS_MUST_CHECK struct rrs_error *rrs_maps_visit_file(
    const char *path, bool (*visit)(void *, const struct rrs_mapping *), void *context);

#endif
