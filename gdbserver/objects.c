/* SPDX-License-Identifier: MIT */
/*
 * qXfer: objects that gdb reads in pieces (gdb manual, "General Query Packets"). One row per
 * object; each is made anew for every piece, as it may have changed, except that none of them is
 * large.
 */
#include "gdbserver/event_stops.h"
#include "gdbserver/handlers.h"
#include "gdbserver/server.h"
#include "gdbserver/transfer.h"
#include "lmdb-store/scope.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static struct rrs_error *write_features(server *server, const char *annex, struct buffer *object)
{
    if (strcmp(annex, "target.xml") != 0)
        return rrs_error_create(RRS_ERROR_NOT_FOUND, "no description '%s'", annex);
    target_xml_write(&server->registers, object);
    return NULL;
}

static struct rrs_error *write_auxv(server *server, const char *annex, struct buffer *object)
{
    uint8_t auxv[RRS_AUXV_MAX_BYTES];
    size_t bytes;
    (void)annex;
    RRS_TRY(rrs_timeline_auxv(server->timeline, server->tid, auxv, &bytes));
    buffer_add(object, auxv, bytes);
    return NULL;
}

/* The annex is a process id in hex, or empty; gdb knows of one process. */
static struct rrs_error *write_exec_file(server *server, const char *annex, struct buffer *object)
{
    const char *path;
    (void)annex;
    RRS_TRY(rrs_timeline_program(server->timeline, server->tid, &path));
    buffer_add_text(object, path);
    return NULL;
}

static struct rrs_error *write_siginfo(server *server, const char *annex, struct buffer *object)
{
    siginfo_t info;
    (void)annex;
    memset(&info, 0, sizeof info);
    bool is_next;
    RRS_TRY(event_stops_signal(server, &info, &is_next));
    if (!is_next)
        RRS_TRY(rrs_timeline_get_siginfo(server->timeline, server->tid, &info));
    buffer_add(object, &info, sizeof info);
    return NULL;
}

static struct rrs_error *write_threads(server *server, const char *annex, struct buffer *object)
{
    _cleanup_free_ struct rrs_timeline_task *tasks = NULL;
    size_t n_tasks;
    (void)annex;
    RRS_TRY(rrs_timeline_tasks(server->timeline, &tasks, &n_tasks));
    buffer_add_text(object, "<threads>");
    for (size_t i = 0; i < n_tasks; i++) {
        if (!attached_has(&server->attached, tasks[i].tgid))
            continue;
        buffer_add_text(object, "<thread id=\"");
        add_thread_id(server, object, tasks[i].tgid, tasks[i].tid);
        buffer_add_text(object, "\" core=\"0\" name=\"");
        buffer_add_xml(object, thread_name(server, &tasks[i]));
        buffer_add_text(object, "\"/>");
    }
    buffer_add_text(object, "</threads>");
    return NULL;
}

static const struct {
    const char *name;
    object_writer write;
} objects[] = {
    {"features", write_features},
    {"auxv", write_auxv},
    {"exec-file", write_exec_file},
    {"siginfo", write_siginfo},
    {"threads", write_threads},
    {"libraries-svr4", write_libraries},
    {"osdata", write_operating_system_data},
    {"rrsoft", write_recording},
};

static object_writer find_writer(const struct argument *name)
{
    for (size_t i = 0; i < sizeof objects / sizeof objects[0]; i++)
        if (strlen(objects[i].name) == name->size &&
            memcmp(objects[i].name, name->data, name->size) == 0)
            return objects[i].write;
    return NULL;
}

/* 'm' and 'l' say whether there is more. Never more than was asked for: gdb would refuse it. */
static void reply_piece(server *server, const struct buffer *object, uint64_t offset,
                        uint64_t length)
{
    if (offset >= object->size) {
        buffer_add_byte(&server->reply, 'l');
        return;
    }
    size_t left = object->size - offset;
    size_t piece = length < left ? length : left;
    if (piece > PACKET_MAX_BYTES / 2)
        piece = PACKET_MAX_BYTES / 2;
    buffer_add_byte(&server->reply, piece < left ? 'm' : 'l');
    buffer_add(&server->reply, object->data + offset, piece);
}

struct rrs_error *handle_read_object(server *server, const struct arguments *arguments)
{
    const struct argument *at = arguments->at;
    object_writer write = find_writer(&at[0]);
    _cleanup_buffer_ struct buffer object = {0};
    if (!write)
        return NULL; /* unknown: empty reply */
    _cleanup_free_ char *annex = strndup((const char *)at[1].data, at[1].size);
    if (!annex)
        return rrs_error_no_memory();
    RRS_TRY(write(server, annex, &object));
    server->call_begins = write == write_siginfo && at[3].number >= sizeof(siginfo_t);
    if (object.failed)
        return rrs_error_no_memory();
    reply_piece(server, &object, at[2].number, at[3].number);
    return NULL;
}

/* The last thing that gdb does in a call by hand is to write the signal information back. */
struct rrs_error *handle_write_siginfo(server *server, const struct arguments *arguments)
{
    buffer_printf(&server->reply, "%zx", arguments->at[2].size);
    trial_check(server);
    return NULL;
}
