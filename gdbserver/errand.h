/* SPDX-License-Identifier: MIT */
/*
 * Journeys that gdb has no packet for: going to a tick, an event or a place, to where memory
 * changed, or once through the recording to gather calls or changes. A packet only says what is
 * wanted; it is done when gdb resumes next (`stepi`), in place of what gdb asked for. So gdb waits
 * as long as it takes, Ctrl-C works, and gdb and every front end refresh what they show.
 */
#ifndef RRS_GDBSERVER_ERRAND_H
#define RRS_GDBSERVER_ERRAND_H

#include "engine/replay/timeline.h"
#include "gdbserver/buffer.h"

#include <stdint.h>

/* X(NAME, "name in the packet", numbers that follow) */
#define ERRAND_KINDS(X)                                                              \
    X(TICK, "tick", 1)         /* tick */                                            \
    X(EVENT, "event", 1)       /* event */                                           \
    X(POSITION, "position", 3) /* event, tick, PC */                                 \
    X(START, "start", 0)                                                             \
    X(END, "end", 0)                                                                 \
    X(LAST_CHANGE, "last-change", 2) /* address, bytes: the change before now */     \
    X(NEXT_CHANGE, "next-change", 2) /* address, bytes: the one after now */         \
    X(CHANGES, "changes", 3)         /* address, bytes, how many at most */          \
    X(CALLS, "calls", 2)             /* address of the function, how many at most */ \
    X(STAY, "stay", 0)               /* nowhere: ends a trial, makes gdb refresh */

enum errand_kind {
    ERRAND_NONE,
#define X(name, text, numbers) ERRAND_##name,
    ERRAND_KINDS(X)
#undef X
};

enum { ERRAND_NUMBERS_MAX = 3, ERRAND_MAX_BYTES = 4096 };

struct errand {
    enum errand_kind kind;
    uint64_t numbers[ERRAND_NUMBERS_MAX];
    struct buffer results; /* of the last one: a line of hex fields per row */
};

struct rrs_gdbserver;

/** Does what was asked for; the timeline then stands where it leads, and server->stop says how it
 * went. The errand is over in any case. Errors: those of the movements. */
RRS_MUST_CHECK struct rrs_error *errand_run(struct rrs_gdbserver *server);

#endif
