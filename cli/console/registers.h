/* SPDX-License-Identifier: MIT */
/* The registers of the task that is looked at, by name. */
#ifndef RRS_CLI_CONSOLE_REGISTERS_H
#define RRS_CLI_CONSOLE_REGISTERS_H

#include "cli/console/console.h"

/** `name` has no '$'; "pc" and "sp" are known too. Errors: NOT_FOUND. */
RRS_MUST_CHECK struct rrs_error *register_value(struct console *console, const char *name,
                                                uint64_t *value);

/** Errors: NOT_FOUND: no task is alive here. */
RRS_MUST_CHECK struct rrs_error *registers_read(struct console *console,
                                                struct user_regs_struct *regs);

#endif
