/* SPDX-License-Identifier: MIT */
/* Becoming gdb on a recording: what `rrsoft gdb` and `rrsoft replay` have in common. */
#ifndef RRS_CLI_GDB_RUN_H
#define RRS_CLI_GDB_RUN_H

#include "cli/options.h"

struct gdb_options {
    bool start;              /* begin at the start of the recording, not at its end */
    bool tui, fullname;      /* gdb's options of these names */
    const char *gdb;         /* the gdb to use; NULL: `gdb` */
    const char *interpreter; /* or NULL */
    struct option_number pid, event; /* the process to show; the event to go to */
    struct option_list files, commands, more; /* for -x, for -ex, and words as they are */
};

/** Whether there is that gdb; if not, says so in the name of `command`. */
bool gdb_check(const char *command, const struct gdb_options *options);

/** Whether a number that was given is one of a process; if not, says so. */
bool gdb_check_pid(const char *command, const char *option, const struct option_number *pid);

/** Becomes gdb with the server for a trace behind it. Returns an exit code if that fails, which has
 * been said. */
int gdb_run(const char *command, const struct gdb_options *options, const char *trace);

#endif
