/* SPDX-License-Identifier: MIT */
/* Z and z. */
#include "gdbserver/handlers.h"
#include "gdbserver/server.h"

struct rrs_error *handle_insert_breakpoint(server *server, const struct arguments *arguments)
{
    const struct argument *at = arguments->at;
    if (at[0].number >= BREAKPOINT_KINDS)
        return NULL; /* unknown: empty reply */
    bool has_conditions = arguments->count > 3;
    if (at[0].number >= BREAKPOINT_WRITE && (at[2].number == 0 || has_conditions)) {
        reply_refuse(server);
        return NULL;
    }
    RRS_TRY(breakpoints_insert(
        &server->breakpoints, server->pid, (enum breakpoint_kind)at[0].number, at[1].number,
        at[2].number, has_conditions ? at[3].data : NULL, has_conditions ? at[3].size : 0));
    reply_ok(server);
    return NULL;
}

struct rrs_error *handle_remove_breakpoint(server *server, const struct arguments *arguments)
{
    const struct argument *at = arguments->at;
    if (at[0].number >= BREAKPOINT_KINDS)
        return NULL;
    breakpoints_remove(&server->breakpoints, server->pid, (enum breakpoint_kind)at[0].number,
                       at[1].number, at[2].number);
    reply_ok(server);
    return NULL;
}
