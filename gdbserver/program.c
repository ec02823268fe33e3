/* SPDX-License-Identifier: MIT */
/*
 * The program: options, opening the recording, and serving. In stdio mode the protocol owns
 * standard input and output, so both are moved away from everything else that might use them.
 */
#include "gdbserver/program.h"

#include "gdbserver/gdbserver.h"
#include "gdbserver/listener.h"
#include "lmdb-store/clock.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { EXIT_WRONG_USAGE = 2 };

struct program_options {
    bool stdio, once, end, wait_for_run, verbose;
    const char *socket, *tcp;
    long pid;
    unsigned long long event;
    const char *recording;
};

static const char help[] =
    "Usage: rrsoft-gdbserver [OPTION]... [TRACE]\n"
    "\n"
    "Serves a recording to gdb. TRACE is a name that 'rrsoft ls' shows or a path; default:\n"
    "the latest recording. Without an option gdb connects to a Unix socket in a directory\n"
    "that only you can enter; what to type into gdb is printed.\n"
    "\n"
    "Options:\n"
    "      --stdio             talk over standard input and output:\n"
    "                          (gdb) target extended-remote | rrsoft-gdbserver --stdio TRACE\n"
    "      --socket PATH       the Unix socket to make\n"
    "      --tcp [HOST:]PORT   listen on TCP, on the loopback interface unless HOST is given\n"
    "                          (port 0: any); the protocol knows no passwords\n"
    "  -p, --pid PID           show this process of the recording first\n"
    "      --end               begin at the end of the recording\n"
    "      --event N           begin in front of this event\n"
    "      --wait-for-run      show no process before gdb says 'run'\n"
    "      --once              end when the first gdb is gone\n"
    "  -v, --verbose           print every packet to standard error\n"
    "  -h, --help              show this help\n"
    "  -V, --version           show the version\n";

static void complain(const char *text)
{
    fprintf(stderr, "rrsoft-gdbserver: ");
    for (; *text; text++)
        fputc((unsigned char)*text < ' ' || *text == 127 ? '?' : *text, stderr);
    fputc('\n', stderr);
}

static int complain_error(struct rrs_error *error)
{
    char text[1024];
    complain(rrs_error_format(error, text, sizeof text));
    rrs_error_destroy(error);
    return EXIT_FAILURE;
}

static int complain_usage(const char *text)
{
    char line[256];
    snprintf(line, sizeof line, "%s; see 'rrsoft-gdbserver --help'", text);
    complain(line);
    return EXIT_WRONG_USAGE;
}

static bool parse_event(const char *text, unsigned long long *event)
{
    char *end;
    *event = strtoull(text, &end, 10);
    return isdigit((unsigned char)*text) && !*end && *event > 0;
}

static bool parse_pid(const char *text, long *pid)
{
    char *end;
    *pid = strtol(text, &end, 10);
    return isdigit((unsigned char)*text) && !*end && *pid > 0 && *pid <= INT32_MAX;
}

/* Returns -1 to go on, or the exit code. */
static int parse(int argc, char **argv, struct program_options *options)
{
    enum { STDIO = 256, SOCKET, TCP, END, EVENT, WAIT_FOR_RUN, ONCE };
    static const struct option rows[] = {
        {"stdio", no_argument, NULL, STDIO},
        {"socket", required_argument, NULL, SOCKET},
        {"tcp", required_argument, NULL, TCP},
        {"pid", required_argument, NULL, 'p'},
        {"end", no_argument, NULL, END},
        {"event", required_argument, NULL, EVENT},
        {"wait-for-run", no_argument, NULL, WAIT_FOR_RUN},
        {"once", no_argument, NULL, ONCE},
        {"verbose", no_argument, NULL, 'v'},
        {"help", no_argument, NULL, 'h'},
        {"version", no_argument, NULL, 'V'},
        {0},
    };
    char text[128];
    opterr = 0;
    for (int letter; (letter = getopt_long(argc, argv, ":p:vhV", rows, NULL)) != -1;) {
        switch (letter) {
        case STDIO:
            options->stdio = true;
            break;
        case SOCKET:
            options->socket = optarg;
            break;
        case TCP:
            options->tcp = optarg;
            break;
        case END:
            options->end = true;
            break;
        case EVENT:
            if (!parse_event(optarg, &options->event))
                return complain_usage("--event needs the number of an event");
            break;
        case WAIT_FOR_RUN:
            options->wait_for_run = true;
            break;
        case ONCE:
            options->once = true;
            break;
        case 'v':
            options->verbose = true;
            break;
        case 'p':
            if (!parse_pid(optarg, &options->pid))
                return complain_usage("--pid needs a process id");
            break;
        case 'h':
            fputs(help, stdout);
            return EXIT_SUCCESS;
        case 'V':
            puts("rrsoft-gdbserver " RRS_VERSION);
            return EXIT_SUCCESS;
        default:
            snprintf(text, sizeof text, letter == ':' ? "%.80s needs a value" : "no option %.80s",
                     argv[optind - 1]);
            return complain_usage(text);
        }
    }
    if (optind + 1 < argc)
        return complain_usage("one recording at a time");
    if (options->stdio + (options->socket != NULL) + (options->tcp != NULL) > 1)
        return complain_usage("--stdio, --socket and --tcp exclude each other");
    if (options->end && options->event)
        return complain_usage("--end and --event exclude each other");
    options->recording = argv[optind];
    return -1;
}

