/* SPDX-License-Identifier: MIT */
/* Making a server, and the conversation with one gdb after another. */
#include "gdbserver/server.h"

#include "engine/events/kinds.h"
#include "gdbserver/dispatch.h"
#include "gdbserver/event_stops.h"
#include "gdbserver/moving.h"
#include "gdbserver/recording.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MESSAGE_BYTES = 512, MAX_MESSAGES_BYTES = 4096 };

/* The CPU's registers are those of any task, so the first one tells. */
static struct rrs_error *learn_registers(server *server)
{
    uint8_t xstate[RRS_XSTATE_MAX_BYTES];
    size_t bytes;
    RRS_TRY(rrs_timeline_get_xstate(server->timeline, server->tid, xstate, &bytes));
    register_layout_init(&server->registers, xstate, bytes);
    return NULL;
}

/* Where the process was killed, gdb is to know by what. */
static struct rrs_error *begin_at_end(server *server)
{
    struct rrs_position here;
    pid_t tid;
    bool fatal;
    RRS_TRY(move_to_end(server));
    rrs_timeline_position(server->timeline, &here, &tid);
    RRS_TRY(event_stops_is_fatal(server, here.event, &fatal));
    if (fatal)
        server->stop = (struct rrs_stop){.reason = RRS_STOP_EVENT,
                                         .event_kind = RRS_EVENT_SIGNAL,
                                         .event = here.event,
                                         .tid = thread_exists(server, tid) ? tid : 0};
    return NULL;
}

static struct rrs_error *begin(server *server)
{
    RRS_TRY(lineage_read(rrs_timeline_trace(server->timeline), &server->lineage));
    RRS_TRY(process_choose(server, 0));
    RRS_TRY(learn_registers(server));
    if (server->options.pid)
        RRS_TRY(process_find(server, server->options.pid));
    if (server->options.at_end)
        RRS_TRY(begin_at_end(server));
    else if (server->options.event)
        RRS_TRY(move_to_event(server, server->options.event));
    server->tid = thread_choose(server, server->stop.tid ? server->stop.tid : server->tid);
    server->attached.count = 0; /* others were only looked for */
    attached_add(&server->attached, server->pid);
    return NULL;
}

struct rrs_error *rrs_gdbserver_create(struct rrs_timeline *timeline,
                                       const struct rrs_gdbserver_options *options,
                                       struct rrs_gdbserver **created)
{
    server *server = calloc(1, sizeof *server);
    if (!server)
        return rrs_error_no_memory();
    server->timeline = timeline;
    server->options = *options;
    for (int i = 0; i < OPEN_FILES_MAX; i++)
        server->files[i] = -1;
    link_init(&server->link, -1, -1);
    struct rrs_error *error = begin(server);
    if (error) {
        rrs_gdbserver_destroy(server);
        return error;
    }
    *created = server;
    return NULL;
}

static void close_files(server *server)
{
    for (int i = 0; i < OPEN_FILES_MAX; i++) {
        if (server->files[i] >= 0)
            close(server->files[i]);
        server->files[i] = -1;
    }
}

void rrs_gdbserver_destroy(struct rrs_gdbserver *server)
{
    if (!server)
        return;
    breakpoints_remove_all(&server->breakpoints);
    rrs_error_destroy(breakpoints_place(server, true));
    breakpoints_deinit(&server->breakpoints);
    recording_forget(server);
    lineage_deinit(&server->lineage);
    task_names_deinit(&server->task_names);
    close_files(server);
    link_deinit(&server->link);
    buffer_deinit(&server->reply);
    buffer_deinit(&server->messages);
    buffer_deinit(&server->errand.results);
    free(server);
}

/* What one gdb has set up does not concern the next; where the recording stands does. */
static void forget_client(server *server)
{
    trial_drop(server, "gdb is gone");
    breakpoints_remove_all(&server->breakpoints);
    close_files(server);
    buffer_clear(&server->messages);
    server->client = (struct client){0};
    server->errand.kind = ERRAND_NONE;
    server->resume_tid = server->resume_pid = 0;
    server->attached.count = 0;
    server->vfork_parent = 0;
    server->thread_events = false;
    server->leaving = false;
    server->holds_stop = false;
    server->catches_syscalls = false;
    memset(server->passes_signal, 0, sizeof server->passes_signal);
}

bool rrs_gdbserver_serve(struct rrs_gdbserver *server, int in, int out)
{
    const uint8_t *packet;
    size_t size;
    link_deinit(&server->link);
    link_init(&server->link, in, out);
    server->link.log = server->options.log;
    server->link.log_context = server->options.context;
    while (!server->leaving && link_receive(&server->link, &packet, &size)) {
        if (dispatch(server, packet, size))
            link_send(&server->link, server->reply.data, server->reply.size);
    }
    forget_client(server);
    return !server->finished;
}

const void *rrs_gdbserver_handle(struct rrs_gdbserver *server, const void *packet, size_t size,
                                 size_t *reply_size)
{
    server->leaving = false;
    dispatch(server, packet, size);
    *reply_size = server->reply.size;
    return server->reply.data;
}

void reply_ok(server *server)
{
    buffer_add_text(&server->reply, "OK");
}

void reply_refuse(server *server)
{
    buffer_clear(&server->reply);
    buffer_add_text(&server->reply, "E01");
}

/* Nothing of a trace reaches gdb's terminal but plain characters. */
static void make_plain(char *text)
{
    for (; *text; text++)
        if ((unsigned char)*text < ' ' || (unsigned char)*text >= 127)
            *text = '?';
}

static void send_console(server *server, const char *text, size_t size)
{
    _cleanup_buffer_ struct buffer packet = {0};
    buffer_add_byte(&packet, 'O');
    buffer_add_hex(&packet, text, size);
    if (server->link.out >= 0 && !packet.failed)
        link_send(&server->link, packet.data, packet.size);
}

void say_waiting(server *server)
{
    if (server->messages.size)
        send_console(server, (const char *)server->messages.data, server->messages.size);
    buffer_clear(&server->messages);
}

void say(server *server, const char *format, ...)
{
    char text[MESSAGE_BYTES];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text - 1, format, arguments);
    va_end(arguments);
    make_plain(text);
    strcat(text, "\n");
    if (server->moving || server->talking)
        send_console(server, text, strlen(text));
    else if (server->messages.size < MAX_MESSAGES_BYTES)
        buffer_add_text(&server->messages, text);
}

void say_error(server *server, struct rrs_error *error)
{
    char text[MESSAGE_BYTES];
    say(server, "rrsoft: %s", rrs_error_format(error, text, sizeof text));
    rrs_error_destroy(error);
}
