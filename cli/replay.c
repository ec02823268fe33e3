/* SPDX-License-Identifier: MIT */
/*
 * `rrsoft replay`: a recording runs again, to its end, or under gdb, or behind a port for somebody
 * else's gdb. The options are those of `rr replay`, so that front ends written for it can use this.
 */
#include "cli/command.h"
#include "cli/gdb_run.h"
#include "cli/installation.h"
#include "cli/options.h"
#include "cli/output.h"
#include "cli/process_list.h"
#include "cli/program.h"
#include "cli/trace.h"
#include "engine/replay/replayer.h"
#include "lmdb-store/scope.h"
#include "lmdb-store/trace_dir.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { EXIT_DIVERGED = 3 };

struct replay_options {
    bool automatic, no_echo, keep_listening;
    const char *process, *host;
    struct option_number forked, port, keep_free;
    struct gdb_options gdb;
};

/* --- to the end --- */

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

static int replay_to_the_end(const char *argument, const struct replay_options *how)
{
    _cleanup_trace_ struct opened_trace trace = {0};
    struct rrs_error *error = trace_open(argument, &trace);
    if (error)
        return print_rrs_error(error);
    struct rrs_replayer *replayer = NULL;
    const struct rrs_replay_options options = {
        .echo = !how->no_echo,
        .keep_free_bytes = how->keep_free.value,
        .warn = program_warn,
    };
    error = rrs_replayer_create(trace.reader, &options, &replayer);
    if (!error)
        error = run(replayer);
    int exit_code = error ? report(error) : program_exit_code(replayer->exit_status);
    rrs_replayer_destroy(replayer);
    return exit_code;
}

/* --- which process --- */

/* Whether a process has this number, or ran a program of this name or of a path that ends in it. */
static bool is_wanted(const struct process *process, const struct option_number *pid,
                      const char *name)
{
    if (pid->given)
        return (uint64_t)process->pid == pid->value;
    const char *word = process->n_words ? process->command_line[0] : process->program;
    size_t length = strlen(name), word_length = word ? strlen(word) : 0;
    return word_length >= length && strcmp(word + word_length - length, name) == 0 &&
           (word_length == length || word[word_length - length - 1] == '/');
}

/* Where it runs its own program; its first event is enough for one that never loaded any. */
static void show_process(struct gdb_options *gdb, const struct process *process)
{
    gdb->pid = (struct option_number){true, (uint64_t)process->pid};
    if (!gdb->event.given && process->exec_event > process->first_event)
        gdb->event = (struct option_number){true, process->exec_event + 1};
}

/* -p: at the start of the program, as rr has it, not at that of the process. */
static struct rrs_error *find_process(const char *path, struct replay_options *options)
{
    _cleanup_trace_ struct opened_trace trace = {0};
    struct process_list list;
    RRS_TRY(trace_open(path, &trace));
    struct rrs_error *error = process_list_read(&trace, &list);
    size_t i = 0;
    while (!error && i < list.n_processes &&
           !is_wanted(&list.processes[i], &options->gdb.pid, options->process))
        i++;
    if (!error && i == list.n_processes)
        error =
            rrs_error_path(RRS_ERROR_NOT_FOUND, path,
                           "no process is or ran '%s'; 'rrsoft ps' lists them", options->process);
    if (!error)
        show_process(&options->gdb, &list.processes[i]);
    process_list_deinit(&list);
    return error;
}

/* A number, or the name of a program, which find_process() looks for. */
static bool take_pid(struct replay_options *options)
{
    struct option_number *pid = &options->gdb.pid;
    if (options->process)
        pid->given = options_parse_number(options->process, &pid->value);
    else
        *pid = options->forked;
    return gdb_check_pid("replay", options->process ? "onprocess" : "onfork", pid);
}

/* --- for somebody else's gdb --- */

static int serve(const struct replay_options *options, const char *path)
{
    char server[PATH_MAX], commands[PATH_MAX], address[300], pid[32], event[32];
    const char *words[12] = {server, "--tcp", address};
    int n_words = 3;
    if (!installation_find("replay", server, commands))
        return EXIT_FAILED;
    snprintf(address, sizeof address, "%.255s:%" PRIu64,
             options->host ? options->host : "127.0.0.1", options->port.value);
    snprintf(pid, sizeof pid, "%" PRIu64, options->gdb.pid.value);
    snprintf(event, sizeof event, "%" PRIu64, options->gdb.event.value);
    if (!options->keep_listening)
        words[n_words++] = "--once";
    if (options->gdb.pid.given) {
        words[n_words++] = "--pid";
        words[n_words++] = pid;
    }
    if (options->gdb.event.given) {
        words[n_words++] = "--event";
        words[n_words++] = event;
    }
    words[n_words] = path;
    execv(server, (char **)words);
    print_error("replay: cannot run '%s': %s", server, strerror(errno));
    return EXIT_FAILED;
}

/* --- the command --- */

