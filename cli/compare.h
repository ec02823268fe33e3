/* SPDX-License-Identifier: MIT */
/*
 * Two recordings of one program, step by step. Two events are the same step if the same task did
 * the same thing at the same place. A task is the same if the same task made it as its n-th:
 * numbers of processes differ. Steps that are the same may differ in their inputs: in what the
 * outside gave, as times do.
 */
#ifndef RRS_CLI_COMPARE_H
#define RRS_CLI_COMPARE_H

#include "cli/decode.h"

struct birth {
    int32_t tid;
    uint64_t id; /* the same in both recordings for the same task */
    uint64_t n_children;
    uint64_t first_event;
};

/* The tasks of a recording, in order of birth. */
struct births {
    struct birth **list;
    size_t count, room;
    void *tree; /* of the same, by number */
};

/** Reads which tasks there were. Errors: NO_MEMORY, BAD_TRACE. */
RRS_MUST_CHECK struct rrs_error *births_read(struct births *births,
                                             const struct opened_trace *trace);
void births_deinit(struct births *births);

struct compared_side {
    const struct decoder *decoder;
    const struct births *births;
    const struct rrs_event *event;
};

/**
 * What makes the events two different steps, as a person says it; NULL: they are the same. A call's
 * end is the same step as the whole call, unless `exact`, when ticks have to be the same, too.
 */
const char *compare_steps(const struct compared_side *a, const struct compared_side *b, bool exact);

/** Whether two events that are the same step have the same inputs too. */
bool compare_inputs(const struct compared_side *a, const struct compared_side *b);

#endif
