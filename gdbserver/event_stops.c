/* SPDX-License-Identifier: MIT */
/* Events as stops; see the header. */
#include "gdbserver/event_stops.h"

#include "gdbserver/signals.h"

struct rrs_error *event_stops_place(server *server)
{
    (void)server;
    return NULL;
}

bool event_stops_skip(server *server)
{
    (void)server;
    return false;
}

struct rrs_error *event_stops_describe(server *server, struct buffer *fields, int *signal)
{
    (void)server;
    (void)fields;
    *signal = GDB_SIGNAL_TRAP;
    return NULL;
}
