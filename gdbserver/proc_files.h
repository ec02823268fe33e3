/* SPDX-License-Identifier: MIT */
/* The files of /proc that gdb reads (`info proc`, `gcore`, the vDSO's place), made from the
 * recording. */
#ifndef RRS_GDBSERVER_PROC_FILES_H
#define RRS_GDBSERVER_PROC_FILES_H

#include "gdbserver/server.h"

/** Opens an unnamed file with the content of /proc/PID/[task/TID/]NAME. Error: NOT_FOUND. */
RRS_MUST_CHECK struct rrs_error *proc_file_open(server *server, const char *path, int *fd);

/** Where a link such as /proc/PID/exe leads; borrowed until the next movement. Error: NOT_FOUND. */
RRS_MUST_CHECK struct rrs_error *proc_file_link(server *server, const char *path,
                                                const char **target);

#endif