static void warn(void *context, const char *message)
{
    (void)context;
    complain(message);
}

static void log_packet(void *context, const char *direction, const void *data, size_t size)
{
    enum { SHOWN_BYTES = 200 };
    const unsigned char *bytes = data;
    (void)context;
    fprintf(stderr, "%s ", direction);
    for (size_t i = 0; i < size && i < SHOWN_BYTES; i++)
        fputc(isprint(bytes[i]) ? bytes[i] : '.', stderr);
    fprintf(stderr, size > SHOWN_BYTES ? "... (%zu bytes)\n" : "\n", size);
}

/* Moves the protocol's descriptors away; who writes to stdout by mistake writes to stderr. */
static struct rrs_error *take_stdio(int *in, int *out)
{
    int nowhere = open("/dev/null", O_RDONLY | O_CLOEXEC);
    *in = fcntl(0, F_DUPFD_CLOEXEC, 3);
    *out = fcntl(1, F_DUPFD_CLOEXEC, 3);
    if (nowhere < 0 || *in < 0 || *out < 0 || dup2(nowhere, 0) < 0 || dup2(2, 1) < 0)
        return rrs_error_os(errno, NULL, "standard input and output cannot be used");
    close(nowhere);
    return NULL;
}

static struct rrs_error *serve_connections(struct rrs_gdbserver *server, struct listener *listener,
                                           bool once)
{
    for (bool more = true; more;) {
        int fd;
        RRS_TRY(listener_accept(listener, &fd));
        more = rrs_gdbserver_serve(server, fd, fd) && !once;
        close(fd);
    }
    return NULL;
}

static struct rrs_error *listen_and_serve(struct rrs_gdbserver *server,
                                          const struct program_options *options)
{
    struct listener listener;
    if (options->tcp)
        RRS_TRY(listener_open_tcp(options->tcp, &listener));
    else
        RRS_TRY(listener_open_socket(options->socket, &listener));
    if (!listener.is_private)
        complain("warning: anyone who can reach this address can read the recording");
    printf("target extended-remote %s\n", listener.address);
    fflush(stdout);
    dup2(STDERR_FILENO, STDOUT_FILENO); /* who wanted the line may read no more */
    struct rrs_error *error = serve_connections(server, &listener, options->once);
    listener_close(&listener);
    return error;
}

/* Before there is a gdb: whoever started this waits at a terminal. */
static void show_progress(uint64_t done, uint64_t total, uint64_t *began_ns, bool *shown)
{
    enum { SHOW_AFTER_NS = 1000000000 };
    uint64_t now = rrs_clock_ns(CLOCK_MONOTONIC);
    if (!*began_ns)
        *began_ns = now;
    if (total == 0 || now - *began_ns < SHOW_AFTER_NS || !isatty(STDERR_FILENO))
        return;
    fprintf(stderr, "\rrrsoft: replaying to the place asked for: %u %%",
            (unsigned)(100.0 * done / total));
    *shown = true;
}

struct progress {
    struct rrs_gdbserver *server;
    uint64_t began_ns;
    bool shown;
};

static void progress(void *context, uint64_t done, uint64_t total)
{
    struct progress *progress = context;
    if (progress->server)
        rrs_gdbserver_progress(&progress->server, done, total);
    else
        show_progress(done, total, &progress->began_ns, &progress->shown);
}

static struct rrs_error *serve(struct rrs_timeline *timeline, const struct program_options *options,
                               int in, int out, struct progress *progress)
{
    struct rrs_gdbserver_options settings = {
        .pid = (pid_t)options->pid,
        .at_end = options->end,
        .event = options->event,
        .waits_for_run = options->wait_for_run,
        .log = options->verbose ? log_packet : NULL,
    };
    struct rrs_error *error = rrs_gdbserver_create(timeline, &settings, &progress->server);
    if (progress->shown)
        fputs("\r\033[K", stderr);
    RRS_TRY(error);
    if (!options->stdio)
        return listen_and_serve(progress->server, options);
    rrs_gdbserver_serve(progress->server, in, out);
    return NULL;
}

static struct rrs_error *open_and_serve(const struct program_options *options, const char *path,
                                        int in, int out)
{
    struct rrs_timeline *timeline = NULL;
    struct progress state = {0};
    struct rrs_timeline_options settings = {
        .warn = warn,
        .progress = progress,
        .context = &state,
    };
    RRS_TRY(rrs_timeline_open(path, &settings, &timeline));
    struct rrs_error *error = serve(timeline, options, in, out, &state);
    rrs_gdbserver_destroy(state.server);
    state.server = NULL;
    rrs_timeline_destroy(timeline);
    return error;
}

/* A handler, not SIG_IGN, because that would be inherited by the programs that replay. */
static void note_nothing(int signal)
{
    (void)signal;
}

int gdbserver_program(int argc, char **argv,
                      struct rrs_error *(*find)(const char *argument, char **path))
{
    struct program_options options = {0};
    char *path = NULL;
    int in = -1, out = -1, code = parse(argc, argv, &options);
    if (code >= 0)
        return code;
    struct sigaction action = {.sa_handler = note_nothing};
    sigaction(SIGPIPE, &action, NULL);
    struct rrs_error *error = options.stdio ? take_stdio(&in, &out) : NULL;
    if (!error)
        error = find(options.recording, &path);
    if (!error)
        error = open_and_serve(&options, path, in, out);
    free(path);
    return error ? complain_error(error) : EXIT_SUCCESS;
}
