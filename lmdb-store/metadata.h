/* SPDX-License-Identifier: MIT */
/*
 * What a trace says about itself: where, how and of what it was recorded, and how that ended.
 *
 * The fields below are those that the store and its commands show; whatever else a recorder wants
 * to keep goes under a name of its own (rrs_trace_put_extra, rrs_trace_get_extra).
 */
#ifndef RRS_LMDB_STORE_METADATA_H
#define RRS_LMDB_STORE_METADATA_H

#include "lmdb-store/error.h"

#include <stddef.h>
#include <stdint.h>

struct rrs_string_list {
    char **items; /* may hold any byte but NUL */
    size_t n_items;
};

/* X(name, "what a person calls it"). The name is also the key in the trace. */
#define RRS_METADATA_STRINGS(X)                                                              \
    X(recorder, "recorder")                   /* program and version: "rrsoft 0.1.0" */      \
    X(program, "program")                     /* path of the executable, as found */         \
    X(working_directory, "working directory") /* of the program at its start */              \
    X(machine, "machine")                     /* instruction set, as uname -m: "x86_64" */   \
    X(kernel, "kernel")                       /* as uname -sr: "Linux 6.1.0-18-amd64" */     \
    X(host, "host")                           /* node name */                                \
    X(cpu_model, "processor")                 /* for a person; "" if unknown */              \
    X(clock, "clock")                         /* what counts ticks: "translated", "sites" */ \
    X(options, "options")                     /* of the recorder, as the user gave them */

#define RRS_METADATA_LISTS(X)                                 \
    X(command_line, "command line") /* argv of the program */ \
    X(environment, "environment")   /* NAME=VALUE strings */  \
    X(event_kinds, "event kinds")   /* name of kind i at index i; kinds beyond are unnamed */

struct rrs_metadata {
#define X(name, text) char *name;
    RRS_METADATA_STRINGS(X)
#undef X
#define X(name, text) struct rrs_string_list name;
    RRS_METADATA_LISTS(X)
#undef X
    uint64_t start_wall_ns;  /* since the epoch */
    uint32_t format_version; /* set by reading; ignored by writing */
};

/* X(NAME, "what a person calls it"): how a recording ended. */
#define RRS_TRACE_END_KINDS(X)                                                                    \
    X(UNFINISHED, "unfinished") /* the recorder was killed, or the machine went down */           \
    X(RECORDING, "recording")   /* a living process has the trace open for writing, no end yet */ \
    X(EXITED, "exited")         /* the first process ended; code is its exit status */            \
    X(SIGNALED, "killed")       /* the first process died; code is the signal */                  \
    X(STOPPED, "stopped")       /* the user ended the recording; the program went on or not */    \
    X(LIMIT, "limit reached")   /* the recorder's size or time limit */                           \
    X(DISK_FULL, "disk full")                                                                     \
    X(FAILED, "recorder failed") /* detail has the message */

enum rrs_trace_end_kind {
#define X(name, text) RRS_TRACE_END_##name,
    RRS_TRACE_END_KINDS(X)
#undef X
};

enum { RRS_TRACE_END_DETAIL_BYTES = 240 };

struct rrs_trace_end {
    enum rrs_trace_end_kind end_kind;
    int32_t code;                            /* exit status or signal; else 0 */
    uint64_t wall_ns;                        /* since the epoch; 0 if unfinished or recording */
    char detail[RRS_TRACE_END_DETAIL_BYTES]; /* one line or "", always terminated */
};

/** Makes all strings "", all lists empty, all numbers 0. */
void rrs_metadata_init(struct rrs_metadata *metadata);

/** Frees what the fields hold. */
void rrs_metadata_deinit(struct rrs_metadata *metadata);

/** Replaces a string field (`&metadata->program`) with a copy of `value`. Error: NO_MEMORY. */
RRS_MUST_CHECK struct rrs_error *rrs_metadata_set(char **field, const char *value);

/** Replaces a list field with copies of `n_items` strings. Error: NO_MEMORY (list unchanged). */
RRS_MUST_CHECK struct rrs_error *rrs_string_list_set(struct rrs_string_list *list,
                                                     const char *const *items, size_t n_items);

/** Fills machine, kernel, host and cpu_model of this machine, and recorder. Error: NO_MEMORY. */
RRS_MUST_CHECK struct rrs_error *rrs_metadata_describe_machine(struct rrs_metadata *metadata);

/** The name of `end_kind` for a person, e.g. "disk full". Static storage. */
const char *rrs_trace_end_kind_name(enum rrs_trace_end_kind end_kind);

#endif
