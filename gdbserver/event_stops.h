/* SPDX-License-Identifier: MIT */
/*
 * Events of the recording that are stops to gdb: signals, system calls where it catches them, and
 * programs being loaded. The timeline stops in front of an event.
 */
#ifndef RRS_GDBSERVER_EVENT_STOPS_H
#define RRS_GDBSERVER_EVENT_STOPS_H

#include "gdbserver/server.h"

/** Makes the timeline stop at the events that this gdb wants, from the next movement on. */
RRS_MUST_CHECK struct rrs_error *event_stops_place(server *server);

/** Completes the call whose entry gdb was stopped for, if the movement begins there; *done then
 * says that this was the movement. */
RRS_MUST_CHECK struct rrs_error *event_stops_return(server *server, enum rrs_direction direction,
                                                    bool *done);

/** To be called where a movement has ended. Goes behind an event that gdb is to see from behind. */
RRS_MUST_CHECK struct rrs_error *event_stops_arrive(server *server);

/** Adds to a stop reply what gdb is told about the event, and gives gdb's signal number for it. */
/** Adds "exec:" and the program of the task that stopped. */
RRS_MUST_CHECK struct rrs_error *event_stops_describe_program(server *server,
                                                              struct buffer *fields);

RRS_MUST_CHECK struct rrs_error *event_stops_describe(server *server, struct buffer *fields,
                                                      int *signal);

/** Whether an event is a signal that ends its process. */
RRS_MUST_CHECK struct rrs_error *event_stops_is_fatal(server *server, uint64_t number, bool *fatal);

/** Gives the signal that gdb was stopped for and that the task gets next, if so. */
RRS_MUST_CHECK struct rrs_error *event_stops_signal(server *server, siginfo_t *info, bool *is_next);

#endif
