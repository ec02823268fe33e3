/* SPDX-License-Identifier: MIT */
/* `rrsoft record`: runs a program and writes all that reaches it from outside into a trace. */
#include "cli/command.h"
#include "cli/options.h"
#include "cli/output.h"
#include "cli/program.h"
#include "cli/text.h"
#include "engine/record/recorder.h"
#include "lmdb-store/scope.h"
#include "lmdb-store/trace_dir.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

struct record_options {
    bool quiet, aslr, any_cpu;
    struct option_number slice;
    const char *output, *cpu, *directory;
};

static uint64_t now_ns(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static size_t count_strings(char *const *strings)
{
    size_t count = 0;
    while (strings[count])
        count++;
    return count;
}

static struct rrs_error *describe(struct rrs_metadata *metadata, char *const argv[])
{
    extern char **environ;
    char directory[PATH_MAX];
    RRS_TRY(rrs_metadata_describe_machine(metadata));
    RRS_TRY(rrs_metadata_set(&metadata->program, argv[0]));
    RRS_TRY(rrs_metadata_set(&metadata->working_directory,
                             getcwd(directory, sizeof directory) ? directory : ""));
    RRS_TRY(rrs_metadata_set(&metadata->clock, "translated"));
    RRS_TRY(rrs_string_list_set(&metadata->command_line, (const char *const *)argv,
                                count_strings(argv)));
    RRS_TRY(rrs_string_list_set(&metadata->environment, (const char *const *)environ,
                                count_strings(environ)));
    RRS_TRY(rrs_recorder_name_kinds(metadata));
    metadata->start_wall_ns = now_ns(CLOCK_REALTIME);
    return NULL;
}

static struct rrs_error *create_trace(const struct record_options *options, char *const argv[],
                                      char **path, struct rrs_trace_writer **writer)
{
    struct rrs_metadata metadata;
    if (options->output) {
        RRS_TRY(rrs_trace_dir_create_at(options->output));
        *path = strdup(options->output);
        if (!*path)
            return rrs_error_no_memory();
    } else {
        RRS_TRY(rrs_trace_dir_create(NULL, argv[0], path));
    }
    rrs_metadata_init(&metadata);
    struct rrs_error *error = describe(&metadata, argv);
    if (!error)
        error = rrs_trace_writer_create(*path, &metadata, writer);
    rrs_metadata_deinit(&metadata);
    return error;
}

static struct rrs_trace_end describe_end(const struct rrs_session *session,
                                         const struct rrs_error *error)
{
    struct rrs_trace_end end = {.wall_ns = now_ns(CLOCK_REALTIME)};
    int status = session->root_status;
    if (error) {
        end.end_kind = RRS_TRACE_END_FAILED;
        snprintf(end.detail, sizeof end.detail, "%s", error->message);
    } else if (WIFSIGNALED(status)) {
        end.end_kind = RRS_TRACE_END_SIGNALED;
        end.code = WTERMSIG(status);
    } else {
        end.end_kind = RRS_TRACE_END_EXITED;
        end.code = WEXITSTATUS(status);
    }
    return end;
}

static void print_summary(const struct rrs_recorder *recorder, const char *path, uint64_t wall_ns)
{
    struct rrs_trace_dir_usage usage = {0};
    rrs_error_destroy(rrs_trace_dir_measure(path, &usage));
    fprintf(stderr, "rrsoft: recorded %" PRIu64 " events, %" PRIu64 " ticks, %.1f MB in %.2f s\n",
            recorder->events, recorder->session->clock.ticks, (double)usage.disk_bytes / 1e6,
            (double)wall_ns / 1e9);
}

/* Only the directory of a program that never began is of no use to anybody. */
static int give_up(struct rrs_error *error, const char *path, const char *program)
{
    rrs_error_destroy(rrs_trace_dir_remove(path));
    return program_report_exec_failure(error, program);
}

static int run(const struct record_options *options, const struct rrs_session_options *settings,
               char **argv)
{
    _cleanup_free_ char *path = NULL;
    struct rrs_trace_writer *writer = NULL;
    struct rrs_session session = {0};
    struct rrs_recorder recorder = {0};
    struct rrs_error *error = create_trace(options, argv, &path, &writer);
    if (error)
        return print_rrs_error(error);
    if (!options->quiet)
        fprintf(stderr, "rrsoft: recording to %s\n", path);
    error = rrs_session_init(&session, settings);
    session.warn = program_warn;
    if (!error)
        error = rrs_recorder_init(&recorder, &session, writer);
    uint64_t start_ns = now_ns(CLOCK_MONOTONIC);
    if (!error)
        error = rrs_session_run(&session, argv);
    uint64_t wall_ns = now_ns(CLOCK_MONOTONIC) - start_ns;
    bool started = session.started;
    struct rrs_trace_end end = describe_end(&session, error);
    struct rrs_error *unwritten = started ? rrs_trace_writer_finish(writer, &end) : NULL;
    rrs_trace_writer_destroy(writer);
    int code = program_exit_code(session.root_status);
    if (error)
        code = started ? print_rrs_error(error) : give_up(error, path, argv[0]);
    if (unwritten)
        code = print_rrs_error(unwritten);
    else if (started && !options->quiet)
        print_summary(&recorder, path, wall_ns);
    rrs_session_deinit(&session);
    rrs_recorder_deinit(&recorder);
    return code;
}

int command_record(int argc, char **argv)
{
    struct record_options options = {0};
    const struct option_row rows[] = {
        {"output", 'o', OPTION_TEXT, "DIR", "make the trace in this new directory",
         &options.output},
        {"slice", 0, OPTION_NUMBER, "TICKS", "let a task run for so many ticks at a time",
         &options.slice},
        {"cpu", 0, OPTION_TEXT, "LEVEL",
         "the CPU that the program sees: baseline, x86-64-v2, x86-64-v3 or native", &options.cpu},
        {"chdir", 0, OPTION_TEXT, "DIR", "start the program in this directory", &options.directory},
        {"aslr", 0, OPTION_FLAG, NULL, "leave address space randomisation on", &options.aslr},
        {"any-cpu", 0, OPTION_FLAG, NULL, "do not keep to one CPU", &options.any_cpu},
        {"quiet", 'q', OPTION_FLAG, NULL, "do not say where the trace is", &options.quiet},
        {0},
    };
    const struct usage usage = {
        .command = "record",
        .arguments = "[--] PROGRAM [ARGUMENT]...",
        .description =
            "Runs PROGRAM and records it, with all processes and threads that it makes.\n"
            "Exits as PROGRAM does; with 128 + N if it died by signal N.\n",
        .arguments_min = 1,
        .arguments_max = -1,
        .options_first = true,
        .options = rows,
    };
    int exit_code;
    if (!options_parse(&usage, &argc, argv, &exit_code))
        return exit_code;
    struct rrs_session_options settings = {
        .slice_ticks = options.slice.given ? options.slice.value : RRS_SLICE_TICKS_DEFAULT,
        .keep_aslr = options.aslr,
        .pin = !options.any_cpu,
        .trace_all_calls = true,
        .translate = rrs_translate_defaults,
    };
    if (!program_parse_cpu("record", options.cpu, &settings.cpu_level) ||
        !program_check_slice("record", settings.slice_ticks))
        return EXIT_USAGE;
    if (options.directory && chdir(options.directory) < 0) {
        print_error("record: --chdir '%s': %s", options.directory, strerror(errno));
        return EXIT_FAILED;
    }
    argv[argc] = NULL; /* the options that stood before are gone from the array */
    return run(&options, &settings, argv);
}
