/* SPDX-License-Identifier: MIT */
/* `rrsoft replay`: a recording runs again, to its end. */
#include "cli/command.h"
#include "cli/options.h"
#include "cli/output.h"
#include "cli/program.h"
#include "cli/trace.h"
#include "engine/replay/replayer.h"

enum { EXIT_DIVERGED = 3 };

static struct rrs_error *run(struct rrs_replayer *replayer)
{
    while (replayer->next)
        RRS_TRY(rrs_replayer_step_event(replayer));
    return NULL;
}

static int report(struct rrs_error *error)
{
    bool diverged = error->code == RRS_ERROR_DIVERGED;
    int code = print_rrs_error(error);
    return diverged ? EXIT_DIVERGED : code;
}

int command_replay(int argc, char **argv)
{
    bool no_echo = false, automatic = false;
    struct option_number keep_free = {0};
    const struct option_row rows[] = {
        {"auto", 'a', OPTION_FLAG, NULL, "run to the end without a debugger (as ever)", &automatic},
        {"no-echo", 0, OPTION_FLAG, NULL, "do not show again what the program wrote", &no_echo},
        {"keep-free", 0, OPTION_BYTES, "BYTES",
         "end the replay when less memory is free (default: a 16th of the machine's)", &keep_free},
        {0},
    };
    const struct usage usage = {
        .command = "replay",
        .arguments = "[TRACE]",
        .description =
            "Replays TRACE to its end and exits as the program did; with 3 if the replay\n"
            "did not do what was recorded. " TRACE_HELP,
        .arguments_max = 1,
        .options = rows,
    };
    int exit_code;
    if (!options_parse(&usage, &argc, argv, &exit_code))
        return exit_code;
    _cleanup_trace_ struct opened_trace trace = {0};
    struct rrs_error *error = trace_open(argc ? argv[0] : NULL, &trace);
    if (error)
        return print_rrs_error(error);
    struct rrs_replayer *replayer = NULL;
    const struct rrs_replay_options options = {
        .echo = !no_echo, .keep_free_bytes = keep_free.value, .warn = program_warn};
    error = rrs_replayer_create(trace.reader, &options, &replayer);
    if (!error)
        error = run(replayer);
    exit_code = error ? report(error) : program_exit_code(replayer->exit_status);
    rrs_replayer_destroy(replayer);
    return exit_code;
}
