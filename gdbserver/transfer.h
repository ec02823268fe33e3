/* SPDX-License-Identifier: MIT */
/* The objects of qXfer that take more than a few lines to make. */
#ifndef RRS_GDBSERVER_TRANSFER_H
#define RRS_GDBSERVER_TRANSFER_H

#include "gdbserver/server.h"

/** What each writes is the whole object; `annex` says which one. Error: NOT_FOUND, and others. */
typedef struct rrs_error *(*object_writer)(server *server, const char *annex,
                                           struct buffer *object);

struct rrs_error *write_libraries(server *server, const char *annex, struct buffer *object);
struct rrs_error *write_operating_system_data(server *server, const char *annex,
                                              struct buffer *object);
struct rrs_error *write_recording(server *server, const char *annex, struct buffer *object);

#endif
