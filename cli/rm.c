/* SPDX-License-Identifier: MIT */
/*
 * `rrsoft rm`: deletes traces. Unlike other commands it has no default trace, and the store refuses
 * to delete what is no trace or is still being written.
 */
#include "cli/command.h"
#include "cli/options.h"
#include "cli/output.h"
#include "cli/trace.h"
#include "lmdb-store/scope.h"

static struct rrs_error *remove_trace(const char *argument)
{
    _cleanup_free_ char *path = NULL;
    if (!*argument)
        return rrs_error_create(RRS_ERROR_USAGE, "rm: the name of a trace is empty");
    RRS_TRY(rrs_trace_dir_resolve(NULL, argument, &path));
    return rrs_trace_dir_remove(path);
}

int command_rm(int argc, char **argv)
{
    static const struct option_row options[] = {{0}};
    static const struct usage usage = {
        .command = "rm",
        .arguments = "TRACE...",
        .description = "Deletes traces, without asking. A trace that is being recorded and a\n"
                       "directory with files that are no trace's are refused.\n"
                       "TRACE is a name that 'rrsoft ls' shows or a path (with a '/').\n",
        .arguments_min = 1,
        .arguments_max = -1,
        .options = options,
    };
    int exit_code;
    if (!options_parse(&usage, &argc, argv, &exit_code))
        return exit_code;
    exit_code = EXIT_OK;
    for (int i = 0; i < argc; i++) {
        struct rrs_error *error = remove_trace(argv[i]);
        if (error)
            exit_code = print_rrs_error(error);
    }
    return exit_code;
}
