/* SPDX-License-Identifier: MIT */
/* The table of commands, help, and what a typed line means. */
#include "cli/console/words.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

static struct rrs_error *help(struct console *console, const char *rest);

static struct rrs_error *quit(struct console *console, const char *rest)
{
    (void)rest;
    console->finished = true;
    return NULL;
}

/* The order is that of the help. A name may be cut short, as long as it fits one row only. */
static const struct console_command commands[] = {
    {"when", NULL, "", "the position in the recording: tick, event, task, time of day",
     COMPLETE_NOTHING, console_when},
    {"seek", NULL, "TICK|+N|-N|N%|event N|start|end", "go elsewhere; stops nowhere on the way",
     COMPLETE_PLACE, console_seek},
    {"step", "s", "[N]", "N instructions forward (1)", COMPLETE_NOTHING, console_step},
    {"back", NULL, "[N]", "N instructions backward (1)", COMPLETE_NOTHING, console_back},
    {"continue", "c", "", "forward to the next breakpoint or watchpoint", COMPLETE_NOTHING,
     console_continue},
    {"rc", NULL, "", "backward to the last breakpoint or watchpoint", COMPLETE_NOTHING,
     console_continue_back},
    {"break", "b", "[ADDRESS|SYMBOL|FILE:LINE]", "stop there; without an argument: here",
     COMPLETE_SYMBOL, console_break},
    {"watch", NULL, "SYMBOL|ADDRESS [BYTES]",
     "stop where memory changes; BYTES: else the symbol's size, or 8",
     COMPLETE_SYMBOL, console_watch},
    {"stops", NULL, "", "list breakpoints and watchpoints", COMPLETE_NOTHING, console_stops},
    {"delete", NULL, "[NUMBER]", "delete one, or all", COMPLETE_NOTHING, console_delete},
    {"bt", NULL, "[N]", "the call stack", COMPLETE_NOTHING, console_backtrace},
    {"regs", NULL, "[NAME]...", "registers", COMPLETE_NOTHING, console_regs},
    {"dis", NULL, "[ADDRESS [N]]", "N instructions (10) as text", COMPLETE_SYMBOL,
     console_disassemble},
    {"x", NULL, "[/NFS] [ADDRESS]",
     "memory: N units in form F (xduotcfasi) of size S (bhwg)",
     COMPLETE_SYMBOL, console_examine},
    {"find", NULL, "\"TEXT\"|[/S] NUMBER", "where that stands in memory", COMPLETE_NOTHING,
     console_find},
    {"maps", NULL, "", "the address space", COMPLETE_NOTHING, console_maps},
    {"events", NULL, "[FROM [COUNT]]", "events of the recording, those around here",
     COMPLETE_NOTHING, console_events},
    {"ps", NULL, "", "the tasks that are alive here", COMPLETE_NOTHING, console_ps},
    {"task", NULL, "[TID]", "look at another task; without TID: at the one that runs",
     COMPLETE_NOTHING, console_task},
    {"help", "h", "[COMMAND]", "this list, or one line of it", COMPLETE_COMMAND, help},
    {"quit", "q", "", "leave (also: Ctrl-D)", COMPLETE_NOTHING, quit},
    {0},
};

const struct console_command *console_commands(void)
{
    return commands;
}

/* The row that a name stands for; a full name wins over the beginning of another. */
static struct rrs_error *find_command(const char *name, size_t length,
                                      const struct console_command **found)
{
    *found = NULL;
    for (const struct console_command *row = commands; row->name; row++) {
        if (strncmp(row->name, name, length) == 0 && strlen(row->name) == length) {
            *found = row;
            return NULL;
        }
        if (row->short_name && strncmp(row->short_name, name, length) == 0 &&
            strlen(row->short_name) == length) {
            *found = row;
            return NULL;
        }
    }
    for (const struct console_command *row = commands; row->name; row++) {
        if (strncmp(row->name, name, length) != 0)
            continue;
        if (*found)
            return rrs_error_create(RRS_ERROR_USAGE, "'%.*s' could be '%s' or '%s'", (int)length,
                                    name, (*found)->name, row->name);
        *found = row;
    }
    if (*found)
        return NULL;
    return rrs_error_create(RRS_ERROR_USAGE, "no command '%.*s'; see 'help'", (int)length, name);
}

static void print_help(const struct console_command *row)
{
    char usage[80];
    snprintf(usage, sizeof usage, "%s%s%s", row->name, *row->arguments ? " " : "", row->arguments);
    printf("%-38s  %s\n", usage, row->help);
}

static const char grammar[] =
    "\n"
    "An ADDRESS is a number, a $register, a symbol or FILE:LINE, with + and -, *ADDRESS for what\n"
    "memory holds there, and parentheses; without blanks. An empty line repeats step, back, x and\n"
    "other movements. Names can be cut short.\n";

static struct rrs_error *help(struct console *console, const char *rest)
{
    const struct console_command *row;
    (void)console;
    if (*rest) {
        RRS_TRY(find_command(rest, strlen(rest), &row));
        print_help(row);
        return NULL;
    }
    for (row = commands; row->name; row++)
        print_help(row);
    fputs(grammar, stdout);
    return NULL;
}

/* A name ends at a blank; "x/4x" is the command x too. */
struct rrs_error *console_run_line(struct console *console, const char *line)
{
    const struct console_command *command;
    char words[4 * WORD_BYTES];
    line += strspn(line, " \t");
    size_t length = strlen(line);
    while (length > 0 && isspace((unsigned char)line[length - 1]))
        length--;
    if (length == 0 || line[0] == '#')
        return NULL;
    if (length >= sizeof words)
        return rrs_error_create(RRS_ERROR_USAGE, "the line is too long");
    memcpy(words, line, length);
    words[length] = '\0';
    size_t name = strcspn(words, " \t/");
    RRS_TRY(find_command(words, name, &command));
    if (!*command->arguments && words[name + strspn(words + name, " \t")])
        return rrs_error_create(RRS_ERROR_USAGE, "'%s' takes no argument", command->name);
    return command->run(console, words + name + strspn(words + name, " \t"));
}
