/* SPDX-License-Identifier: MIT */
/*
 * New processes and threads as stops. gdb is stopped behind the event that makes the task, where
 * the parent still stands at its call and the child exists, so that gdb can follow either of them.
 */
#ifndef RRS_GDBSERVER_FORK_STOPS_H
#define RRS_GDBSERVER_FORK_STOPS_H

#include "gdbserver/server.h"
#include "lmdb-store/event.h"

/** Whether this gdb wants to know of such events at all. */
bool fork_stops_are_wanted(const server *server);

/** Whether it wants this one: of the process that it sees, and of a kind that it understands. */
bool fork_stops_wants(server *server, const struct rrs_event *event);

/** Makes server->stop, which stands in front of the event, the stop that gdb gets. */
RRS_MUST_CHECK struct rrs_error *fork_stops_arrive(server *server);

/** Adds "fork:", "vfork:" or "create:" to a stop reply. */
RRS_MUST_CHECK struct rrs_error *fork_stops_describe(server *server, struct buffer *fields);

/** Whether gdb is to be told, before anything else, that a vfork is over: it keeps its breakpoints
 * out until then, and the movement to come leaves the place where it would end. */
bool fork_stops_ends_vfork(server *server, enum rrs_direction direction);

/** Whether an event is the return of the vfork that gdb waits for. */
bool fork_stops_is_vfork_end(const server *server, const struct rrs_event *event);

#endif
