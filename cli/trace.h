/* SPDX-License-Identifier: MIT */
/* A trace as a command's argument: found by name or path, opened, and closed at the end of a scope.
 */
#ifndef RRS_CLI_TRACE_H
#define RRS_CLI_TRACE_H

#include "cli/json.h"
#include "lmdb-store/error.h"
#include "lmdb-store/event_log_reader.h"
#include "lmdb-store/metadata.h"
#include "lmdb-store/trace_dir.h"
#include "lmdb-store/trace_reader.h"

/* The paragraph on TRACE in the help of every command that reads one. */
#define TRACE_HELP \
    "TRACE is a name that 'rrsoft ls' shows or a path (with a '/'); default: the latest trace.\n"

/* All that a command asks of a trace that it reads. */
struct opened_trace {
    char *path;
    struct rrs_trace_reader *reader;
    struct rrs_metadata metadata;
    struct rrs_event_log *log;
    struct rrs_event_log_bounds bounds;
};

/**
 * Finds and opens the trace that `argument` names (NULL: the latest). On failure `*trace` is to be
 * ended too, and has the path if the trace was found. Errors: those of rrs_trace_dir_resolve() and
 * rrs_trace_reader_open().
 */
RRS_MUST_CHECK struct rrs_error *trace_open(const char *argument, struct opened_trace *trace);

void trace_close(struct opened_trace *trace);

/** The last part of a trace's path. */
const char *trace_name(const char *path);

/** The name of an event's kind, or NULL if the trace gives it none. */
const char *trace_kind_name(const struct rrs_metadata *metadata, uint16_t event_kind);

/** How a recording ended, in words: "exit status 1", "killed by SIGSEGV". The caller frees it. */
char *trace_describe_end(const struct rrs_trace_end *end);

/* What several commands write about a trace as JSON. */
void json_trace_end(struct json *json, const char *name, const struct rrs_trace_end *end);
void json_string_list(struct json *json, const char *name, const struct rrs_string_list *list);

#define _cleanup_trace_      __attribute__((cleanup(trace_close)))
#define _cleanup_trace_list_ __attribute__((cleanup(rrs_trace_dir_list_deinit)))

#endif
