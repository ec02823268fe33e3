/* SPDX-License-Identifier: MIT */
/*
 * Which memory a task can have written by the kernel. /proc/PID/maps is read once and kept until
 * the program changes its mappings.
 */
#ifndef RRS_ENGINE_RUN_WRITABLE_H
#define RRS_ENGINE_RUN_WRITABLE_H

#include "engine/run/session.h"

#include <stdbool.h>

struct rrs_writable_range {
    rrs_addr start, end; /* end is exclusive */
    bool of_file;        /* its pages may lie behind the end of the file */
};

/* Of an address space. */
struct rrs_writable {
    struct rrs_writable_range *ranges; /* ascending, disjoint */
    size_t count, room;
    bool known;
};

void rrs_writable_deinit(struct rrs_writable *writable);

/** Whether the kernel could write to all of [start, start + bytes) of the stopped task. */
bool rrs_writable_has(struct rrs_task *task, rrs_addr start, uint64_t bytes);

/** The task is about to make `number`: if that changes mappings, what was known is forgotten. */
void rrs_writable_note_call(struct rrs_task *task, int number);

#endif
