/* SPDX-License-Identifier: MIT */
/* `rrsoft record`: runs a program and writes all that reaches it from outside into a trace. */
#include "cli/command.h"
#include "cli/options.h"
#include "cli/output.h"
#include "cli/program.h"
#include "cli/recording.h"
#include "lmdb-store/scope.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

struct request {
    bool quiet, stats, aslr, any_cpu;
    struct option_number slice, max_bytes, max_ns, until_failure, chaos;
    struct option_list variables;
    const char *output, *cpu, *directory, *save_on, *at_limit, *wait;
};

/* --- what the options mean --- */

/* Reads one of two words into whether it is the second. False: a mistake was reported. */
static bool parse_choice(const char *option, const char *text, const char *const words[2],
                         bool *second)
{
    if (!text)
        return true;
    *second = strcmp(text, words[1]) == 0;
    if (*second || strcmp(text, words[0]) == 0)
        return true;
    print_error("record: --%s '%s': give %s or %s", option, text, words[0], words[1]);
    return false;
}

static bool check_variables(const struct option_list *variables)
{
    for (int i = 0; i < variables->n_items; i++) {
        const char *text = variables->items[i];
        if (strchr(text, '=') && *text != '=')
            continue;
        print_error("record: --env '%s': give NAME=VALUE", text);
        return false;
    }
    return true;
}

static bool check_limits(const struct request *request)
{
    const struct {
        const struct option_number *number;
        const char *name;
    } limits[] = {{&request->max_bytes, "max-size"}, {&request->max_ns, "max-time"}};
    for (size_t i = 0; i < sizeof limits / sizeof *limits; i++)
        if (limits[i].number->given && !limits[i].number->value) {
            print_error("record: --%s: give more than 0", limits[i].name);
            return false;
        }
    if (request->until_failure.given && request->output) {
        print_error("record: --until-failure makes several traces; leave --output out");
        return false;
    }
    return true;
}

/* One that is easy to type, and not 0, which stands for "none given". */
static uint64_t make_seed(void)
{
    uint32_t seed = 0;
    if (getrandom(&seed, sizeof seed, 0) != sizeof seed)
        seed = (uint32_t)time(NULL);
    return seed ? seed : 1;
}

static bool make_plan(const struct request *request, struct recording_plan *plan)
{
    static const char *const saves[] = {"always", "failure"}, *const ends[] = {"go-on", "kill"},
                             *const waits[] = {"all", "main"};
    *plan = (struct recording_plan){
        .session =
            {
                .slice_ticks =
                    request->slice.given ? request->slice.value : RRS_SLICE_TICKS_DEFAULT,
                .keep_aslr = request->aslr,
                .pin = !request->any_cpu,
                .trace_all_calls = true,
                .chaos = request->chaos.given,
                .chaos_seed = request->chaos.value ? request->chaos.value : make_seed(),
                .translate = rrs_translate_defaults,
            },
        .output = request->output,
        .variables = request->variables.items,
        .n_variables = (size_t)request->variables.n_items,
        .directory_fd = -1,
        .max_bytes = request->max_bytes.value,
        .max_ns = request->max_ns.value,
        .keep_failed_only = request->until_failure.given,
        .quiet = request->quiet,
        .stats = request->stats,
    };
    return program_parse_cpu("record", request->cpu, &plan->session.cpu_level) &&
           program_check_slice("record", plan->session.slice_ticks) &&
           parse_choice("save-on", request->save_on, saves, &plan->keep_failed_only) &&
           parse_choice("wait", request->wait, waits, &plan->main_only) &&
           parse_choice("at-limit", request->at_limit, ends, &plan->kill_at_limit) &&
           check_variables(&request->variables) && check_limits(request);
}

/* --- running --- */

/* Again and again, until a run fails; a run that could not be recorded is the last as well. */
static int run_until_failure(struct recording_plan *plan, uint64_t runs_max)
{
    struct recording_result result = {0};
    cpu_set_t cpus;
    bool known = sched_getaffinity(0, sizeof cpus, &cpus) == 0;
    for (uint64_t run = 1; !runs_max || run <= runs_max; run++) {
        if (!plan->quiet)
            fprintf(stderr, "rrsoft: run %" PRIu64 "\n", run);
        if (known) /* the run before has kept to one */
            sched_setaffinity(0, sizeof cpus, &cpus);
        result = recording_run(plan);
        if (!result.ran || result.failed || result.stopped)
            return result.exit_code;
        plan->session.chaos_seed++;
    }
    if (!plan->quiet)
        fprintf(stderr, "rrsoft: %" PRIu64 " runs, none failed\n", runs_max);
    return result.exit_code;
}

static int run(const struct request *request, struct recording_plan *plan, char **argv)
{
    _cleanup_close_ int directory = -1;
    if (request->directory) {
        directory = open(request->directory, O_PATH | O_DIRECTORY | O_CLOEXEC);
        if (directory < 0) {
            print_error("record: --chdir '%s': %s", request->directory, strerror(errno));
            return EXIT_FAILED;
        }
    }
    plan->argv = argv;
    plan->directory_fd = directory;
    if (request->until_failure.given)
        return run_until_failure(plan, request->until_failure.value);
    return recording_run(plan).exit_code;
}

int command_record(int argc, char **argv)
{
    struct request request = {0};
    const struct option_row rows[] = {
        {"output", 'o', OPTION_TEXT, "DIR", "make the trace in this new directory",
         &request.output},
        {"env", 'e', OPTION_LIST, "NAME=VALUE", "set a variable for the program",
         &request.variables},
        {"chdir", 0, OPTION_TEXT, "DIR", "start the program in this directory", &request.directory},
        {"max-size", 0, OPTION_BYTES, "BYTES", "end the recording at this size (500M, 2G)",
         &request.max_bytes},
        {"max-time", 0, OPTION_TIME, "TIME", "end the recording after this time (90s, 10min)",
         &request.max_ns},
        {"at-limit", 0, OPTION_TEXT, "WHAT",
         "what the program does when its recording is ended: go-on (default) or kill",
         &request.at_limit},
        {"save-on", 0, OPTION_TEXT, "WHEN", "keep the trace: always (default) or on failure",
         &request.save_on},
        {"until-failure", 0, OPTION_COUNT, "N",
         "record again until a run fails, N times at most; keep that trace",
         &request.until_failure},
        {"chaos", 0, OPTION_COUNT, "SEED",
         "let chance decide who runs when, and for how long; SEED repeats it", &request.chaos},
        {"wait", 0, OPTION_TEXT, "WHOM",
         "record until all processes have ended (default), or only the first: main", &request.wait},
        {"slice", 0, OPTION_NUMBER, "TICKS", "let a task run for so many ticks at a time",
         &request.slice},
        {"cpu", 0, OPTION_TEXT, "LEVEL",
         "the CPU that the program sees: baseline, x86-64-v2, x86-64-v3 or native", &request.cpu},
        {"aslr", 0, OPTION_FLAG, NULL, "leave address space randomisation on", &request.aslr},
        {"any-cpu", 0, OPTION_FLAG, NULL, "do not keep to one CPU", &request.any_cpu},
        {"stats", 0, OPTION_FLAG, NULL, "print what the engine did", &request.stats},
        {"quiet", 'q', OPTION_FLAG, NULL, "do not say where the trace is", &request.quiet},
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
    struct recording_plan plan;
    if (!options_parse(&usage, &argc, argv, &exit_code))
        return exit_code;
    return make_plan(&request, &plan) ? run(&request, &plan, argv) : EXIT_USAGE;
}
