/* SPDX-License-Identifier: MIT */
/*
 * One parser for the options of all commands: a command describes its options as a table, and gets
 * parsing, --help and error messages from it. Options and arguments may be mixed, "--" ends the
 * options, and names are not abbreviated (a script that abbreviates breaks with the next option).
 */
#ifndef RRS_CLI_OPTIONS_H
#define RRS_CLI_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum option_kind {
    OPTION_FLAG,   /* target: bool */
    OPTION_TEXT,   /* target: const char *, borrowed from argv */
    OPTION_NUMBER, /* target: struct option_number */
    OPTION_COUNT,  /* the same, but the value may be left out, and is glued: --name[=N] */
    OPTION_BYTES,  /* the same of a size: 500M, 2GiB */
    OPTION_TIME,   /* the same of a time, in ns: 90, 1.5s, 10min */
    OPTION_LIST,   /* target: struct option_list; may be given several times */
};

enum { OPTION_LIST_MAX = 64 };

struct option_list {
    const char *items[OPTION_LIST_MAX]; /* borrowed from argv */
    int n_items;
};

struct option_number {
    bool given;
    uint64_t value;
};

struct option_row {
    const char *name; /* without the dashes */
    char letter;      /* 0: none */
    enum option_kind kind;
    const char *value_name; /* in the help, NULL for a flag */
    const char *help;       /* one line, lower case */
    void *target;           /* set if the option is given */
};

struct usage {
    const char *command;
    const char *arguments;            /* as the help shows them, "" if none */
    const char *description;          /* whole lines */
    int arguments_min, arguments_max; /* -1: no limit */
    bool options_first; /* the first argument ends the options (for a program's own options) */
    const struct option_row *options; /* ended by a row whose name is NULL */
};

/**
 * Parses the options of a command, taking them out of `argv` so that argv[0..*argc) are the
 * command's arguments. Returns false if the command is to return `*exit_code` at once: --help was
 * given and printed, or a mistake was reported.
 */
bool options_parse(const struct usage *usage, int *argc, char **argv, int *exit_code);

/**
 * Parses a whole string as a number, decimal or 0x…, where commas and underscores between digits
 * are allowed ("81,234,567"). Returns false if it is none or above 2^64 - 1.
 */
bool options_parse_number(const char *text, uint64_t *value);

/**
 * Parses a number, with a fraction or not, and its unit: of a size B, K, M, G, T (powers of 1024;
 * KB, KiB and so on mean the same), of a time ms, s, min, h. Without a unit they are bytes and
 * seconds. Returns false if it is none, or above 2^63.
 */
bool options_parse_bytes(const char *text, uint64_t *bytes);
bool options_parse_time(const char *text, uint64_t *ns);

#endif
