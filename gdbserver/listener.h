/* SPDX-License-Identifier: MIT */
/* Where gdb connects to: a Unix socket in a directory of its own, or a TCP port. */
#ifndef RRS_GDBSERVER_LISTENER_H
#define RRS_GDBSERVER_LISTENER_H

#include "lmdb-store/error.h"

#include <stdbool.h>

enum { LISTENER_ADDRESS_BYTES = 300 };

struct listener {
    int fd;
    bool is_private; /* only this user (socket) or this machine (TCP) can reach it */
    char address[LISTENER_ADDRESS_BYTES]; /* as gdb's `target extended-remote` takes it */
};

/** `path` NULL: a new one in $XDG_RUNTIME_DIR or /tmp. Errors: EXISTS, USAGE (too long), OS. */
RRS_MUST_CHECK struct rrs_error *listener_open_socket(const char *path, struct listener *listener);

/** `address`: "[HOST:]PORT". Errors: USAGE, OS. */
RRS_MUST_CHECK struct rrs_error *listener_open_tcp(const char *address, struct listener *listener);

/** Waits for a connection. The socket also goes away if the process is ended by SIGINT, SIGTERM or
 * SIGHUP. */
RRS_MUST_CHECK struct rrs_error *listener_accept(struct listener *listener, int *fd);

void listener_close(struct listener *listener);

#endif
