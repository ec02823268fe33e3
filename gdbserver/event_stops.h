/* SPDX-License-Identifier: MIT */
/* Events of the recording that are stops to gdb: signals, and system calls where it catches them.
 */
#ifndef RRS_GDBSERVER_EVENT_STOPS_H
#define RRS_GDBSERVER_EVENT_STOPS_H

#include "gdbserver/server.h"

/** Makes the timeline stop at the events that this gdb wants, from the next movement on. */
RRS_MUST_CHECK struct rrs_error *event_stops_place(server *server);

/** Whether server->stop is an event that gdb does not want after all. */
bool event_stops_skip(server *server);

/** Adds to a stop reply what gdb is told about the event, and gives gdb's signal number for it. */
RRS_MUST_CHECK struct rrs_error *event_stops_describe(server *server, struct buffer *fields,
                                                      int *signal);

#endif
