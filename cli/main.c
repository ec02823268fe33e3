/* SPDX-License-Identifier: MIT */
/*
 * The `rrsoft` program: finds the command named by its first argument, runs it, and sees to it that
 * what was printed has really been written.
 */
#include "cli/command.h"
#include "cli/output.h"
#include "cli/suggest.h"

#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static const struct command commands[] = {
    /* name, summary, function */
    {"record", "run a program and record it", command_record},
    {"replay", "replay a recording", command_replay},
    {"count", "run a program and count its ticks", command_count},
    {"gdb", "debug a program or a recording, forwards and backwards", command_gdb},
    {"console", "look at a recording by typed commands, without gdb", command_console},
    {"gdbinit", "print what gdb needs to load the commands of rrsoft", command_gdbinit},
    {"ls", "list the traces", command_ls},
    {"info", "show what a trace says about its recording", command_info},
    {"events", "print the events of a trace", command_events},
    {"dump", "print the events of a trace decoded, as strace does", command_dump},
    {"ps", "show the processes of a recording", command_ps},
    {"sources", "list the files that a recorded program mapped", command_sources},
    {"extract", "write out a file that a recorded program mapped", command_extract},
    {"diff", "show where two recordings of a program part", command_diff},
    {"index", "store checkpoints in a trace", command_index},
    {"check", "read a whole trace and report damage", command_check},
    {"du", "show the disk space that traces use", command_du},
    {"mv", "rename a trace", command_mv},
    {"rm", "delete traces", command_rm},
    {"help", "show the help of a command", command_help},
    {0},
};

const struct command *commands_table(void)
{
    return commands;
}

const struct command *commands_find(const char *name)
{
    for (const struct command *command = commands; command->name; command++)
        if (strcmp(command->name, name) == 0)
            return command;
    return NULL;
}

const char *commands_nearest(const char *name)
{
    const char *nearest = NULL;
    unsigned best_distance = 0;
    for (const struct command *command = commands; command->name; command++)
        if (suggest_is_nearer(name, command->name, &best_distance))
            nearest = command->name;
    return nearest;
}

void commands_print_help(void)
{
    printf("Usage: rrsoft COMMAND [OPTION]... [ARGUMENT]...\n"
           "\n"
           "Time-travel debugger for Linux: records a program once and replays it exactly,\n"
           "under gdb, forwards and backwards.\n"
           "\n"
           "Commands:\n");
    for (const struct command *command = commands; command->name; command++)
        printf("  %-8s  %s\n", command->name, command->summary);
    printf("\n"
           "  --help     show this help\n"
           "  --version  show the version\n"
           "\n"
           "'rrsoft COMMAND --help' explains a command; so does 'man rrsoft-COMMAND'.\n");
}

static int run_word(int argc, char **argv)
{
    const char *word = argv[0];
    if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0) {
        commands_print_help();
        return EXIT_OK;
    }
    if (strcmp(word, "--version") == 0 || strcmp(word, "-V") == 0) {
        printf("rrsoft %s\n", RRS_VERSION);
        return EXIT_OK;
    }
    const struct command *command = commands_find(word);
    if (command)
        return command->run(argc, argv);
    if (word[0] == '-') {
        print_error("unknown option '%s'; see 'rrsoft --help'", word);
        return EXIT_USAGE;
    }
    const char *nearest = commands_nearest(word);
    if (nearest)
        print_error("no command '%s'; did you mean '%s'?", word, nearest);
    else
        print_error("no command '%s'; see 'rrsoft --help'", word);
    return EXIT_USAGE;
}

/*
 * A standard stream that the caller closed would become the next file opened, and messages would go
 * into a trace. Each is opened the wrong way round, so that using it fails as before, and
 * close-on-exec, so that a program started from here sees it closed.
 */
static bool occupy_standard_streams(void)
{
    for (int fd = 0; fd <= 2; fd++) {
        int flags = (fd == 0 ? O_WRONLY : O_RDONLY) | O_CLOEXEC;
        if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", flags) < 0)
            return false;
    }
    return true;
}

int main(int argc, char **argv)
{
    if (!occupy_standard_streams())
        return EXIT_FAILED;
    if (argc < 2) {
        print_error("no command given; see 'rrsoft --help'");
        return EXIT_USAGE;
    }
    int exit_code = run_word(argc - 1, argv + 1);
    return output_finish(exit_code);
}
