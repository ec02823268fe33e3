/* SPDX-License-Identifier: MIT */
/*
 * Trials: what gdb writes goes into a throw-away copy of the program. gdb has no packet for their
 * beginning and end; `print f(3)` is a series of writes, a resume, and writes that put everything
 * back. So a trial begins at the first write, and is over when something has run in it and the
 * registers are again what they were, or when gdb goes elsewhere in the recording. A call with a
 * string has another one in front of it, of malloc, and the string is written in between: a write
 * behind a call goes on with its trial.
 */
#include "gdbserver/server.h"

#include <string.h>

struct rrs_error *trial_need(server *server)
{
    struct trial *trial = &server->trial;
    if (trial->on) {
        if (trial->is_over)
            trial->is_over = trial->has_run = server->call_begins = false;
        return NULL;
    }
    struct user_regs_struct regs;
    RRS_TRY(rrs_timeline_get_regs(server->timeline, server->tid, &regs));
    RRS_TRY(rrs_timeline_begin_trial(server->timeline));
    *trial = (struct trial){
        .on = true, .announced = !server->call_begins, .tid = server->tid, .regs = regs};
    if (trial->announced)
        say(server, "rrsoft: the recording cannot change; this happens in a copy, which is dropped "
                    "when you go back or elsewhere");
    return NULL;
}

static void end(server *server)
{
    rrs_timeline_end_trial(server->timeline);
    server->call_begins = false;
    server->trial = (struct trial){0};
    server->stop.tid = server->tid = thread_choose(server, server->tid);
}

void trial_drop(server *server, const char *why)
{
    bool announced = server->trial.announced;
    if (!server->trial.on)
        return;
    end(server);
    if (announced)
        say(server, "rrsoft: the changes you made are dropped: %s", why);
}

/* gdb does not restore orig_rax, which only matters to a system call being restarted. */
static bool is_back(const struct trial *trial, const struct user_regs_struct *regs)
{
    struct user_regs_struct compared = *regs;
    compared.orig_rax = trial->regs.orig_rax;
    return memcmp(&compared, &trial->regs, sizeof compared) == 0;
}

static bool registers_are_back(server *server)
{
    struct user_regs_struct regs;
    struct rrs_error *error = rrs_timeline_get_regs(server->timeline, server->trial.tid, &regs);
    bool back = !error && is_back(&server->trial, &regs);
    rrs_error_destroy(error);
    return back;
}

void trial_check(server *server)
{
    if (server->trial.on && server->trial.has_run && registers_are_back(server))
        server->trial.is_over = true;
}

void trial_settle(server *server)
{
    if (server->trial.on && server->trial.is_over)
        end(server);
}

void trial_abandon(server *server)
{
    struct trial *trial = &server->trial;
    if (trial->on && !trial->announced && !server->call_begins && registers_are_back(server))
        end(server);
}
