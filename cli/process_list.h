/* SPDX-License-Identifier: MIT */
/* The processes of a recording: who made whom, what each ran, how long, and how it ended. */
#ifndef RRS_CLI_PROCESS_LIST_H
#define RRS_CLI_PROCESS_LIST_H

#include "cli/trace.h"

#include <stdbool.h>
#include <stdint.h>

struct process {
    int32_t pid, parent; /* numbers; parent 0: not in the trace */
    size_t parent_place; /* in the list, plus 1, always before this one; 0: none */
    uint32_t n_tasks;    /* all that it ever had */
    uint32_t n_execs;
    uint64_t exec_event; /* by which it loaded what it ran last; 0: none */
    uint64_t ticks;
    uint64_t first_event, last_event; /* of its life; 0: none seen */
    bool ended;
    int status;    /* wait status, if it ended */
    char *program; /* path of what it ran last; NULL if it never loaded any */
    char **command_line;
    size_t n_words;
};

struct process_list {
    struct process *processes; /* in the order in which they came into being */
    size_t n_processes;
};

/**
 * Reads the whole log. A process whose beginning is not in the trace has no parent (0). Errors:
 * BAD_TRACE, NO_MEMORY.
 */
RRS_MUST_CHECK struct rrs_error *process_list_read(const struct opened_trace *trace,
                                                   struct process_list *list);
void process_list_deinit(struct process_list *list);

#endif
