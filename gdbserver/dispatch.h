/* SPDX-License-Identifier: MIT */
/* From a packet to its handler. */
#ifndef RRS_GDBSERVER_DISPATCH_H
#define RRS_GDBSERVER_DISPATCH_H

#include "gdbserver/server.h"

/** Handles one packet; leaves what is to be sent in server->reply. False: nothing is to be sent. */
bool dispatch(server *server, const uint8_t *packet, size_t size);

#endif
