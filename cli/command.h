/* SPDX-License-Identifier: MIT */
/*
 * The commands of `rrsoft`: one row of the table in main.c and one file each. A command gets its
 * own name as argv[0], prints results to stdout and errors to stderr, and returns the exit code of
 * the program; it does not flush stdout, main() does and reports what could not be written.
 */
#ifndef RRS_CLI_COMMAND_H
#define RRS_CLI_COMMAND_H

enum exit_code {
    EXIT_OK = 0,
    EXIT_FAILED = 1, /* the request made sense and could not be carried out */
    EXIT_USAGE = 2,  /* the request makes no sense */
};

struct command {
    const char *name;
    const char *summary; /* one line, lower case, no full stop */
    int (*run)(int argc, char **argv);
};

/** The table of main.c, ended by a row whose name is NULL. */
const struct command *commands_table(void);

/** The row of `name`, or NULL. */
const struct command *commands_find(const char *name);

/** The command whose name is nearest to a mistyped `name`, or NULL if none is near. */
const char *commands_nearest(const char *name);

/** Prints the general help: usage and one line per command. */
void commands_print_help(void);

int command_check(int argc, char **argv);
int command_index(int argc, char **argv);
int command_console(int argc, char **argv);
int command_diff(int argc, char **argv);
int command_du(int argc, char **argv);
int command_dump(int argc, char **argv);
int command_events(int argc, char **argv);
int command_extract(int argc, char **argv);
int command_gdb(int argc, char **argv);
int command_gdbinit(int argc, char **argv);
int command_help(int argc, char **argv);
int command_count(int argc, char **argv);
int command_info(int argc, char **argv);
int command_ls(int argc, char **argv);
int command_ps(int argc, char **argv);
int command_record(int argc, char **argv);
int command_replay(int argc, char **argv);
int command_mv(int argc, char **argv);
int command_rm(int argc, char **argv);
int command_sources(int argc, char **argv);

#endif
