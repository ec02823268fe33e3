/* SPDX-License-Identifier: MIT */
/*
 * Where the other parts of rrsoft are: seen from where this program stands, so that a build tree and
 * an installation, wherever it was moved to, both work.
 */
#ifndef RRS_CLI_INSTALLATION_H
#define RRS_CLI_INSTALLATION_H

#include <limits.h>
#include <stdbool.h>

/** The paths of the server for gdb and of the script with gdb's commands. Complains in the name of
 * `command` and returns false if this installation has not got them. */
bool installation_find(const char *command, char server[PATH_MAX], char gdb_commands[PATH_MAX]);

/** Whether a shell would find this program, by its path or in $PATH. */
bool installation_has_program(const char *name);

#endif
