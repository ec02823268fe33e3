/* SPDX-License-Identifier: MIT */
/*
 * The breakpoints and watchpoints that gdb has asked for. gdb takes all of them out at each stop
 * and puts them in again before it resumes, so packets change this table only, and the timeline
 * gets what has really changed when something is about to move.
 */
#ifndef RRS_GDBSERVER_BREAKPOINTS_H
#define RRS_GDBSERVER_BREAKPOINTS_H

#include "engine/replay/timeline.h"
#include "lmdb-store/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The numbers of the Z packets. */
enum breakpoint_kind {
    BREAKPOINT_SOFTWARE,
    BREAKPOINT_HARDWARE,
    BREAKPOINT_WRITE,
    BREAKPOINT_READ,
    BREAKPOINT_ACCESS,
    BREAKPOINT_KINDS
};

struct breakpoint;
struct rrs_gdbserver;

struct breakpoints {
    struct breakpoint *first;
    pid_t checked_tid; /* of the task asked about last: whether it is of gdb's process */
    bool checked_result;
};

void breakpoints_deinit(struct breakpoints *breakpoints);

/** Puts one into process `pid`. `conditions`: ";X<hex length>,<bytecode>..." or empty; they replace
 * those before. Errors: USAGE for conditions that are none, NO_MEMORY. */
RRS_MUST_CHECK struct rrs_error *breakpoints_insert(struct breakpoints *breakpoints, pid_t pid,
                                                    enum breakpoint_kind kind, rrs_addr address,
                                                    uint64_t bytes, const uint8_t *conditions,
                                                    size_t conditions_size);
void breakpoints_remove(struct breakpoints *breakpoints, pid_t pid, enum breakpoint_kind kind,
                        rrs_addr address, uint64_t bytes);

/** Takes those of a process out. */
void breakpoints_remove_of(struct breakpoints *breakpoints, pid_t pid);

/** Takes all of them out: a new gdb knows of none. */
void breakpoints_remove_all(struct breakpoints *breakpoints);

/** Makes the timeline stop at what is in the table (or at none of it) from the next movement on. */
RRS_MUST_CHECK struct rrs_error *breakpoints_place(struct rrs_gdbserver *server, bool none);

/** Whether a breakpoint there was taken out for the movement to come: gdb steps over it. */
bool breakpoints_lifted(const struct breakpoints *breakpoints, pid_t pid, rrs_addr pc);

/** Whether one of that kind is at the address. */
bool breakpoints_has(const struct breakpoints *breakpoints, pid_t pid, enum breakpoint_kind kind,
                     rrs_addr address);

#endif
