/* SPDX-License-Identifier: MIT */
/* The names that tasks have given themselves or each other, as the events tell. */
#ifndef RRS_GDBSERVER_TASK_NAMES_H
#define RRS_GDBSERVER_TASK_NAMES_H

#include "gdbserver/lineage.h"

enum { TASK_NAME_BYTES = 16 };

struct task_names {
    bool known;              /* the recording was looked through */
    struct task_name *names; /* in order of events */
    size_t n_names;
};

void task_names_deinit(struct task_names *names);

/**
 * The name that a task was given before an event: by itself, by another one, or inherited from the
 * one that made it. NULL: none since its program was loaded, whose name it has then. The first call
 * reads the whole trace (NULL: there is none).
 */
const char *task_names_find(struct task_names *names, struct rrs_trace_reader *trace,
                            const struct lineage *lineage, pid_t tid, uint64_t event);

#endif
