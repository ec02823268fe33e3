/* SPDX-License-Identifier: MIT */
/*
 * The table of packets. A row's name is what a packet begins with, its schema (arguments.h) is for
 * what follows; where names begin alike the longer one stands first. What has no row gets an empty
 * reply, which means "not supported", and gdb does without it.
 */
#include "gdbserver/dispatch.h"

#include "gdbserver/handlers.h"

#include <string.h>

struct packet_row {
    const char *name;
    packet_handler handle;
    const char *schema;
    bool silent; /* no reply */
};

static const struct packet_row packets[] = {
    /* registers and memory */
    {"g", handle_read_registers, "", false},
    {"G", handle_write_registers, "h", false},
    {"p", handle_read_register, "x", false},
    {"P", handle_write_register, "x=h", false},
    {"m", handle_read_memory, "x,x", false},
    {"M", handle_write_memory, "x,x:h", false},
    {"X", handle_write_memory, "x,x:b", false},
    {"qSearch:memory:", handle_search_memory, "x;x;b", false},
    {"qCRC:", handle_checksum_memory, "x,x", false},
    /* going */
    {"vCont?", handle_resume_kinds, "", false},
    {"vCont", handle_resume, "b", false},
    {"bc", handle_continue_back, "", false},
    {"bs", handle_step_back, "", false},
    {"c", handle_continue, "?x", false},
    {"C", handle_continue, "x?;x", false},
    {"s", handle_step, "?x", false},
    {"S", handle_step, "x?;x", false},
    {"?", handle_why, "", false},
    {"Z", handle_insert_breakpoint, "x,x,x?;b", false},
    {"z", handle_remove_breakpoint, "x,x,x", false},
    /* threads */
    {"Hg", handle_select_thread, "t", false},
    {"Hc", handle_select_resumed, "t", false},
    {"T", handle_is_alive, "t", false},
    {"qC", handle_current_thread, "", false},
    {"qfThreadInfo", handle_first_threads, "", false},
    {"qsThreadInfo", handle_more_threads, "", false},
    {"qGetTLSAddr:", handle_thread_storage, "t,x,x", false},
    /* processes */
    {"qAttached", handle_is_attached, "?:x", false},
    {"vAttach;", handle_attach, "x", false},
    {"vRun", handle_run, "b", false},
    {"vKill;", handle_kill_process, "x", false},
    {"D", handle_detach, "b", false},
    {"k", handle_kill, "b", true},
    {"R", handle_ignore, "b", true},
    /* settings */
    {"qSupported", handle_supported, "?:b", false},
    {"QStartNoAckMode", handle_no_acks, "", false},
    {"QPassSignals:", handle_pass_signals, "b", false},
    {"QProgramSignals:", handle_accept, "b", false},
    {"QCatchSyscalls:", handle_catch_syscalls, "x?;b", false},
    {"QThreadEvents:", handle_thread_events, "x", false},
    {"qSymbol:", handle_accept, "b", false},
    {"!", handle_accept, "", false},
    {"vMustReplyEmpty", handle_ignore, "b", false},
    /* objects and files */
    {"qXfer:siginfo:write:", handle_write_siginfo, "w:x:b", false},
    {"qXfer:", handle_read_object, "w:read:w:x,x", false},
    {"vFile:setfs:", handle_file_root, "x", false},
    {"vFile:open:", handle_file_open, "h,x,x", false},
    {"vFile:pread:", handle_file_read, "x,x,x", false},
    {"vFile:close:", handle_file_close, "x", false},
    {"vFile:fstat:", handle_file_status, "x", false},
    {"vFile:readlink:", handle_file_link, "h", false},
    /* rrsoft's own */
    {"qRcmd,", handle_monitor, "h", false},
    {"qRRS:hello", handle_hello, "", false},
    {"qRRS:when", handle_when, "", false},
    {"qRRS:arm:", handle_arm, "w?:w", false},
};

static const struct packet_row *find_row(const uint8_t *packet, size_t size)
{
    for (size_t i = 0; i < sizeof packets / sizeof packets[0]; i++) {
        size_t length = strlen(packets[i].name);
        if (length <= size && memcmp(packets[i].name, packet, length) == 0)
            return &packets[i];
    }
    return NULL;
}

/* See trial_settle(). */
static bool comes_amid_calls(packet_handler handle)
{
    return handle == handle_write_register || handle == handle_write_registers ||
           handle == handle_write_memory || handle == handle_write_siginfo ||
           handle == handle_insert_breakpoint || handle == handle_remove_breakpoint;
}

static void reply_error(server *server, struct rrs_error *error)
{
    buffer_clear(&server->reply);
    if (server->client.error_messages)
        buffer_printf(&server->reply, "E.%s", error->message);
    else
        reply_refuse(server);
    rrs_error_destroy(error);
}

bool dispatch(server *server, const uint8_t *packet, size_t size)
{
    const struct packet_row *row = find_row(packet, size);
    buffer_clear(&server->reply);
    if (!row)
        return true;
    _cleanup_arguments_ struct arguments arguments = {0};
    size_t length = strlen(row->name);
    if (!arguments_parse(row->schema, packet + length, size - length, &arguments)) {
        reply_refuse(server);
        return !row->silent;
    }
    if (!comes_amid_calls(row->handle))
        trial_settle(server);
    struct rrs_error *error = row->handle(server, &arguments);
    if (!error && server->reply.failed)
        error = rrs_error_no_memory();
    if (error)
        reply_error(server, error);
    return !row->silent;
}
