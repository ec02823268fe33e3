/* SPDX-License-Identifier: MIT */
/* What the recording says about itself, for rrsoft's gdb commands. */
#ifndef RRS_GDBSERVER_RECORDING_H
#define RRS_GDBSERVER_RECORDING_H

#include "gdbserver/server.h"
#include "lmdb-store/event_log_reader.h"

/** Writes "event=…;tick=…;pc=…;pid=…;tid=…;wall=…;end_event=…;end_tick=…;trial=…", all in hex. */
RRS_MUST_CHECK struct rrs_error *recording_write_position(server *server, struct buffer *text);

/** Gives an event of the recording, borrowed until the next call; NULL if there is none. */
RRS_MUST_CHECK struct rrs_error *recording_event(server *server, uint64_t number,
                                                 const struct rrs_event **event);

/** Frees what recording_event() keeps. */
void recording_forget(server *server);

/** Gives the first event of a task, 0 if there is none. */
RRS_MUST_CHECK struct rrs_error *recording_first_event(server *server, pid_t tid, uint64_t *event);

#endif
