/* SPDX-License-Identifier: MIT */
/* `rrsoft mv`: renames a trace, or moves it within its file system. */
#include "cli/command.h"
#include "cli/options.h"
#include "cli/output.h"
#include "cli/trace.h"
#include "lmdb-store/scope.h"

static struct rrs_error *rename_trace(const char *argument, const char *new_name)
{
    _cleanup_free_ char *path = NULL;
    if (!*argument || !*new_name)
        return rrs_error_create(RRS_ERROR_USAGE, "mv: the name of a trace is empty");
    RRS_TRY(rrs_trace_dir_resolve(NULL, argument, &path));
    return rrs_trace_dir_rename(path, new_name, NULL);
}

int command_mv(int argc, char **argv)
{
    static const struct option_row options[] = {{0}};
    static const struct usage usage = {
        .command = "mv",
        .arguments = "TRACE NEW",
        .description =
            "Renames a trace. NEW without a '/' is a name in the same directory; with one\n"
            "it is a path on the same file system. Nothing is overwritten.\n"
            "TRACE is a name that 'rrsoft ls' shows or a path (with a '/').\n",
        .arguments_min = 2,
        .arguments_max = 2,
        .options = options,
    };
    int exit_code;
    if (!options_parse(&usage, &argc, argv, &exit_code))
        return exit_code;
    struct rrs_error *error = rename_trace(argv[0], argv[1]);
    return error ? print_rrs_error(error) : EXIT_OK;
}
