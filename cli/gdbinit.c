/* SPDX-License-Identifier: MIT */
/* `rrsoft gdbinit`: what a gdb that is started otherwise needs, for ~/.gdbinit or a front end. */
#include "cli/command.h"
#include "cli/installation.h"
#include "cli/options.h"

#include <stdio.h>

int command_gdbinit(int argc, char **argv)
{
    const struct option_row rows[] = {{0}};
    const struct usage usage = {
        .command = "gdbinit",
        .arguments = "",
        .description = "Prints gdb commands that load those of rrsoft ('help rrsoft' in gdb), for\n"
                       "~/.gdbinit or for a front end that starts gdb by itself.\n",
        .options = rows,
    };
    char server[PATH_MAX], commands[PATH_MAX];
    int exit_code;
    if (!options_parse(&usage, &argc, argv, &exit_code))
        return exit_code;
    if (!installation_find("gdbinit", server, commands))
        return EXIT_FAILED;
    printf("set remotetimeout 60\nsource %s\n", commands);
    return EXIT_OK;
}
