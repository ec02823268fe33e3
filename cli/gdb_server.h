/* SPDX-License-Identifier: MIT */
/* The server behind the gdb that this program becomes. */
#ifndef RRS_CLI_GDB_SERVER_H
#define RRS_CLI_GDB_SERVER_H

#include <stdbool.h>
#include <stddef.h>

/**
 * Starts rrsoft-gdbserver (`words`, NULL-terminated, by the path in the first) and waits until it
 * listens; `address` is then what gdb has to connect to. The server ends with the process that
 * called this, also if that has become gdb. False if it did not come up: it has said why, and
 * *exit_code is its exit code.
 */
bool gdb_server_start(const char *command, const char *const *words, char *address,
                      size_t address_size, int *exit_code);

#endif
