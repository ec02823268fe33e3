/* SPDX-License-Identifier: MIT */
/*
 * A server for gdb's remote protocol over a timeline (gdb manual, appendix "gdb Remote Serial
 * Protocol"). It serves one connection at a time and what it knows about the recording outlives it.
 */
#ifndef RRS_GDBSERVER_GDBSERVER_H
#define RRS_GDBSERVER_GDBSERVER_H

#include "engine/replay/timeline.h"
#include "lmdb-store/error.h"

#include <stdbool.h>

struct rrs_gdbserver;

struct rrs_gdbserver_options {
    pid_t pid;      /* the process of the recording to show first; 0: the first one */
    bool at_end;    /* begin at its end */
    uint64_t event; /* or in front of this event; 0: at its start */
    bool waits_for_run; /* until gdb says `run`, there is no process to it */
    /* Every packet, if not NULL; `direction` is ">" for received, "<" and "%" for sent. */
    void (*log)(void *context, const char *direction, const void *data, size_t size);
    void *context;
};

/**
 * Makes a server of `timeline`, which stays the caller's and must have been opened with
 * rrs_gdbserver_progress() as its progress callback, and a pointer to the server's variable (which
 * may be NULL until then) as context, for gdb to be kept alive and its interrupts to be seen.
 */
RRS_MUST_CHECK struct rrs_error *rrs_gdbserver_create(struct rrs_timeline *timeline,
                                                      const struct rrs_gdbserver_options *options,
                                                      struct rrs_gdbserver **server);
void rrs_gdbserver_destroy(struct rrs_gdbserver *server);

/**
 * Serves one gdb over two descriptors (which may be equal, and stay open) until it detaches or
 * vanishes. Returns whether another may follow; false: gdb asked the server to end.
 */
bool rrs_gdbserver_serve(struct rrs_gdbserver *server, int in, int out);

/** `context` is a `struct rrs_gdbserver **`. */
void rrs_gdbserver_progress(void *context, uint64_t done, uint64_t total);

/**
 * Handles one packet's content as if it had come from a gdb, and gives the reply, which is borrowed
 * until the next call. For fuzzing and unit tests.
 */
const void *rrs_gdbserver_handle(struct rrs_gdbserver *server, const void *packet, size_t size,
                                 size_t *reply_size);

#endif
