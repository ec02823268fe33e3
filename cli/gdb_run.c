/* SPDX-License-Identifier: MIT */
#include "cli/gdb_run.h"

#include "cli/command.h"
#include "cli/installation.h"
#include "cli/output.h"
#include "lmdb-store/scope.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MAX_WORDS = 6 * OPTION_LIST_MAX + 32 };

bool gdb_check(const char *command, const struct gdb_options *options)
{
    const char *name = options->gdb ? options->gdb : "gdb";
    if (installation_has_program(name))
        return true;
    print_error("%s: '%s' was not found; install gdb (Debian, Ubuntu: apt-get install gdb; Fedora: "
                "dnf install gdb) or say where it is with an option",
                command, name);
    return false;
}

bool gdb_check_pid(const char *command, const char *option, const struct option_number *pid)
{
    if (!pid->given || (pid->value > 0 && pid->value <= INT32_MAX))
        return true;
    print_error("%s: --%s needs a process id", command, option);
    return false;
}

struct words {
    char *items[MAX_WORDS];
    int n_items;
    bool failed;
};

static void add_word(struct words *words, const char *word)
{
    if (words->n_items == MAX_WORDS - 1)
        words->failed = true;
    else
        words->items[words->n_items++] = (char *)word;
}

static void add_pair(struct words *words, const char *option, const char *value)
{
    add_word(words, option);
    add_word(words, value);
}

/* A word for the shell by which gdb starts the server. The caller frees it. */
static char *quote(const char *text)
{
    char *quoted = malloc(4 * strlen(text) + 3), *to = quoted;
    if (!quoted)
        return NULL;
    *to++ = '\'';
    for (; *text; text++) {
        if (*text == '\'')
            to = stpcpy(to, "'\\'");
        *to++ = *text;
    }
    strcpy(to, "'");
    return quoted;
}

/* Where the server begins, and with what; `text` has room for two numbers. */
static const char *describe_start(const struct gdb_options *options, char text[80])
{
    int length = 0;
    if (options->pid.given)
        length = snprintf(text, 80, "--pid %" PRIu64 " ", options->pid.value);
    if (options->event.given)
        snprintf(text + length, 80 - (size_t)length, "--event %" PRIu64 " ", options->event.value);
    else
        snprintf(text + length, 80 - (size_t)length, "%s", options->start ? "" : "--end ");
    return text;
}

/* The line that connects gdb. NULL if memory is out. */
static char *target_line(const struct gdb_options *options, const char *server, const char *trace)
{
    _cleanup_free_ char *quoted_server = quote(server), *quoted_trace = quote(trace);
    char start[80], *line;
    if (!quoted_server || !quoted_trace ||
        asprintf(&line, "target extended-remote | exec %s --stdio %s%s", quoted_server,
                 describe_start(options, start), quoted_trace) < 0)
        return NULL;
    return line;
}

static void add_user_words(struct words *words, const struct gdb_options *options)
{
    for (int i = 0; i < options->files.n_items; i++)
        add_pair(words, "-x", options->files.items[i]);
    for (int i = 0; i < options->commands.n_items; i++)
        add_pair(words, "-ex", options->commands.items[i]);
    for (int i = 0; i < options->more.n_items; i++)
        add_word(words, options->more.items[i]);
}

static void add_words(struct words *words, const struct gdb_options *options, const char *source,
                      const char *target)
{
    add_pair(words, options->gdb ? options->gdb : "gdb", "-q");
    if (options->tui)
        add_word(words, "-tui");
    if (options->fullname)
        add_word(words, "-fullname");
    if (options->interpreter)
        add_pair(words, "-i", options->interpreter);
    add_pair(words, "-iex", "set remotetimeout 60");
    add_pair(words, "-iex", "set sysroot target:");
    add_pair(words, "-iex", source);
    add_pair(words, "-ex", target);
    add_user_words(words, options);
}

int gdb_run(const char *command, const struct gdb_options *options, const char *trace)
{
    char server[PATH_MAX], commands[PATH_MAX], source[PATH_MAX + 8];
    if (!installation_find(command, server, commands))
        return EXIT_FAILED;
    snprintf(source, sizeof source, "source %s", commands);
    _cleanup_free_ char *target = target_line(options, server, trace);
    struct words words = {0};
    if (target)
        add_words(&words, options, source, target);
    if (!target || words.failed) {
        print_error("%s: out of memory", command);
        return EXIT_FAILED;
    }
    execvp(words.items[0], words.items);
    print_error("%s: cannot run '%s': %s", command, words.items[0], strerror(errno));
    return EXIT_FAILED;
}
