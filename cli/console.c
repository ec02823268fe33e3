/* SPDX-License-Identifier: MIT */
/* `rrsoft console`: opens a recording, and lets commands loose on it (console/). */
#include "cli/console/console.h"

#include "cli/command.h"
#include "cli/console/symbols.h"
#include "cli/options.h"
#include "cli/output.h"
#include "cli/program.h"
#include "lmdb-store/scope.h"

#include <stdio.h>
#include <unistd.h>

struct request {
    bool end;
    struct option_list commands;
};

static void warn(void *context, const char *message)
{
    (void)context;
    program_warn(NULL, message);
}

/* The timeline has its own reader of the trace; two of one process would take each other's locks.
 */
static struct rrs_error *open_recording(struct console *console, const char *argument)
{
    struct opened_trace *trace = console->trace;
    const struct rrs_timeline_options options = {
        .warn = warn, .progress = console_progress, .context = console};
    RRS_TRY(rrs_trace_dir_resolve(NULL, argument, &trace->path));
    RRS_TRY(rrs_timeline_open(trace->path, &options, &console->timeline));
    struct rrs_trace_reader *reader = rrs_timeline_trace(console->timeline);
    RRS_TRY(rrs_trace_reader_metadata(reader, &trace->metadata));
    RRS_TRY(rrs_event_log_create(reader, &trace->log));
    RRS_TRY(rrs_event_log_bounds(trace->log, &trace->bounds));
    trace->reader = reader;
    return console_choose_task(console, 0);
}

static unsigned run_given(struct console *console, const struct option_list *commands)
{
    unsigned failed = 0;
    for (int i = 0; i < commands->n_items && !console->finished; i++) {
        struct rrs_error *error = console_run_line(console, commands->items[i]);
        failed += error != NULL;
        if (error)
            print_rrs_error(error);
    }
    return failed;
}

/* Commands of the command line come first; what fails at a prompt is no failure of the program. */
static int run(struct console *console, const char *argument, const struct request *request)
{
    struct rrs_error *error = open_recording(console, argument);
    if (!error && request->end)
        error = console_seek(console, "end");
    else if (!error && isatty(STDIN_FILENO))
        error = console_print_place(console);
    if (error)
        return print_rrs_error(error);
    unsigned failed = run_given(console, &request->commands);
    if (!console->finished)
        failed += console_read_commands(console);
    return failed ? EXIT_FAILED : EXIT_OK;
}

int command_console(int argc, char **argv)
{
    struct request request = {0};
    const struct option_row options[] = {
        {"end", 0, OPTION_FLAG, NULL, "begin at the end of the recording", &request.end},
        {"eval-command", 'e', OPTION_LIST, "CMD", "run CMD first", &request.commands},
        {0},
    };
    const struct usage usage = {
        .command = "console",
        .arguments = "[TRACE]",
        .description =
            "Looks at a recording by typed commands, without gdb: 'help' lists them. From a pipe\n"
            "there is no prompt, and the exit status is 1 if a command failed.\n" TRACE_HELP,
        .arguments_max = 1,
        .options = options,
    };
    int exit_code;
    if (!options_parse(&usage, &argc, argv, &exit_code))
        return exit_code;
    struct opened_trace trace = {0};
    rrs_metadata_init(&trace.metadata);
    struct console console = {
        .trace = &trace, .format = {'x', 8, 0}, .shows_progress = isatty(STDERR_FILENO)};
    exit_code = run(&console, argc ? argv[0] : NULL, &request);
    symbols_destroy(console.symbols);
    console_stops_deinit(&console);
    trace.reader = NULL; /* the timeline's */
    trace_close(&trace);
    rrs_timeline_destroy(console.timeline);
    return exit_code;
}
