/* SPDX-License-Identifier: MIT */
/* `rrsoft help [COMMAND]`: the same text as `rrsoft COMMAND --help`. */
#include "cli/command.h"
#include "cli/options.h"
#include "cli/output.h"

#include <stddef.h>

int command_help(int argc, char **argv)
{
    static const struct option_row options[] = {{0}};
    static const struct usage usage = {
        .command = "help",
        .arguments = "[COMMAND]",
        .description = "Shows the list of commands, or the help of one command.\n",
        .arguments_max = 1,
        .options = options,
    };
    int exit_code;
    if (!options_parse(&usage, &argc, argv, &exit_code))
        return exit_code;
    if (argc == 0) {
        commands_print_help();
        return EXIT_OK;
    }
    const struct command *command = commands_find(argv[0]);
    if (command)
        return command->run(2, (char *[]){argv[0], (char *)"--help", NULL});
    const char *nearest = commands_nearest(argv[0]);
    if (nearest)
        print_error("help: no command '%s'; did you mean '%s'?", argv[0], nearest);
    else
        print_error("help: no command '%s'; see 'rrsoft --help'", argv[0]);
    return EXIT_USAGE;
}
