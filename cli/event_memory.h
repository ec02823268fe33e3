/* SPDX-License-Identifier: MIT */
/*
 * The memory of which an event tells: what a call, an exec or a signal wrote. What stood elsewhere
 * is not in the event, and cannot be read here.
 */
#ifndef RRS_CLI_EVENT_MEMORY_H
#define RRS_CLI_EVENT_MEMORY_H

#include "engine/events/body.h"
#include "lmdb-store/event.h"
#include "lmdb-store/trace_reader.h"

struct event_memory {
    struct rrs_trace_reader *reader;
    const struct rrs_event *event;
    uint64_t work_left; /* a stranger's event may have a million ranges, and be read a million times
                         */
    struct rrs_error *error; /* the first: of a blob; to be taken by who made this */
};

/** `event` and its bytes are borrowed. End it with event_memory_deinit(). */
void event_memory_init(struct event_memory *memory, struct rrs_trace_reader *reader,
                       const struct rrs_event *event);
void event_memory_deinit(struct event_memory *memory);

/** Reads from `address` on; returns how many bytes are known. For struct rrs_memory_reader. */
size_t event_memory_read(void *memory, rrs_addr address, void *buffer, size_t bytes);

/* What a program was started with, from the event of its exec. */
struct exec_strings {
    char *program;                   /* path of the executable */
    char *file;                      /* as it was named in the execve; NULL if unknown */
    char **arguments, **environment; /* not terminated by NULL; empty if unknown */
    size_t n_arguments, n_environment;
};

/**
 * Reads the initial stack of an exec event. What is not there, or is more than a kernel allows, is
 * left out. Errors: NO_MEMORY, BAD_TRACE of a blob.
 */
RRS_MUST_CHECK struct rrs_error *exec_strings_read(struct rrs_trace_reader *reader,
                                                   const struct rrs_event *event,
                                                   struct exec_strings *strings);
void exec_strings_deinit(struct exec_strings *strings);

#endif
