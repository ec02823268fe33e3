/* SPDX-License-Identifier: MIT */
/*
 * A program executed once under PTRACE_SINGLESTEP, with the registers and the changed memory of
 * every instruction kept: a recording small enough to be held in memory, in which every place can
 * be looked at. For static programs of one thread and some ten thousand instructions.
 */
#ifndef RRS_TESTS_GDB_FAKE_PROGRAM_H
#define RRS_TESTS_GDB_FAKE_PROGRAM_H

#include "engine/replay/timeline.h"

struct fake_change {
    rrs_addr address; /* of eight bytes */
    uint64_t before, after;
};

struct fake_step {
    struct user_regs_struct regs; /* in front of the instruction */
    size_t first_change;          /* of the instruction; the next step's is the end */
    uint64_t event, tick;
};

struct fake_segment {
    struct rrs_timeline_mapping mapping;
    uint8_t *bytes;    /* at the current place */
    uint64_t *scratch; /* of the same size, for comparing */
};

struct fake_program {
    char path[512];
    pid_t pid; /* stopped in front of its exit: trials run in it */
    struct fake_segment *segments;
    size_t n_segments;
    struct fake_step *steps;
    size_t n_steps;
    struct fake_change *changes;
    size_t n_changes;
    uint8_t auxv[RRS_AUXV_MAX_BYTES];
    size_t auxv_bytes;
    uint8_t xstate[RRS_XSTATE_MAX_BYTES]; /* of the beginning, taken for that of all */
    size_t xstate_bytes;
};

/** Runs the program to its exit. What it writes to stdout is dropped. Memory stands at the end. */
RRS_MUST_CHECK struct rrs_error *fake_program_record(const char *path,
                                                     struct fake_program *program);
void fake_program_deinit(struct fake_program *program);

/** The bytes of the segment that holds [address, address + bytes), or NULL. */
uint8_t *fake_program_memory(const struct fake_program *program, rrs_addr address, size_t bytes);

#endif