/* rr's spelling of options, and ours. */
static void accept_rr_spelling(int argc, char **argv)
{
    static const struct {
        const char *theirs, *ours;
    } spellings[] = {
        {"--autopilot", "--auto"},       {"--no-redirect-output", "--no-echo"},
        {"-fullname", "--fullname"},     {"-i=mi", "--interpreter=mi"},
        {"-i=mi2", "--interpreter=mi2"}, {"-i=mi3", "--interpreter=mi3"},
    };
    for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++)
        for (size_t s = 0; s < sizeof spellings / sizeof spellings[0]; s++)
            if (strcmp(argv[i], spellings[s].theirs) == 0)
                argv[i] = (char *)spellings[s].ours;
    if (argc == 2 && strcmp(argv[1], "-h") == 0)
        argv[1] = "--help";
}

/* Words behind TRACE are for gdb; so are all if the first is an option: they stood behind "--". */
static bool take_gdb_words(int *argc, char **argv, struct option_list *more)
{
    int first = *argc > 0 && argv[0][0] != '-' ? 1 : 0;
    for (int i = first; i < *argc; i++) {
        if (more->n_items == OPTION_LIST_MAX) {
            print_error("replay: too many arguments");
            return false;
        }
        more->items[more->n_items++] = argv[i];
    }
    *argc = first < *argc ? first : *argc;
    return true;
}

/* Without a terminal nobody could say anything to gdb, unless commands for it were given. */
static bool wants_gdb(const struct gdb_options *options)
{
    return isatty(STDIN_FILENO) || options->interpreter || options->fullname ||
           options->files.n_items || options->more.n_items;
}

static int replay(struct replay_options *options, const char *argument)
{
    bool serves = options->host || options->port.given;
    if (options->automatic || (!serves && !wants_gdb(&options->gdb)))
        return replay_to_the_end(argument, options);
    if (!serves && !gdb_check("replay", &options->gdb))
        return EXIT_FAILED;
    _cleanup_free_ char *path = NULL;
    struct rrs_error *error = rrs_trace_dir_resolve(NULL, argument, &path);
    if (!error && options->process)
        error = find_process(path, options);
    if (error)
        return print_rrs_error(error);
    return serves ? serve(options, path) : gdb_run("replay", &options->gdb, path);
}

static bool check(struct replay_options *options)
{
    if (options->port.given && options->port.value > 65535) {
        print_error("replay: --dbgport needs a port, 0 for any that is free");
        return false;
    }
    return take_pid(options);
}

int command_replay(int argc, char **argv)
{
    struct replay_options options = {0};
    struct gdb_options *gdb = &options.gdb;
    const struct option_row rows[] = {
        {"auto", 'a', OPTION_FLAG, NULL, "run to the end without a debugger", &options.automatic},
        {"no-echo", 'q', OPTION_FLAG, NULL, "do not show again what the program wrote",
         &options.no_echo},
        {"keep-free", 0, OPTION_BYTES, "BYTES",
         "with --auto: end when less memory is free (default: a 16th of the machine's)",
         &options.keep_free},
        {"start", 0, OPTION_FLAG, NULL, "let gdb begin at the start, not at the end", &gdb->start},
        {"goto", 'g', OPTION_NUMBER, "EVENT", "begin in front of this event", &gdb->event},
        {"onprocess", 'p', OPTION_TEXT, "PROCESS", "show this process: its number, or its program",
         &options.process},
        {"onfork", 'f', OPTION_NUMBER, "PID", "the same, by number", &options.forked},
        {"gdb-x", 'x', OPTION_LIST, "FILE", "let gdb run the commands in FILE", &gdb->files},
        {"debugger-option", 'o', OPTION_LIST, "WORD", "hand this option to gdb", &gdb->more},
        {"debugger", 'd', OPTION_TEXT, "PATH", "the gdb to use", &gdb->gdb},
        {"interpreter", 'i', OPTION_TEXT, "NAME", "gdb's interpreter, as mi for an IDE",
         &gdb->interpreter},
        {"fullname", 0, OPTION_FLAG, NULL, "gdb's option of this name, for Emacs", &gdb->fullname},
        {"dbgport", 's', OPTION_NUMBER, "PORT", "no gdb: wait for one at this port (0: any)",
         &options.port},
        {"dbghost", 'h', OPTION_TEXT, "HOST", "at this address, not on the loopback interface",
         &options.host},
        {"keep-listening", 'k', OPTION_FLAG, NULL, "wait for the next gdb when one is gone",
         &options.keep_listening},
        {0},
    };
    const struct usage usage = {
        .command = "replay",
        .arguments = "[TRACE [-- GDB-OPTION...]]",
        .description =
            "Opens TRACE in gdb, at its end, as 'rrsoft gdb' does. With --auto, and where\n"
            "there is no terminal, replays it to its end instead and exits as the program\n"
            "did; with 3 if the replay did not do what was recorded. With --dbgport, waits\n"
            "for a gdb elsewhere, at the start. Options are those of 'rr replay'.\n" TRACE_HELP,
        .arguments_max = -1,
        .options = rows,
    };
    int exit_code;
    accept_rr_spelling(argc, argv);
    if (!options_parse(&usage, &argc, argv, &exit_code))
        return exit_code;
    if (!take_gdb_words(&argc, argv, &gdb->more) || !check(&options))
        return EXIT_USAGE;
    return replay(&options, argc ? argv[0] : NULL);
}
