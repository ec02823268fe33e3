/* SPDX-License-Identifier: MIT */
/*
 * Packets about whole processes. Nothing here can start or end a program: `run` goes back to the
 * beginning of the recording (or to a place in it), `kill` only ends gdb's interest, and `attach`
 * picks another process of the recording.
 */
#include "gdbserver/handlers.h"
#include "gdbserver/moving.h"

#include <stdlib.h>
#include <string.h>

struct rrs_error *handle_is_attached(server *server, const struct arguments *arguments)
{
    (void)arguments;
    buffer_add_byte(&server->reply, '1'); /* so that `quit` detaches */
    return NULL;
}

/* "D" and "D;PID". Behind a fork gdb detaches from the side that it does not follow. */
struct rrs_error *handle_detach(server *server, const struct arguments *arguments)
{
    const struct argument *rest = &arguments->at[0];
    const uint8_t *at = rest->data + 1, *end = rest->data + rest->size;
    uint64_t pid = 0;
    if (rest->size > 0 && (rest->data[0] != ';' || !take_hex(&at, end, &pid) || at != end)) {
        reply_refuse(server);
        return NULL;
    }
    pid_t left = pid ? (pid_t)pid : server->pid;
    if (left == server->pid)
        trial_drop(server, "gdb detaches");
    if (left == server->vfork_parent)
        server->vfork_parent = 0;
    attached_leave(server, left);
    reply_ok(server);
    return NULL;
}

/* What `target remote` sends for `kill`: no reply, the connection ends. */
struct rrs_error *handle_kill(server *server, const struct arguments *arguments)
{
    (void)arguments;
    server->leaving = true;
    return NULL;
}

struct rrs_error *handle_kill_process(server *server, const struct arguments *arguments)
{
    attached_leave(server, (pid_t)arguments->at[0].number);
    reply_ok(server);
    return NULL;
}

struct rrs_error *handle_attach(server *server, const struct arguments *arguments)
{
    trial_drop(server, "gdb attaches");
    struct rrs_error *error = process_find(server, (pid_t)arguments->at[0].number);
    if (error) {
        rrs_error_destroy(error);
        reply_refuse(server);
        return NULL;
    }
    return reply_stop(server);
}

/* "t1234" is a tick, "1234" an event: the argument of gdb's `run`. */
static bool parse_place(const char *text, bool *is_tick, uint64_t *number)
{
    *is_tick = *text == 't';
    const char *digits = text + *is_tick;
    char *end;
    *number = strtoull(digits, &end, 0);
    return *digits >= '0' && *digits <= '9' && *end == '\0';
}

/* vRun;FILE;ARGUMENT...: each in hex. The file is ignored: the recording has its own. */
static bool first_argument(const struct argument *argument, char *text, size_t size)
{
    const uint8_t *end = argument->data + argument->size;
    const uint8_t *at = argument->size ? memchr(argument->data + 1, ';', argument->size - 1) : NULL;
    text[0] = '\0';
    if (!at)
        return true;
    at++;
    const uint8_t *stop = memchr(at, ';', (size_t)(end - at));
    long length = hex_decode(at, (size_t)((stop ? stop : end) - at), (uint8_t *)text, size - 1);
    if (length < 0)
        return false;
    text[length] = '\0';
    return true;
}

struct rrs_error *handle_run(server *server, const struct arguments *arguments)
{
    char place[64];
    bool is_tick = true;
    uint64_t number = 0;
    if (!first_argument(&arguments->at[0], place, sizeof place) ||
        (place[0] && !parse_place(place, &is_tick, &number))) {
        reply_refuse(server);
        return NULL;
    }
    trial_drop(server, "run again");
    attached_add(&server->attached, server->pid);
    server->options.waits_for_run = false;
    RRS_TRY(is_tick ? move_to_tick(server, number) : move_to_event(server, number));
    server->tid = thread_choose(server, server->tid);
    server->stop = (struct rrs_stop){.reason = RRS_STOP_REACHED, .tid = server->tid};
    return reply_stop_only(server); /* gdb takes nothing but a plain stop for an answer to vRun */
}
