/* SPDX-License-Identifier: MIT */
/*
 * Trials: what gdb writes goes into a throw-away copy of the program. gdb has no packet for their
 * beginning and end; `print f(3)` is a series of writes, a resume, and writes that put everything
 * back. So a trial begins at the first write, and ends when something has run in it and the
 * registers are again what they were, or when gdb goes elsewhere in the recording.
 */
#include "gdbserver/server.h"

#include <string.h>

struct rrs_error *trial_need(server *server)
{
    struct trial *trial = &server->trial;
    if (trial->on)
        return NULL;
    struct user_regs_struct regs;
    RRS_TRY(rrs_timeline_get_regs(server->timeline, server->tid, &regs));
    RRS_TRY(rrs_timeline_begin_trial(server->timeline));
    *trial = (struct trial){.on = true, .tid = server->tid, .regs = regs};
    if (!server->call_begins)
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
    if (!server->trial.on)
        return;
    end(server);
    say(server, "rrsoft: the changes you made are dropped: %s", why);
}

/* gdb does not restore orig_rax, which only matters to a system call being restarted. */
static bool is_back(const struct trial *trial, const struct user_regs_struct *regs)
{
    struct user_regs_struct compared = *regs;
    compared.orig_rax = trial->regs.orig_rax;
    return memcmp(&compared, &trial->regs, sizeof compared) == 0;
}

void trial_check(server *server)
{
    struct trial *trial = &server->trial;
    struct user_regs_struct regs;
    if (!trial->on || !trial->has_run)
        return;
    struct rrs_error *error = rrs_timeline_get_regs(server->timeline, trial->tid, &regs);
    if (!error && is_back(trial, &regs))
        end(server);
    rrs_error_destroy(error);
}
