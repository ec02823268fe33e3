/* SPDX-License-Identifier: MIT */
/* Which events a command shows: the options that `events` and `dump` share, and the walk. */
#ifndef RRS_CLI_SELECTION_H
#define RRS_CLI_SELECTION_H

#include "cli/options.h"
#include "cli/trace.h"

struct selection {
    struct option_number from, to, tick, task;
    const char *kind;
};

/* Rows for a command's table of options; `s` is a struct selection. */
#define SELECTION_OPTIONS(s)                                                                   \
    {"from", 0, OPTION_NUMBER, "EVENT", "begin with this event number", &(s).from},            \
        {"to", 0, OPTION_NUMBER, "EVENT", "end with this event number", &(s).to},              \
        {"tick",   0, OPTION_NUMBER, "TICK", "begin with the first event at or after a tick",  \
         &(s).tick},                                                                           \
        {"task", 0, OPTION_NUMBER, "TASK", "only events of this task", &(s).task},             \
    {                                                                                          \
        "kind", 0, OPTION_TEXT, "KIND", "only events of this kind (name or number)", &(s).kind \
    }

/** Sees to it that the options make sense together; false: a mistake was reported. */
bool selection_check(const char *command, const struct selection *selection);

/**
 * Makes a cursor over the events that are selected; the caller destroys it. Errors: USAGE (no such
 * kind or task), NO_MEMORY.
 */
RRS_MUST_CHECK struct rrs_error *selection_open(const char *command,
                                                const struct selection *selection,
                                                const struct opened_trace *trace,
                                                struct rrs_event_cursor **cursor);

/** The first event that is selected, and the next; NULL behind the last. Errors: the cursor's. */
RRS_MUST_CHECK struct rrs_error *selection_first(const struct selection *selection,
                                                 struct rrs_event_cursor *cursor,
                                                 const struct rrs_event **event);
RRS_MUST_CHECK struct rrs_error *selection_next(const struct selection *selection,
                                                struct rrs_event_cursor *cursor,
                                                const struct rrs_event **event);

#endif
