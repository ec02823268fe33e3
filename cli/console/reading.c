/* SPDX-License-Identifier: MIT */
/*
 * Where commands come from: a terminal, by readline with history and completion, or a pipe or file,
 * without a prompt. At the prompt input is waited for here and not in readline, so that Ctrl-C
 * needs nothing of readline's own signal handling.
 */
#include "cli/console/console.h"
#include "cli/console/symbols.h"
#include "cli/output.h"
#include "lmdb-store/scope.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <readline/history.h>
#include <readline/readline.h>

static const char prompt[] = "(rrsoft) ";

/* What signal handlers and readline's callbacks reach: there is one terminal. */
static struct console *at_terminal;
static char *typed_line;
static bool has_typed, at_end;

/* --- Ctrl-C --- */

static void take_interrupt(int signal)
{
    (void)signal;
    at_terminal->interrupted = 1;
    if (at_terminal->moving_since_ns)
        rrs_timeline_interrupt(at_terminal->timeline);
}

/* --- completion --- */

struct matches {
    char **texts;
    size_t n_texts, room;
};

static void add_match(void *context, const char *text)
{
    enum { MATCHES_MAX = 20000 };
    struct matches *matches = context;
    if (matches->n_texts == matches->room) {
        size_t room = matches->room ? 2 * matches->room : 64;
        char **texts = room <= MATCHES_MAX ? realloc(matches->texts, room * sizeof *texts) : NULL;
        if (!texts)
            return;
        matches->texts = texts;
        matches->room = room;
    }
    char *copy = strdup(text);
    if (copy)
        matches->texts[matches->n_texts++] = copy;
}

static void match_words(struct matches *matches, const char *const *words, const char *beginning)
{
    for (; *words; words++)
        if (strncmp(*words, beginning, strlen(beginning)) == 0)
            add_match(matches, *words);
}

static void match_commands(struct matches *matches, const char *beginning)
{
    for (const struct console_command *row = console_commands(); row->name; row++)
        if (strncmp(row->name, beginning, strlen(beginning)) == 0)
            add_match(matches, row->name);
}

/* What the first word of the line wants behind it. */
static enum completion wanted_here(const char *line)
{
    line += strspn(line, " \t");
    size_t length = strcspn(line, " \t/");
    for (const struct console_command *row = console_commands(); row->name; row++)
        if ((strlen(row->name) == length && strncmp(row->name, line, length) == 0) ||
            (row->short_name && strlen(row->short_name) == length &&
             strncmp(row->short_name, line, length) == 0))
            return row->completion;
    return COMPLETE_NOTHING;
}

static struct matches found;
static size_t next_match;

/* Readline takes the strings over. */
static char *give_match(const char *text, int state)
{
    (void)text;
    if (state == 0)
        next_match = 0;
    return next_match < found.n_texts ? found.texts[next_match++] : NULL;
}

static char **complete(const char *text, int start, int stop)
{
    static const char *const places[] = {"start", "end", "event", NULL};
    (void)stop;
    rl_attempted_completion_over = 1; /* no names of files */
    found = (struct matches){0};
    bool is_command = (int)strspn(rl_line_buffer, " \t") >= start;
    enum completion wanted = is_command ? COMPLETE_COMMAND : wanted_here(rl_line_buffer);
    if (wanted == COMPLETE_COMMAND)
        match_commands(&found, text);
    else if (wanted == COMPLETE_PLACE)
        match_words(&found, places, text);
    else if (wanted == COMPLETE_SYMBOL)
        symbols_complete(at_terminal, text, add_match, &found);
    char **matches = rl_completion_matches(text, give_match);
    free(found.texts);
    return matches;
}

/* --- history --- */

static bool history_path(char path[4096])
{
    const char *home = getenv("HOME");
    return home && home[0] == '/' && snprintf(path, 4096, "%s/.rrsoft_history", home) < 4096;
}

