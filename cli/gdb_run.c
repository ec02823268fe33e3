/* SPDX-License-Identifier: MIT */
#include "cli/gdb_run.h"

#include "cli/command.h"
#include "cli/gdb_server.h"
#include "cli/installation.h"
#include "cli/output.h"

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

/* Where the server begins, and with what. */
static void describe_server(struct words *words, const struct gdb_options *options,
                            const char *server, const char *trace, char numbers[2][32])
{
    add_word(words, server);
    if (options->pid.given) {
        snprintf(numbers[0], 32, "%" PRIu64, options->pid.value);
        add_pair(words, "--pid", numbers[0]);
    }
    if (options->event.given) {
        snprintf(numbers[1], 32, "%" PRIu64, options->event.value);
        add_pair(words, "--event", numbers[1]);
    } else if (!options->start) {
        add_word(words, "--end");
    }
    add_word(words, trace);
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

/* gdb's interpreter for a machine gets all that gdb has to say, a person what is worth reading. */
static const char *connect_line(const struct gdb_options *options, const char *address, char *line,
                                size_t size)
{
    bool plain = options->interpreter && strncmp(options->interpreter, "mi", 2) == 0;
    snprintf(line, size, "%s %s", plain ? "target extended-remote" : "maintenance rrsoft-connect",
             address);
    return line;
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
    char numbers[2][32], address[300], target[400];
    struct words server_words = {0}, words = {0};
    int exit_code;
    if (!installation_find(command, server, commands))
        return EXIT_FAILED;
    describe_server(&server_words, options, server, trace, numbers);
    if (!gdb_server_start(command, (const char *const *)server_words.items, address, sizeof address,
                          &exit_code))
        return exit_code;
    snprintf(source, sizeof source, "source %s", commands);
    add_words(&words, options, source, connect_line(options, address, target, sizeof target));
    if (words.failed)
        print_error("%s: too many words for gdb", command);
    else {
        execvp(words.items[0], words.items);
        print_error("%s: cannot run '%s': %s", command, words.items[0], strerror(errno));
    }
    return EXIT_FAILED;
}
