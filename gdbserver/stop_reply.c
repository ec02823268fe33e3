/* SPDX-License-Identifier: MIT */
/*
 * The T packet: why and where a movement ended (gdb manual, "Stop Reply Packets"). It carries the
 * frame, stack and instruction pointers, which saves gdb one packet per step, and gdb believes the
 * last reason in it.
 */
#include "engine/events/kinds.h"
#include "gdbserver/event_stops.h"
#include "gdbserver/handlers.h"
#include "gdbserver/server.h"
#include "gdbserver/signals.h"

#include <inttypes.h>

static const char *watch_name(enum rrs_watch_kind kind)
{
    return kind == RRS_WATCH_READ ? "rwatch" : kind == RRS_WATCH_ACCESS ? "awatch" : "watch";
}

static struct rrs_error *describe(server *server, struct buffer *fields, int *signal)
{
    const struct rrs_stop *stop = &server->stop;
    if (server->program_changed)
        return event_stops_describe_program(server, fields);
    if (server->vfork_is_over) {
        server->vfork_parent = 0;
        server->vfork_is_over = false;
        buffer_add_text(fields, "vforkdone:;");
        return NULL;
    }
    switch (stop->reason) {
    case RRS_STOP_WATCHPOINT:
        buffer_printf(fields, "%s:%" PRIx64 ";", watch_name(stop->watch_kind), stop->watch_address);
        break;
    case RRS_STOP_BEGIN:
        buffer_add_text(fields, "replaylog:begin;");
        break;
    case RRS_STOP_END:
        if (server->stopped_softly) {
            *signal = 0;
            break;
        }
        buffer_add_text(fields, "replaylog:end;");
        break;
    case RRS_STOP_INTERRUPTED:
        *signal = GDB_SIGNAL_INT;
        break;
    case RRS_STOP_EVENT:
        return event_stops_describe(server, fields, signal);
    case RRS_STOP_REACHED:
        if (server->stopped_softly)
            *signal = 0;
        break;
    case RRS_STOP_BREAKPOINT:
    case RRS_STOP_STEPPED:
        break;
    }
    return NULL;
}

static void describe_breakpoint(server *server, struct buffer *fields, rrs_addr pc)
{
    bool hardware = breakpoints_has(&server->breakpoints, server->pid, BREAKPOINT_HARDWARE, pc) &&
                    !breakpoints_has(&server->breakpoints, server->pid, BREAKPOINT_SOFTWARE, pc);
    buffer_add_text(fields, hardware ? "hwbreak:;" : "swbreak:;");
}

static void add_register(struct buffer *buffer, unsigned number, uint64_t value)
{
    buffer_printf(buffer, "%02x:", number);
    buffer_add_hex(buffer, &value, sizeof value);
    buffer_add_byte(buffer, ';');
}

/* What is left when gdb's process has no place in the recording any more. */
static void reply_gone(server *server)
{
    if (server->client.multiprocess)
        buffer_printf(&server->reply, "W00;process:%x", (unsigned)server->pid);
    else
        buffer_add_text(&server->reply, "W00");
}

struct rrs_error *reply_stop_only(server *server)
{
    _cleanup_buffer_ struct buffer fields = {0};
    struct user_regs_struct regs;
    int signal = GDB_SIGNAL_TRAP;
    buffer_clear(&server->reply);
    if (!server->stop.tid) {
        reply_gone(server);
        return NULL;
    }
    RRS_TRY(rrs_timeline_get_regs(server->timeline, server->stop.tid, &regs));
    RRS_TRY(describe(server, &fields, &signal));
    if (server->stop.reason == RRS_STOP_BREAKPOINT && !server->program_changed)
        describe_breakpoint(server, &fields, regs.rip);
    buffer_printf(&server->reply, "T%02xthread:", (unsigned)signal);
    reply_thread_id(server, server->stop.tid);
    buffer_add_text(&server->reply, ";core:0;");
    add_register(&server->reply, REGISTER_rbp, regs.rbp);
    add_register(&server->reply, REGISTER_rsp, regs.rsp);
    add_register(&server->reply, REGISTER_rip, regs.rip);
    buffer_add(&server->reply, fields.data, fields.size);
    return NULL;
}

bool stop_reply_changes_program(server *server)
{
    uint64_t *known = attached_program(&server->attached, server->pid);
    struct rrs_position here;
    pid_t running;
    rrs_timeline_position(server->timeline, &here, &running);
    uint64_t current = lineage_program(&server->lineage, server->pid, here.event);
    if (!known || !current)
        return false;
    server->program_changed = *known && *known != current && server->client.exec_events;
    *known = current;
    return server->program_changed;
}

/* A stop elsewhere in the recording may be in another program: that is told first, and the stop
 * itself when gdb goes on. */
static void tell_program_first(server *server)
{
    bool is_exec =
        server->stop.reason == RRS_STOP_EVENT && server->stop.event_kind == RRS_EVENT_EXEC;
    if (server->program_changed || !stop_reply_changes_program(server))
        return;
    server->holds_stop = !is_exec;
    server->held = server->stop;
    server->program_changed = !is_exec;
}

struct rrs_error *reply_stop(server *server)
{
    tell_program_first(server);
    struct rrs_error *error = reply_stop_only(server);
    server->program_changed = server->stopped_softly = false;
    return error;
}

struct rrs_error *handle_why(server *server, const struct arguments *arguments)
{
    (void)arguments;
    if (server->options.waits_for_run) {
        buffer_add_text(&server->reply, "W00");
        return NULL;
    }
    attached_add(&server->attached, server->pid);
    server->stop.tid = thread_choose(server, server->tid);
    if (server->stop.reason == RRS_STOP_BEGIN || server->stop.reason == RRS_STOP_END)
        server->stop.reason = RRS_STOP_REACHED; /* this gdb has not run into it */
    return reply_stop(server);
}