static void load_history(void)
{
    char path[4096];
    using_history();
    stifle_history(1000);
    if (history_path(path))
        read_history(path);
}

/* It may hold what is nobody else's business. */
static void save_history(void)
{
    char path[4096];
    mode_t mask = umask(077);
    if (history_path(path))
        write_history(path);
    umask(mask);
}

static void remember(const char *line)
{
    HIST_ENTRY *last = history_length ? history_get(history_base + history_length - 1) : NULL;
    if (*line && (!last || strcmp(last->line, line) != 0))
        add_history(line);
}

/* --- at a terminal --- */

static void take_line(char *line)
{
    rl_callback_handler_remove();
    typed_line = line;
    has_typed = true;
    at_end = !line;
}

/* Gives the next line, which the caller frees; NULL at the end. */
static char *read_at_prompt(struct console *console)
{
    has_typed = false;
    console->interrupted = 0;
    rl_callback_handler_install(prompt, take_line);
    while (!has_typed) {
        struct pollfd input = {.fd = STDIN_FILENO, .events = POLLIN};
        if (poll(&input, 1, -1) > 0)
            rl_callback_read_char();
        if (!has_typed && console->interrupted) { /* the line is given up */
            console->interrupted = 0;
            rl_callback_handler_remove();
            putchar('\n');
            rl_callback_handler_install(prompt, take_line);
        }
    }
    return typed_line;
}

static bool repeats(const char *line)
{
    static const char *const names[] = {"step", "s", "back", "x", "continue", "c", "rc"};
    size_t length = strcspn(line, " \t/");
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (strlen(names[i]) == length && strncmp(line, names[i], length) == 0)
            return true;
    return false;
}

/* `x` goes on behind what it has shown: its address is not repeated. */
static char *line_to_repeat(const char *line)
{
    bool examines = line[0] == 'x' && strchr(" \t/", line[1]);
    if (!repeats(line))
        return NULL;
    if (!examines)
        return strdup(line);
    return line[1] == '/' ? strndup(line, strcspn(line, " \t")) : strdup("x");
}

static void read_from_terminal(struct console *console)
{
    struct sigaction action = {.sa_handler = take_interrupt}, before;
    char *repeated = NULL;
    at_terminal = console;
    rl_readline_name = "rrsoft";
    rl_catch_signals = 0;
    rl_attempted_completion_function = complete;
    rl_basic_word_break_characters = " \t+-*()";
    load_history();
    sigaction(SIGINT, &action, &before);
    while (!console->finished) {
        _cleanup_free_ char *line = read_at_prompt(console);
        if (at_end)
            break;
        remember(line);
        const char *command = *line || !repeated ? line : repeated;
        struct rrs_error *error = console_run_line(console, command);
        if (error)
            print_rrs_error(error);
        if (*line) {
            free(repeated);
            repeated = line_to_repeat(line);
        }
        fflush(stdout);
    }
    if (at_end)
        putchar('\n');
    sigaction(SIGINT, &before, NULL);
    save_history();
    free(repeated);
}

/* --- from a script --- */

static unsigned read_from_script(struct console *console)
{
    _cleanup_free_ char *line = NULL;
    size_t room = 0;
    unsigned failed = 0, number = 0;
    for (ssize_t length; !console->finished && !output_failed();) {
        if ((length = getline(&line, &room, stdin)) < 0)
            break;
        number++;
        if (length > 0 && line[length - 1] == '\n')
            line[length - 1] = '\0';
        struct rrs_error *error = console_run_line(console, line);
        if (!error)
            continue;
        char message[4096];
        print_error("line %u: %s", number, rrs_error_format(error, message, sizeof message));
        rrs_error_destroy(error);
        failed++;
    }
    return failed;
}

unsigned console_read_commands(struct console *console)
{
    if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO))
        return read_from_script(console);
    read_from_terminal(console);
    return 0;
}
