/* SPDX-License-Identifier: MIT */
/* One event of the log, as it is read; and the bounds that hold for every event. */
#ifndef RRS_LMDB_STORE_EVENT_H
#define RRS_LMDB_STORE_EVENT_H

#include <stdint.h>

enum {
    RRS_EVENT_FIRST = 1,           /* number of the first event of a trace; 0 means "none" */
    RRS_EVENT_MAX_BYTES = 1 << 20, /* of one event's data; what is larger goes into a blob */
};

struct rrs_event {
    uint64_t number;     /* consecutive from RRS_EVENT_FIRST */
    uint64_t tick;       /* never below that of the event before */
    uint64_t wall_ns;    /* since the epoch; may go back, as clocks do */
    int32_t task;        /* task id, as the recorder chose it */
    uint16_t event_kind; /* meaning: the recorder's; names: metadata, event_kinds */
    uint32_t size_bytes;
    const void *data; /* `size_bytes` bytes, borrowed (see who gave the event); not aligned */
};

#endif
