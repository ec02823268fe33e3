/* SPDX-License-Identifier: MIT */
/* What the commands that run a program have in common. */
#ifndef RRS_CLI_PROGRAM_H
#define RRS_CLI_PROGRAM_H

#include "engine/run/session.h"
#include "lmdb-store/error.h"

#include <stdbool.h>
#include <stdint.h>

enum { EXIT_CANNOT_EXECUTE = 126, EXIT_NO_PROGRAM = 127 }; /* as a shell has it: POSIX, 2.8.2 */

/** Prints a warning of the engine's; for struct rrs_session. */
void program_warn(void *context, const char *message);

/** Reads the value of --cpu (NULL: not given). False: a mistake was reported. */
bool program_parse_cpu(const char *command, const char *name, uint32_t *level);

/** False: no number of ticks that a slice can have; reported. */
bool program_check_slice(const char *command, uint64_t ticks);

/**
 * A program that could not even be started: prints what a shell says, and why, and returns what a
 * shell returns. `error` is used up.
 */
int program_report_exec_failure(struct rrs_error *error, const char *program);

/** Prints to stderr what the engine did: the session's counters, a line each. */
void program_print_stats(const struct rrs_session *session);

/** A wait status as an exit code: 128 + N for signal N. */
int program_exit_code(int status);

#endif
