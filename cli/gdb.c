/* SPDX-License-Identifier: MIT */
/*
 * `rrsoft gdb`: records a program if one is given, then becomes gdb with rrsoft-gdbserver behind
 * it. The server and gdb's commands are found from where this program stands, so that a build tree
 * and an installation, wherever it was moved to, both work.
 */
#include "cli/command.h"
#include "cli/options.h"
#include "cli/output.h"
#include "lmdb-store/scope.h"
#include "lmdb-store/trace_dir.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MAX_WORDS = 4 * OPTION_LIST_MAX + 32 };

struct gdb_options {
    bool start, tui;
    const char *gdb, *interpreter;
    struct option_number pid;
    struct option_list files, commands;
};

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

/* --- where things are --- */

/* The path of `name` seen from the directory of this program. */
static bool beside_us(const char *name, char path[PATH_MAX])
{
    char own[PATH_MAX];
    ssize_t length = readlink("/proc/self/exe", own, sizeof own - 1);
    if (length <= 0)
        return false;
    own[length] = '\0';
    *strrchr(own, '/') = '\0';
    return snprintf(path, PATH_MAX, "%s/%s", own, name) < PATH_MAX && access(path, R_OK) == 0;
}

static bool is_in_path(const char *name)
{
    if (strchr(name, '/'))
        return access(name, X_OK) == 0;
    const char *path = getenv("PATH");
    char *copy = strdup(path ? path : "/usr/bin:/bin"), *rest = copy, candidate[PATH_MAX];
    bool found = false;
    for (const char *part; copy && !found && (part = strsep(&rest, ":"));) {
        int length = snprintf(candidate, sizeof candidate, "%s/%s", *part ? part : ".", name);
        found = length < PATH_MAX && access(candidate, X_OK) == 0;
    }
    free(copy);
    return found;
}

static bool check_gdb(const char *name)
{
    if (is_in_path(name))
        return true;
    print_error(
        "gdb: '%s' was not found; install gdb (Debian, Ubuntu: apt-get install gdb; Fedora: "
        "dnf install gdb) or say where it is with --gdb",
        name);
    return false;
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
    bool is_program = argc && error && error->code != RRS_ERROR_OS && is_in_path(argv[0]);
    if (!is_program)
        return error;
    rrs_error_destroy(error);
    return record(argc, argv, path, exit_code);
}

/* --- gdb --- */

struct words {
    char *items[MAX_WORDS];
    int n_items;
    bool failed;
};

static void add_word(struct words *words, const char *word)
{
    if (words->n_items == MAX_WORDS - 1)
        words->failed = true;
    else
        words->items[words->n_items++] = (char *)word;
}

static void add_pair(struct words *words, const char *option, const char *value)
{
    add_word(words, option);
    add_word(words, value);
}

/* A word for the shell by which gdb starts the server. The caller frees it. */
static char *quote(const char *text)
{
    char *quoted = malloc(4 * strlen(text) + 3), *to = quoted;
    if (!quoted)
        return NULL;
    *to++ = '\'';
    for (; *text; text++) {
        if (*text == '\'')
            to = stpcpy(to, "'\\'");
        *to++ = *text;
    }
    strcpy(to, "'");
    return quoted;
}

/* The line that connects gdb. NULL if memory is out. */
static char *target_line(const struct gdb_options *options, const char *server, const char *trace)
{
    _cleanup_free_ char *quoted_server = quote(server), *quoted_trace = quote(trace);
    char pid[40] = "", *line;
    if (options->pid.given)
        snprintf(pid, sizeof pid, "--pid %" PRIu64 " ", options->pid.value);
    if (!quoted_server || !quoted_trace ||
        asprintf(&line, "target extended-remote | exec %s --stdio %s%s%s", quoted_server,
                 options->start ? "" : "--end ", pid, quoted_trace) < 0)
        return NULL;
    return line;
}

static void add_user_words(struct words *words, const struct gdb_options *options)
{
    for (int i = 0; i < options->files.n_items; i++)
        add_pair(words, "-x", options->files.items[i]);
    for (int i = 0; i < options->commands.n_items; i++)
        add_pair(words, "-ex", options->commands.items[i]);
}

static int run_gdb(const struct gdb_options *options, const char *trace)
{
    char server[PATH_MAX], commands[PATH_MAX], source[PATH_MAX + 8];
    if (!beside_us("rrsoft-gdbserver", server) ||
        !beside_us("../share/rrsoft/gdb/rrsoft.py", commands)) {
        print_error("gdb: this installation of rrsoft is not complete: rrsoft-gdbserver or its gdb "
                    "commands are missing");
        return EXIT_FAILED;
    }
    snprintf(source, sizeof source, "source %s", commands);
    _cleanup_free_ char *target = target_line(options, server, trace);
    const char *gdb = options->gdb ? options->gdb : "gdb";
    struct words words = {0};
    add_pair(&words, gdb, "-q");
    if (options->tui)
        add_word(&words, "-tui");
    if (options->interpreter)
        add_pair(&words, "-i", options->interpreter);
    add_pair(&words, "-iex", "set remotetimeout 60");
    add_pair(&words, "-iex", "set sysroot target:");
    add_pair(&words, "-iex", source);
    add_pair(&words, "-ex", target);
    add_user_words(&words, options);
    if (!target || words.failed) {
        print_error("gdb: out of memory");
        return EXIT_FAILED;
    }
    execvp(gdb, words.items);
    print_error("gdb: cannot run '%s': %s", gdb, strerror(errno));
    return EXIT_FAILED;
}

static int debug(const struct gdb_options *options, int argc, char **argv)
{
    _cleanup_free_ char *path = NULL;
    int exit_code = EXIT_FAILED;
    if (!check_gdb(options->gdb ? options->gdb : "gdb"))
        return EXIT_FAILED;
    struct rrs_error *error = find_recording(argc, argv, &path, &exit_code);
    if (error)
        return print_rrs_error(error);
    return path ? run_gdb(options, path) : exit_code;
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
    if (options.pid.given && (options.pid.value == 0 || options.pid.value > INT32_MAX)) {
        print_error("gdb: --pid needs a process id");
        return EXIT_USAGE;
    }
    argv[argc] = NULL;
    return debug(&options, argc, argv);
}
