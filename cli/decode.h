/* SPDX-License-Identifier: MIT */
/*
 * Events as text, in the form of strace(1): calls with names and structs, signals, execs, the
 * beginnings and ends of tasks. Whatever an event's bytes are, something harmless is printed.
 */
#ifndef RRS_CLI_DECODE_H
#define RRS_CLI_DECODE_H

#include "cli/json.h"
#include "cli/trace.h"
#include "engine/events/body.h"

#include <stdio.h>

struct decoder {
    struct rrs_trace_reader *reader;
    const struct rrs_metadata *metadata;
    uint32_t max_string; /* bytes shown of a string; 0: 32 */
    char *line;          /* room for a long one */
    size_t line_room;
};

enum { DECODE_STRING_MAX = 4096 };

void decoder_init(struct decoder *decoder, const struct opened_trace *trace);
void decoder_deinit(struct decoder *decoder);

/** What the engine calls an event's kind; NONE if the trace means another one by that number. */
enum rrs_event_kind decode_kind(const struct decoder *decoder, const struct rrs_event *event);

/** Whether each item can be read, and the event has what its kind must have. */
bool decode_is_sound(enum rrs_event_kind kind, const struct rrs_event *event);

/**
 * Writes the event as one line, without its end. Errors: NO_MEMORY; BAD_TRACE and NOT_FOUND of a
 * blob: the line is written then, with addresses in place of what was in the blob.
 */
RRS_MUST_CHECK struct rrs_error *decode_text(struct decoder *decoder, const struct rrs_event *event,
                                             FILE *stream);

/** The same as a string, which the caller frees; there is one unless the error is NO_MEMORY. */
RRS_MUST_CHECK struct rrs_error *decode_string(struct decoder *decoder,
                                               const struct rrs_event *event, char **text);

/** Writes one line for each mapping that the event tells of, each behind `indent`. */
void decode_mappings(const struct rrs_event *event, const char *indent, FILE *stream);

/** Writes members about the event: pc, call, signal, and so on. Errors: those of decode_text(). */
RRS_MUST_CHECK struct rrs_error *decode_json(struct decoder *decoder, const struct rrs_event *event,
                                             struct json *json);

/** "r-x", "rw-"; a shared mapping has an "s" behind it, a private one a "p". */
void decode_protection(const struct rrs_map_item *map, char text[5]);

/** "exited with 1", "killed by SIGSEGV (core dumped)". */
const char *decode_wait_status(int status, char text[64]);

#endif
