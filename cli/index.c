/* SPDX-License-Identifier: MIT */
/* `rrsoft index`: checkpoints are stored in a trace. */
#include "engine/replay/index.h"

#include "cli/command.h"
#include "cli/options.h"
#include "cli/output.h"
#include "cli/program.h"
#include "cli/trace.h"
#include "lmdb-store/clock.h"
#include "lmdb-store/scope.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { EXIT_INTERRUPTED = 128 + SIGINT };

static volatile sig_atomic_t interrupted;

static void interrupt(int signal_number)
{
    (void)signal_number;
    interrupted = 1;
}

/* The terminal's Ctrl-C, and whoever else asks for an end; a second one is not waited for. */
static void catch_signals(void)
{
    struct sigaction action = {.sa_handler = interrupt, .sa_flags = SA_RESTART | SA_RESETHAND};
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
}

/* --- progress --- */

struct progress {
    bool shown;
    uint64_t last_ns;
};

static void show_progress(struct progress *progress, uint64_t done, uint64_t total)
{
    enum { WIDTH = 40, EVERY_NS = 100000000 };
    static const char full[] = "########################################";
    uint64_t now = rrs_clock_ns(CLOCK_MONOTONIC);
    if (now - progress->last_ns < EVERY_NS || !isatty(STDERR_FILENO))
        return;
    progress->last_ns = now;
    progress->shown = true;
    double part = total ? (double)done / (double)total : 1;
    int marks = (int)(part * WIDTH);
    fprintf(stderr, "\r[%.*s%*s] %3d %%", marks, full, WIDTH - marks, "", (int)(part * 100));
}

static void end_progress(const struct progress *progress)
{
    if (progress->shown)
        fputs("\r\033[K", stderr);
}

static bool goes_on(void *context, uint64_t tick, uint64_t last_tick)
{
    show_progress(context, tick, last_tick);
    return !interrupted;
}

/* --- the command --- */

/* A number of ticks, or a time with its unit. */
static bool parse_every(const char *text, struct rrs_index_options *options)
{
    options->every_ns = 1000000000;
    if (!text)
        return true;
    bool ticks = options_parse_number(text, &options->every_ticks);
    if (ticks ? options->every_ticks > 0
              : options_parse_time(text, &options->every_ns) && options->every_ns > 0)
        return true;
    print_error("index: --every '%s' is neither a number of ticks (5000000) nor a time (0.5s)",
                text);
    return false;
}

static struct rrs_error *index_trace(const char *path, const struct rrs_index_options *options,
                                     struct rrs_index_result *result)
{
    struct rrs_trace_writer *writer;
    struct rrs_trace_reader *reader = NULL;
    RRS_TRY(rrs_trace_writer_open(path, &writer));
    struct rrs_error *error = rrs_trace_writer_reader(writer, &reader);
    if (!error)
        error = rrs_index(reader, writer, options, result);
    struct rrs_error *unfinished = rrs_trace_writer_finish(writer, NULL);
    if (error)
        rrs_error_destroy(unfinished);
    else
        error = unfinished;
    rrs_trace_reader_destroy(reader);
    rrs_trace_writer_destroy(writer);
    return error;
}

static int report(const struct rrs_index_result *result)
{
    printf("%" PRIu64 " checkpoint%s stored", result->made, result->made == 1 ? "" : "s");
    if (result->found)
        printf(", %" PRIu64 " were there", result->found);
    puts(result->interrupted ? "; interrupted: the same command goes on from there" : "");
    return result->interrupted ? EXIT_INTERRUPTED : EXIT_OK;
}

int command_index(int argc, char **argv)
{
    const char *every = NULL;
    const struct option_row rows[] = {
        {"every", 0, OPTION_TEXT, "TICKS|TIME",
         "how far apart: ticks, or the time that a replay takes (default: 1s)", &every},
        {0},
    };
    const struct usage usage = {
        .command = "index",
        .arguments = "[TRACE]",
        .description =
            "Replays TRACE once and stores checkpoints in it, from which a debugger is quickly\n"
            "anywhere in the recording. Can be interrupted, and goes on the next "
            "time.\n" TRACE_HELP,
        .arguments_max = 1,
        .options = rows,
    };
    int exit_code;
    struct progress progress = {0};
    struct rrs_index_options options = {
        .goes_on = goes_on, .warn = program_warn, .context = &progress};
    struct rrs_index_result result = {0};
    if (!options_parse(&usage, &argc, argv, &exit_code))
        return exit_code;
    if (!parse_every(every, &options))
        return EXIT_USAGE;
    _cleanup_free_ char *path = NULL;
    struct rrs_error *error = rrs_trace_dir_resolve(NULL, argc ? argv[0] : NULL, &path);
    catch_signals();
    if (!error)
        error = index_trace(path, &options, &result);
    end_progress(&progress);
    return error ? print_rrs_error(error) : report(&result);
}
