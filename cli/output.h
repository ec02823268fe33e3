/* SPDX-License-Identifier: MIT */
/* What commands print: one-line errors, aligned tables, and the final word on stdout. */
#ifndef RRS_CLI_OUTPUT_H
#define RRS_CLI_OUTPUT_H

#include <stdbool.h>
#include <stddef.h>

struct rrs_error;

/** Prints "rrsoft: MESSAGE" to stderr as one line, made harmless for a terminal. */
void print_error(const char *format, ...) __attribute__((format(printf, 1, 2)));

/** Prints and frees `error`; returns the exit code that it means (2 for wrong usage, else 1). */
int print_rrs_error(struct rrs_error *error);

/** Whether stdout has failed, so that a long listing can stop. */
bool output_failed(void);

/**
 * Flushes stdout; if anything printed could not be written, says so (a reader that went away is
 * normal and not worth a word) and turns success into failure. Returns the exit code.
 */
int output_finish(int exit_code);

/* A table of text whose columns are aligned when it is printed. */
struct table;

/** `alignment`: one letter per column, 'l' or 'r'. NULL if memory is out. */
struct table *table_create(const char *alignment);
void table_destroy(struct table *table);

/** Adds the next cell, row by row; the text is escaped and copied. */
void table_add(struct table *table, const char *text);

/** Like table_add() for text that is harmless already, and may hold quotes and backslashes. */
void table_add_verbatim(struct table *table, const char *text);

/** Prints the rows to stdout. Returns false if memory ran out while cells were added. */
bool table_print(const struct table *table);

#endif
