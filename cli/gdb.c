/* SPDX-License-Identifier: MIT */
/* `rrsoft gdb`: records a program if one is given, then becomes gdb with rrsoft-gdbserver behind
 * it. */
#include "cli/command.h"
#include "cli/gdb_run.h"
#include "cli/installation.h"
#include "cli/options.h"
#include "cli/output.h"
#include "lmdb-store/scope.h"
#include "lmdb-store/trace_dir.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* gdb's own spelling of options, and ours. */
static const struct {
    const char *theirs, *ours;
} spellings[] = {
    {"-ex", "--eval-command"},       {"-tui", "--tui"},
    {"-i=mi", "--interpreter=mi"},   {"-i=mi2", "--interpreter=mi2"},
    {"-i=mi3", "--interpreter=mi3"},
};

/* Up to the first word that is no option; the word behind one that takes a value is its value. */
static void accept_gdb_spelling(int argc, char **argv)
{
    static const char *const with_values[] = {"--eval-command", "--command", "-x", "--gdb",
                                              "--pid",          "-p",        "-i", "--interpreter"};
    for (int i = 1; i < argc && argv[i][0] == '-'; i++) {
        for (size_t s = 0; s < sizeof spellings / sizeof spellings[0]; s++)
            if (strcmp(argv[i], spellings[s].theirs) == 0)
                argv[i] = (char *)spellings[s].ours;
        for (size_t v = 0; v < sizeof with_values / sizeof with_values[0]; v++)
            if (strcmp(argv[i], with_values[v]) == 0) {
                i++;
                break;
            }
    }
}

/* --- recording --- */

/* The terminal's interrupt belongs to the program that is being recorded. */
static int wait_for(pid_t child)
{
    struct sigaction ignore = {.sa_handler = SIG_IGN}, before;
    int status = 0;
    sigaction(SIGINT, &ignore, &before);
    while (waitpid(child, &status, 0) < 0 && errno == EINTR)
        ;
    sigaction(SIGINT, &before, NULL);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static void run_record(const char *path, int argc, char **argv)
{
    const char *own[] = {"rrsoft", "record", "--quiet", "--output", path, "--"};
    size_t own_bytes = sizeof own;
    char **words = calloc(1, own_bytes + ((size_t)argc + 1) * sizeof *words);
    if (!words)
        _exit(EXIT_FAILED);
    memcpy(words, own, own_bytes);
    memcpy(words + own_bytes / sizeof *own, argv, (size_t)argc * sizeof *words);
    execv("/proc/self/exe", words);
    print_error("gdb: cannot run 'rrsoft record': %s", strerror(errno));
    _exit(EXIT_FAILED);
}

/* The directory is made here, so that it has the usual name and is the latest; record makes its
 * own. */
static struct rrs_error *record(int argc, char **argv, char **path, int *exit_code)
{
    RRS_TRY(rrs_trace_dir_create(NULL, argv[0], path));
    if (rmdir(*path) < 0)
        return rrs_error_os(errno, *path, "cannot prepare the recording");
    pid_t child = fork();
    if (child < 0)
        return rrs_error_os(errno, NULL, "cannot fork");
    if (child == 0)
        run_record(*path, argc, argv);
    *exit_code = wait_for(child);
    if (access(*path, F_OK) == 0)
        return NULL;
    if (mkdir(*path, 0700) == 0) /* so that `latest` does not lead nowhere */
        rrs_error_destroy(rrs_trace_dir_remove(*path));
    free(*path);
    *path = NULL;
    return NULL;
}

/* One argument that names a trace is that; everything else is a program. NULL in *path: there is no
 * recording, and *exit_code tells. */
static struct rrs_error *find_recording(int argc, char **argv, char **path, int *exit_code)
{
    if (argc > 1)
        return record(argc, argv, path, exit_code);
    struct rrs_error *error = rrs_trace_dir_resolve(NULL, argc ? argv[0] : NULL, path);
    bool is_program =
        argc && error && error->code != RRS_ERROR_OS && installation_has_program(argv[0]);
    if (!is_program)
        return error;
    rrs_error_destroy(error);
    return record(argc, argv, path, exit_code);
}

static int debug(const struct gdb_options *options, int argc, char **argv)
{
    _cleanup_free_ char *path = NULL;
    int exit_code = EXIT_FAILED;
    if (!gdb_check("gdb", options))
        return EXIT_FAILED;
    struct rrs_error *error = find_recording(argc, argv, &path, &exit_code);
    if (error)
        return print_rrs_error(error);
    return path ? gdb_run("gdb", options, path) : exit_code;
}

int command_gdb(int argc, char **argv)
{
    struct gdb_options options = {0};
    const struct option_row rows[] = {
        {"start", 0, OPTION_FLAG, NULL, "begin at the start, not at the end", &options.start},
        {"pid", 'p', OPTION_NUMBER, "PID", "show this process of the recording", &options.pid},
        {"command", 'x', OPTION_LIST, "FILE", "let gdb run the commands in FILE", &options.files},
        {"eval-command", 0, OPTION_LIST, "CMD", "let gdb run CMD (also: -ex CMD)",
         &options.commands},
        {"gdb", 0, OPTION_TEXT, "PATH", "the gdb to use", &options.gdb},
        {"tui", 0, OPTION_FLAG, NULL, "with gdb's windows for text terminals", &options.tui},
        {"interpreter", 'i', OPTION_TEXT, "NAME", "gdb's interpreter, as mi for an IDE",
         &options.interpreter},
        {0},
    };
    const struct usage usage = {
        .command = "gdb",
        .arguments = "[--] [TRACE | PROGRAM [ARGUMENT]...]",
        .description =
            "Opens a recording in gdb, at its end; a program is recorded first. Everything in\n"
            "gdb works in both directions: reverse-continue, reverse-step and so on; see also\n"
            "'help rrsoft' there. TRACE is a name that 'rrsoft ls' shows or a path; default:\n"
            "the latest recording.\n",
        .arguments_max = -1,
        .options_first = true,
        .options = rows,
    };
    int exit_code;
    accept_gdb_spelling(argc, argv);
    if (!options_parse(&usage, &argc, argv, &exit_code))
        return exit_code;
    if (!gdb_check_pid("gdb", "pid", &options.pid))
        return EXIT_USAGE;
    argv[argc] = NULL;
    return debug(&options, argc, argv);
}
