/* SPDX-License-Identifier: MIT */
/*
 * `rrsoft count`: runs a program in shadow code and prints the ticks of its processes. The report
 * goes to stderr, so that the program's own output stays what it is.
 */
#include "cli/command.h"
#include "cli/json.h"
#include "cli/options.h"
#include "cli/output.h"
#include "cli/program.h"
#include "cli/text.h"
#include "engine/run/session.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

struct count_options {
    bool per_task, json, stats, no_eager, aslr, any_cpu, help;
    struct option_number slice, block_insns, cut_seed;
    const char *cpu;
};

static void print_process(const struct rrs_session *session, const struct rrs_process *process,
                          bool per_task)
{
    char *name = text_escape(process->name, strlen(process->name));
    fprintf(stderr, "rrsoft: process %d (%s): %" PRIu64 " ticks\n", process->tgid,
            name ? name : "?", process->ticks);
    free(name);
    for (uint32_t i = 0; per_task && i < session->ended_count; i++)
        if (session->ended[i].tgid == process->tgid)
            fprintf(stderr, "rrsoft:   task %d: %" PRIu64 " ticks\n", session->ended[i].tid,
                    session->ended[i].ticks);
}

/* The list is newest first. */
static void print_processes(const struct rrs_session *session, const struct rrs_process *process,
                            bool per_task)
{
    if (!process)
        return;
    print_processes(session, process->next, per_task);
    print_process(session, process, per_task);
}

static void print_text(const struct rrs_session *session, const struct count_options *options)
{
    print_processes(session, session->processes, options->per_task);
    fprintf(stderr, "rrsoft: total: %" PRIu64 " ticks\n", session->clock.ticks);
    if (options->stats)
        program_print_stats(session);
}

static void print_json_processes(struct json *json, const struct rrs_session *session,
                                 const struct rrs_process *process)
{
    if (!process)
        return;
    print_json_processes(json, session, process->next);
    json_open_object(json, NULL);
    json_signed(json, "pid", process->tgid);
    json_signed(json, "parent", process->parent);
    json_string(json, "name", process->name);
    json_number(json, "ticks", process->ticks);
    json_signed(json, "status", process->status);
    json_open_array(json, "tasks");
    for (uint32_t i = 0; i < session->ended_count; i++)
        if (session->ended[i].tgid == process->tgid) {
            json_open_object(json, NULL);
            json_signed(json, "tid", session->ended[i].tid);
            json_number(json, "ticks", session->ended[i].ticks);
            json_close_object(json);
        }
    json_close_array(json);
    json_close_object(json);
}

static void print_json(const struct rrs_session *session)
{
    struct json json = {.stream = stderr};
    json_open_object(&json, NULL);
    json_number(&json, "ticks", session->clock.ticks);
    json_open_array(&json, "processes");
    print_json_processes(&json, session, session->processes);
    json_close_array(&json);
    json_open_object(&json, "stats");
#define X(name, text) json_number(&json, #name, session->counters.name);
    RRS_COUNTERS(X)
#undef X
    json_close_object(&json);
    json_close_object(&json);
}

static int run(const struct count_options *options, const struct rrs_session_options *settings,
               char **argv)
{
    struct rrs_session session;
    struct rrs_error *error = rrs_session_init(&session, settings);
    session.warn = program_warn;
    if (!error)
        error = rrs_session_run(&session, argv);
    rrs_session_collect(&session);
    int code;
    if (error && !session.started) {
        code = program_report_exec_failure(error, argv[0]);
    } else {
        code = error ? print_rrs_error(error) : program_exit_code(session.root_status);
        if (options->json)
            print_json(&session);
        else
            print_text(&session, options);
    }
    rrs_session_deinit(&session);
    return code;
}

int command_count(int argc, char **argv)
{
    struct count_options options = {0};
    const struct option_row rows[] = {
        {"per-task", 0, OPTION_FLAG, NULL, "print the ticks of each task, too", &options.per_task},
        {"json", 0, OPTION_FLAG, NULL, "print the report as JSON", &options.json},
        {"stats", 0, OPTION_FLAG, NULL, "print what the engine did", &options.stats},
        {"slice", 0, OPTION_NUMBER, "TICKS", "let a task run for so many ticks at a time",
         &options.slice},
        {"cpu", 0, OPTION_TEXT, "LEVEL",
         "the CPU that the program sees: baseline, x86-64-v2, x86-64-v3 or native", &options.cpu},
        {"aslr", 0, OPTION_FLAG, NULL, "leave address space randomisation on", &options.aslr},
        {"any-cpu", 0, OPTION_FLAG, NULL, "do not keep to one CPU", &options.any_cpu},
        {"no-eager", 0, OPTION_FLAG, NULL, "translate only what is reached", &options.no_eager},
        {"block-insns", 0, OPTION_NUMBER, "N", "cut blocks after N instructions (1 to 64)",
         &options.block_insns},
        {"cut-seed", 0, OPTION_NUMBER, "SEED", "cut blocks at random places", &options.cut_seed},
        {0},
    };
    const struct usage usage = {
        .command = "count",
        .arguments = "[--] PROGRAM [ARGUMENT]...",
        .description = "Runs PROGRAM in counted shadow code and prints to stderr how many tick\n"
                       "instructions each of its processes retired. Exits as PROGRAM does; with\n"
                       "128 + N if it died by signal N.\n",
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
        .translate = rrs_translate_defaults,
    };
    if (!program_parse_cpu("count", options.cpu, &settings.cpu_level) ||
        !program_check_slice("count", settings.slice_ticks))
        return EXIT_USAGE;
    if (options.block_insns.given &&
        (options.block_insns.value < 1 || options.block_insns.value > 64)) {
        print_error("count: --block-insns: give a number from 1 to 64");
        return EXIT_USAGE;
    }
    if (options.block_insns.given)
        settings.translate.block_insns = (uint32_t)options.block_insns.value;
    settings.translate.cut_seed = options.cut_seed.value;
    if (options.no_eager)
        settings.translate.eager_traces = 0;
    argv[argc] = NULL; /* the options that stood before are gone from the array */
    return run(&options, &settings, argv);
}
