/* SPDX-License-Identifier: MIT */
/* gdb's `monitor COMMAND`, for who has not loaded rrsoft's gdb commands. One row per command. */
#include "gdbserver/handlers.h"
#include "gdbserver/server.h"
#include "lmdb-store/scope.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

struct monitor_command {
    const char *name, *arguments, *help;
    void (*run)(server *server, const char *argument);
};

static void run_help(server *server, const char *argument);

static void run_when(server *server, const char *argument)
{
    struct rrs_position here, end;
    pid_t running;
    (void)argument;
    rrs_timeline_position(server->timeline, &here, &running);
    rrs_timeline_end(server->timeline, &end);
    say(server, "tick %" PRIu64 " of %" PRIu64 ", event %" PRIu64 " of %" PRIu64 ", task %d%s",
        here.tick, end.tick, here.event, end.event, server->tid,
        server->trial.on ? ", with changes that are not in the recording" : "");
}

/* "1234", "event 12", "50%", "start", "end". */
static bool parse_place(server *server, const char *text, struct errand *errand)
{
    struct rrs_position end;
    bool is_event = strncmp(text, "event ", 6) == 0;
    errand->kind = strcmp(text, "start") == 0 ? ERRAND_START
                   : strcmp(text, "end") == 0 ? ERRAND_END
                   : is_event                 ? ERRAND_EVENT
                                              : ERRAND_TICK;
    if (errand->kind == ERRAND_START || errand->kind == ERRAND_END)
        return true;
    const char *digits = text + (is_event ? 6 : 0);
    char *rest;
    errand->numbers[0] = strtoull(digits, &rest, 0);
    if (*digits < '0' || *digits > '9' || (*rest && strcmp(rest, "%") != 0))
        return false;
    if (*rest == '%') {
        rrs_timeline_end(server->timeline, &end);
        errand->numbers[0] = (uint64_t)((double)end.tick / 100 * (double)errand->numbers[0]);
    }
    return true;
}

static void run_seek(server *server, const char *argument)
{
    struct errand errand = {0};
    if (!parse_place(server, argument, &errand)) {
        say(server, "say where: a tick, 'event N', 'N%%', 'start' or 'end'");
        return;
    }
    server->errand.kind = errand.kind;
    memcpy(server->errand.numbers, errand.numbers, sizeof errand.numbers);
    say(server, "now type 'stepi' to go there");
}

static void run_ps(server *server, const char *argument)
{
    _cleanup_free_ struct rrs_timeline_task *tasks = NULL;
    size_t n_tasks;
    (void)argument;
    struct rrs_error *error = rrs_timeline_tasks(server->timeline, &tasks, &n_tasks);
    if (error) {
        say_error(server, error);
        return;
    }
    for (size_t i = 0; i < n_tasks; i++)
        if (tasks[i].tid == tasks[i].tgid)
            say(server, "%c %7d  %s", tasks[i].tgid == server->pid ? '*' : ' ', tasks[i].tgid,
                thread_name(server, &tasks[i]));
}

static void run_drop(server *server, const char *argument)
{
    (void)argument;
    if (!server->trial.on) {
        say(server, "nothing was changed");
        return;
    }
    server->errand.kind = ERRAND_STAY;
    say(server, "now type 'stepi' to be back in the recording");
}

static void run_exit(server *server, const char *argument)
{
    (void)argument;
    server->finished = true;
}

static const struct monitor_command commands[] = {
    {"help", "", "this list", run_help},
    {"when", "", "the position in the recording", run_when},
    {"seek", " TICK|event N|N%|start|end", "go elsewhere, at the next 'stepi'", run_seek},
    {"ps", "", "the processes alive here ('attach PID' picks one)", run_ps},
    {"drop", "", "forget what was changed by hand, at the next 'stepi'", run_drop},
    {"exit", "", "end the server when gdb detaches", run_exit},
};

static void run_help(server *server, const char *argument)
{
    (void)argument;
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++)
        say(server, "monitor %s%s -- %s", commands[i].name, commands[i].arguments,
            commands[i].help);
}

static void run_line(server *server, const char *line)
{
    size_t length = strcspn(line, " ");
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
        if (strlen(commands[i].name) != length || strncmp(commands[i].name, line, length) != 0)
            continue;
        commands[i].run(server, line + length + strspn(line + length, " "));
        return;
    }
    say(server, "no such command; see 'monitor help'");
}

struct rrs_error *handle_monitor(server *server, const struct arguments *arguments)
{
    server->talking = true;
    run_line(server, (const char *)arguments->at[0].data);
    server->talking = false;
    reply_ok(server);
    return NULL;
}
