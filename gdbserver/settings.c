/* SPDX-License-Identifier: MIT */
/* What gdb and the server tell each other about themselves, and what gdb wants to be stopped for.
 */
#include "gdbserver/handlers.h"
#include "gdbserver/server.h"

#include <string.h>

static const char supported[] =
    "QStartNoAckMode+;multiprocess+;swbreak+;hwbreak+;vContSupported+;ReverseStep+;"
    "ReverseContinue+;ConditionalBreakpoints+;QPassSignals+;QCatchSyscalls+;"
    "qXfer:features:read+;qXfer:auxv:read+;qXfer:exec-file:read+;qXfer:siginfo:read+;"
    "qXfer:siginfo:write+;qXfer:threads:read+;qXfer:libraries-svr4:read+;qXfer:osdata:read+;"
    "error-message+;fork-events+;vfork-events+;exec-events+;QThreadEvents+";

/* X(member, "what gdb says of itself") */
#define CLIENT_FEATURES(X)           \
    X(multiprocess, "multiprocess+") \
    X(fork_events, "fork-events+")   \
    X(vfork_events, "vfork-events+") \
    X(exec_events, "exec-events+")   \
    X(error_messages, "error-message+")

static bool list_has(const struct argument *list, const char *word)
{
    const uint8_t *at = list->data, *end = at + list->size;
    size_t length = strlen(word);
    while (at < end) {
        const uint8_t *stop = memchr(at, ';', (size_t)(end - at));
        if (!stop)
            stop = end;
        if ((size_t)(stop - at) == length && memcmp(at, word, length) == 0)
            return true;
        at = stop + 1;
    }
    return false;
}

struct rrs_error *handle_supported(server *server, const struct arguments *arguments)
{
    if (arguments->count > 0) {
#define X(member, text) server->client.member = list_has(&arguments->at[0], text);
        CLIENT_FEATURES(X)
#undef X
    }
    buffer_printf(&server->reply, "PacketSize=%x;%s", PACKET_MAX_BYTES, supported);
    return NULL;
}

struct rrs_error *handle_accept(server *server, const struct arguments *arguments)
{
    (void)arguments;
    reply_ok(server);
    return NULL;
}

/* Known and answered as unknown: vMustReplyEmpty. */
struct rrs_error *handle_ignore(server *server, const struct arguments *arguments)
{
    (void)server;
    (void)arguments;
    return NULL;
}

/* The reply itself is still acknowledged, which the next packet's reader takes as noise. */
struct rrs_error *handle_no_acks(server *server, const struct arguments *arguments)
{
    (void)arguments;
    server->link.no_ack = true;
    reply_ok(server);
    return NULL;
}

/* Marks the numbers of a list "e;10;14". Returns false if it is none; numbers beyond are ignored.
 */
static bool mark_list(const struct argument *list, bool *marks, size_t n_marks)
{
    const uint8_t *at = list->data, *end = at + list->size;
    memset(marks, 0, n_marks * sizeof *marks);
    while (at < end) {
        uint64_t number;
        if (!take_hex(&at, end, &number) || (at < end && *at++ != ';'))
            return false;
        if (number < n_marks)
            marks[number] = true;
    }
    return true;
}

struct rrs_error *handle_pass_signals(server *server, const struct arguments *arguments)
{
    if (mark_list(&arguments->at[0], server->passes_signal, SIGNALS_MAX))
        reply_ok(server);
    else
        reply_refuse(server);
    return NULL;
}

/* "0", "1" for all, or "1;<number>;<number>...". */
struct rrs_error *handle_catch_syscalls(server *server, const struct arguments *arguments)
{
    server->catches_syscalls = arguments->at[0].number != 0;
    server->catches_some_syscalls = arguments->count > 1;
    if (!server->catches_some_syscalls ||
        mark_list(&arguments->at[1], server->catches_syscall, SYSCALLS_MAX))
        reply_ok(server);
    else
        reply_refuse(server);
    return NULL;
}

/* "1": threads that begin are stops. Their ends are not: gdb sees them in the list of threads. */
struct rrs_error *handle_thread_events(server *server, const struct arguments *arguments)
{
    server->thread_events = arguments->at[0].number != 0;
    reply_ok(server);
    return NULL;
}
