/* SPDX-License-Identifier: MIT */
/* Which process made which task, and which program each executed when: read once from the events.
 */
#ifndef RRS_GDBSERVER_LINEAGE_H
#define RRS_GDBSERVER_LINEAGE_H

#include "lmdb-store/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct rrs_trace_reader;

struct lineage_birth {
    uint64_t event;
    pid_t tid, pid, creator;
};

struct lineage_exec {
    uint64_t event;
    pid_t tid;
};

struct lineage {
    struct lineage_birth *births; /* in order of events */
    struct lineage_exec *execs;
    size_t n_births, n_execs;
};

/** Reads it from a trace; NULL gives an empty one. */
RRS_MUST_CHECK struct rrs_error *lineage_read(struct rrs_trace_reader *trace,
                                              struct lineage *lineage);
void lineage_deinit(struct lineage *lineage);

/** The process of a task in front of an event; what nobody made is a process of its own. */
pid_t lineage_process(const struct lineage *lineage, pid_t tid, uint64_t event);

/** The making of a task before an event: the last one, as numbers are used again. NULL: none. */
const struct lineage_birth *lineage_birth_of(const struct lineage *lineage, pid_t tid,
                                             uint64_t event);

/** The last event between two by which a task loaded a program; 0: none. */
uint64_t lineage_exec_of(const struct lineage *lineage, pid_t tid, uint64_t since, uint64_t event);

/** The event that loaded the program which a process executes in front of an event; 0: unknown. */
uint64_t lineage_program(const struct lineage *lineage, pid_t pid, uint64_t event);

#endif
