/* SPDX-License-Identifier: MIT */
/* The program rrsoft-gdbserver, apart from how its argument is turned into a recording's path. */
#ifndef RRS_GDBSERVER_PROGRAM_H
#define RRS_GDBSERVER_PROGRAM_H

#include "lmdb-store/error.h"

/** Runs the program; returns its exit code. `find` gives the path of what the user named (NULL: the
 * latest recording), which is freed. */
int gdbserver_program(int argc, char **argv,
                      struct rrs_error *(*find)(const char *argument, char **path));

#endif
