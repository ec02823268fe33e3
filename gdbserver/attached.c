/* SPDX-License-Identifier: MIT */
/* Which processes gdb is attached to; see the header. */
#include "gdbserver/attached.h"

#include "gdbserver/server.h"

#include <string.h>

static size_t find(const struct attached *attached, pid_t pid)
{
    size_t i = 0;
    while (i < attached->count && attached->pids[i] != pid)
        i++;
    return i;
}

static void remove_at(struct attached *attached, size_t i)
{
    attached->count--;
    memmove(&attached->pids[i], &attached->pids[i + 1],
            (attached->count - i) * sizeof attached->pids[0]);
    memmove(&attached->programs[i], &attached->programs[i + 1],
            (attached->count - i) * sizeof attached->programs[0]);
}

bool attached_has(const struct attached *attached, pid_t pid)
{
    return find(attached, pid) < attached->count;
}

void attached_add(struct attached *attached, pid_t pid)
{
    if (attached_has(attached, pid))
        return;
    if (attached->count == ATTACHED_MAX)
        remove_at(attached, 0);
    attached->programs[attached->count] = 0;
    attached->pids[attached->count++] = pid;
}

void attached_remove(struct attached *attached, pid_t pid)
{
    size_t i = find(attached, pid);
    if (i < attached->count)
        remove_at(attached, i);
}

uint64_t *attached_program(struct attached *attached, pid_t pid)
{
    size_t i = find(attached, pid);
    return i < attached->count ? &attached->programs[i] : NULL;
}

bool attached_select(server *server, pid_t pid)
{
    if (!attached_has(&server->attached, pid))
        return false;
    if (server->pid != pid) {
        server->pid = pid;
        server->tid = thread_choose(server, 0);
        server->resume_tid = 0;
    }
    return true;
}

void attached_leave(server *server, pid_t pid)
{
    breakpoints_remove_of(&server->breakpoints, pid);
    attached_remove(&server->attached, pid);
    if (server->pid == pid && server->attached.count > 0)
        attached_select(server, server->attached.pids[0]);
}
