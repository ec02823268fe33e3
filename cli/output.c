/* SPDX-License-Identifier: MIT */
/* Errors, tables, and the check that output has been written. */
#include "cli/output.h"

#include "cli/command.h"
#include "cli/text.h"
#include "lmdb-store/error.h"
#include "lmdb-store/scope.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct table {
    const char *alignment;
    size_t columns;
    char **cells;
    size_t cells_count, cells_capacity;
    bool out_of_memory;
};

void print_error(const char *format, ...)
{
    _cleanup_free_ char *message = NULL;
    va_list arguments;
    va_start(arguments, format);
    if (vasprintf(&message, format, arguments) < 0)
        message = NULL;
    va_end(arguments);
    _cleanup_free_ char *text = message ? text_escape(message, strlen(message)) : NULL;
    /* What was printed before the error is shown before it. */
    fflush(stdout);
    fprintf(stderr, "rrsoft: %s\n", text ? text : "out of memory");
}

int print_rrs_error(struct rrs_error *error)
{
    char message[4096];
    print_error("%s", rrs_error_format(error, message, sizeof message));
    int exit_code = error->code == RRS_ERROR_USAGE ? EXIT_USAGE : EXIT_FAILED;
    rrs_error_destroy(error);
    return exit_code;
}

bool output_failed(void)
{
    return ferror(stdout);
}

/* stdio keeps no reason for an earlier failure, but writing one more byte fails for the same one.
 */
static void provoke_reason(void)
{
    clearerr(stdout);
    putchar('\n');
}

int output_finish(int exit_code)
{
    bool failed_before = ferror(stdout);
    if (failed_before)
        provoke_reason();
    errno = 0;
    if (fflush(stdout) == 0 && !failed_before)
        return exit_code;
    if (errno != EPIPE)
        print_error("cannot write the output%s%s", errno ? ": " : "", errno ? strerror(errno) : "");
    return exit_code == EXIT_OK ? EXIT_FAILED : exit_code;
}

struct table *table_create(const char *alignment)
{
    struct table *table = calloc(1, sizeof *table);
    if (!table)
        return NULL;
    table->alignment = alignment;
    table->columns = strlen(alignment);
    return table;
}

void table_destroy(struct table *table)
{
    if (!table)
        return;
    for (size_t i = 0; i < table->cells_count; i++)
        free(table->cells[i]);
    free(table->cells);
    free(table);
}

/* Takes `text`, which may be NULL when memory is out. */
static void add_cell(struct table *table, char *text)
{
    if (table->cells_count == table->cells_capacity) {
        size_t capacity = table->cells_capacity ? 2 * table->cells_capacity : 64;
        char **cells = reallocarray(table->cells, capacity, sizeof *cells);
        if (!cells) {
            free(text);
            text = NULL;
        } else {
            table->cells = cells;
            table->cells_capacity = capacity;
        }
    }
    if (text)
        table->cells[table->cells_count++] = text;
    else
        table->out_of_memory = true;
}

void table_add(struct table *table, const char *text)
{
    add_cell(table, text_escape(text, strlen(text)));
}

void table_add_verbatim(struct table *table, const char *text)
{
    add_cell(table, strdup(text));
}

static size_t column_width(const struct table *table, size_t column)
{
    size_t widest = 0;
    for (size_t i = column; i < table->cells_count; i += table->columns) {
        size_t width = text_width(table->cells[i]);
        widest = width > widest ? width : widest;
    }
    return widest;
}

static void print_cell(const struct table *table, size_t column, const char *text, size_t width)
{
    int padding = (int)(width - text_width(text));
    bool is_last = column + 1 == table->columns;
    if (table->alignment[column] == 'r')
        printf("%*s%s%s", padding, "", text, is_last ? "\n" : "  ");
    else if (is_last)
        printf("%s\n", text);
    else
        printf("%s%*s  ", text, padding, "");
}

bool table_print(const struct table *table)
{
    if (table->out_of_memory)
        return false;
    _cleanup_free_ size_t *widths = calloc(table->columns, sizeof *widths);
    if (!widths)
        return false;
    for (size_t column = 0; column < table->columns; column++)
        widths[column] = column_width(table, column);
    for (size_t i = 0; i < table->cells_count; i++)
        print_cell(table, i % table->columns, table->cells[i], widths[i % table->columns]);
    return true;
}
