/* SPDX-License-Identifier: MIT */
/* `info os`: the processes and threads of the recording that are alive here. */
#include "gdbserver/transfer.h"
#include "lmdb-store/scope.h"

#include <string.h>

static void add_column(struct buffer *object, const char *name, const char *text)
{
    buffer_printf(object, "<column name=\"%s\">", name);
    buffer_add_xml(object, text);
    buffer_add_text(object, "</column>");
}

static void add_number(struct buffer *object, const char *name, long number)
{
    buffer_printf(object, "<column name=\"%s\">%ld</column>", name, number);
}

static void write_kinds(struct buffer *object)
{
    static const char *const kinds[][2] = {
        {"processes", "Processes of the recording"},
        {"threads", "Threads of the recording"},
    };
    for (size_t i = 0; i < 2; i++) {
        buffer_add_text(object, "<item>");
        add_column(object, "Type", kinds[i][0]);
        add_column(object, "Description", kinds[i][1]);
        buffer_add_text(object, "</item>");
    }
}

static void add_task(server *server, struct buffer *object, const struct rrs_timeline_task *task,
                     bool as_thread)
{
    if (!as_thread && task->tid != task->tgid)
        return;
    buffer_add_text(object, "<item>");
    add_number(object, "pid", task->tgid);
    if (as_thread)
        add_number(object, "tid", task->tid);
    else
        add_number(object, "parent", task->parent);
    add_column(object, "command", as_thread ? thread_name(server, task) : task->name);
    buffer_add_text(object, "</item>");
}

struct rrs_error *write_operating_system_data(server *server, const char *annex,
                                              struct buffer *object)
{
    _cleanup_free_ struct rrs_timeline_task *tasks = NULL;
    size_t n_tasks;
    RRS_TRY(rrs_timeline_tasks(server->timeline, &tasks, &n_tasks));
    bool as_thread = strcmp(annex, "threads") == 0;
    if (!as_thread && *annex && strcmp(annex, "processes") != 0)
        return rrs_error_create(RRS_ERROR_NOT_FOUND, "no table '%s'", annex);
    buffer_printf(object, "<osdata type=\"%s\">", *annex ? annex : "types");
    if (!*annex)
        write_kinds(object);
    for (size_t i = 0; *annex && i < n_tasks; i++)
        add_task(server, object, &tasks[i], as_thread);
    buffer_add_text(object, "</osdata>");
    return NULL;
}
