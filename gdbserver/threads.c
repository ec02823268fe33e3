/* SPDX-License-Identifier: MIT */
/* The tasks of the process that gdb sees, and the packets about them. */
#include "gdbserver/handlers.h"
#include "gdbserver/recording.h"
#include "gdbserver/server.h"
#include "lmdb-store/scope.h"

bool thread_exists(server *server, pid_t tid)
{
    _cleanup_free_ struct rrs_timeline_task *tasks = NULL;
    size_t n_tasks = 0;
    bool found = false;
    struct rrs_error *error = rrs_timeline_tasks(server->timeline, &tasks, &n_tasks);
    for (size_t i = 0; !error && i < n_tasks; i++)
        found |= tasks[i].tid == tid && tasks[i].tgid == server->pid;
    rrs_error_destroy(error);
    return found;
}

const char *thread_name(server *server, const struct rrs_timeline_task *task)
{
    struct rrs_position here;
    pid_t running;
    rrs_timeline_position(server->timeline, &here, &running);
    const char *name = task_names_find(&server->task_names, rrs_timeline_trace(server->timeline),
                                       &server->lineage, task->tid, here.event);
    return name ? name : task->name;
}

pid_t thread_choose(server *server, pid_t preferred)
{
    _cleanup_free_ struct rrs_timeline_task *tasks = NULL;
    size_t n_tasks = 0;
    pid_t running = 0, first = 0, wanted = 0;
    struct rrs_error *error = rrs_timeline_tasks(server->timeline, &tasks, &n_tasks);
    for (size_t i = n_tasks; !error && i-- > 0;) {
        if (tasks[i].tgid != server->pid)
            continue;
        first = tasks[i].tid;
        running = tasks[i].running ? tasks[i].tid : running;
        wanted = tasks[i].tid == preferred ? preferred : wanted;
    }
    rrs_error_destroy(error);
    return wanted ? wanted : running ? running : first;
}

bool process_is_here(server *server)
{
    return thread_choose(server, 0) != 0;
}

struct rrs_error *process_choose(server *server, pid_t pid)
{
    _cleanup_free_ struct rrs_timeline_task *tasks = NULL;
    size_t n_tasks = 0;
    pid_t found = 0;
    RRS_TRY(rrs_timeline_tasks(server->timeline, &tasks, &n_tasks));
    for (size_t i = 0; i < n_tasks; i++)
        if (pid ? tasks[i].tgid == pid : !found || tasks[i].running)
            found = tasks[i].tgid;
    if (!found)
        return rrs_error_create(RRS_ERROR_NOT_FOUND, "process %d does not exist here", pid);
    attached_add(&server->attached, found);
    server->pid = found;
    server->tid = thread_choose(server, 0);
    server->resume_tid = 0;
    server->stop = (struct rrs_stop){.reason = RRS_STOP_REACHED, .tid = server->tid};
    return NULL;
}

/* A process that is not alive here is looked for where its first event is. */
struct rrs_error *process_find(server *server, pid_t pid)
{
    uint64_t event;
    struct rrs_error *error = process_choose(server, pid);
    if (!error)
        return NULL;
    rrs_error_destroy(error);
    RRS_TRY(recording_first_event(server, pid, &event));
    if (!event)
        return rrs_error_create(RRS_ERROR_NOT_FOUND, "no process %d in this recording", pid);
    for (int i = 0; i < 2; i++) { /* its first event may be the one that makes it */
        RRS_TRY(rrs_timeline_seek_event(server->timeline, event + (uint64_t)i, &server->stop));
        error = process_choose(server, pid);
        if (!error)
            return NULL;
        rrs_error_destroy(error);
    }
    return rrs_error_create(RRS_ERROR_NOT_FOUND, "process %d was not found", pid);
}

void add_thread_id(const server *server, struct buffer *buffer, pid_t pid, pid_t tid)
{
    if (server->client.multiprocess)
        buffer_printf(buffer, "p%x.%x", (unsigned)pid, (unsigned)tid);
    else
        buffer_printf(buffer, "%x", (unsigned)tid);
}

void reply_thread_id(server *server, pid_t tid)
{
    add_thread_id(server, &server->reply, server->pid, tid);
}

/* The task that a packet names, whose process becomes the current one; what stands for any is the
 * current task. 0: there is none. */
static pid_t named_thread(server *server, const struct thread_id *thread)
{
    if (thread->has_pid && thread->pid > 0 && !attached_select(server, (pid_t)thread->pid))
        return 0;
    return thread->tid > 0 ? (pid_t)thread->tid : thread_choose(server, server->tid);
}

struct rrs_error *handle_select_thread(server *server, const struct arguments *arguments)
{
    const struct thread_id *thread = &arguments->at[0].thread;
    pid_t tid = named_thread(server, thread);
    if (!tid && thread->has_pid && attached_has(&server->attached, (pid_t)thread->pid))
        tid = (pid_t)thread->pid; /* gone here, but gdb still lists it */
    if (!tid || (!thread_exists(server, tid) && process_is_here(server))) {
        reply_refuse(server);
        return NULL;
    }
    server->tid = tid;
    reply_ok(server);
    return NULL;
}

struct rrs_error *handle_select_resumed(server *server, const struct arguments *arguments)
{
    int64_t tid = arguments->at[0].thread.tid;
    int64_t pid = arguments->at[0].thread.has_pid ? arguments->at[0].thread.pid : 0;
    if (pid > 0 && !attached_select(server, (pid_t)pid)) {
        reply_refuse(server);
        return NULL;
    }
    server->resume_tid = tid > 0 ? (pid_t)tid : 0;
    server->resume_pid = pid > 0 ? (pid_t)pid : 0;
    reply_ok(server);
    return NULL;
}

/* A question only: the current process stays. */
struct rrs_error *handle_is_alive(server *server, const struct arguments *arguments)
{
    pid_t pid = server->pid, own = server->tid, resumed = server->resume_tid;
    pid_t tid = named_thread(server, &arguments->at[0].thread);
    bool exists = tid && thread_exists(server, tid);
    server->pid = pid;
    server->tid = own;
    server->resume_tid = resumed;
    if (exists)
        reply_ok(server);
    else
        reply_refuse(server);
    return NULL;
}

struct rrs_error *handle_current_thread(server *server, const struct arguments *arguments)
{
    (void)arguments;
    if (!server->pid)
        return NULL;
    buffer_add_text(&server->reply, "QC");
    reply_thread_id(server, server->tid);
    return NULL;
}

struct rrs_error *handle_first_threads(server *server, const struct arguments *arguments)
{
    (void)arguments;
    _cleanup_free_ struct rrs_timeline_task *tasks = NULL;
    size_t n_tasks;
    RRS_TRY(rrs_timeline_tasks(server->timeline, &tasks, &n_tasks));
    char lead = 'm';
    for (size_t i = 0; i < n_tasks; i++) {
        if (!attached_has(&server->attached, tasks[i].tgid))
            continue;
        buffer_add_byte(&server->reply, (uint8_t)lead);
        add_thread_id(server, &server->reply, tasks[i].tgid, tasks[i].tid);
        lead = ',';
    }
    if (lead == 'm')
        buffer_add_byte(&server->reply, 'l');
    return NULL;
}

struct rrs_error *handle_more_threads(server *server, const struct arguments *arguments)
{
    (void)arguments;
    buffer_add_byte(&server->reply, 'l');
    return NULL;
}
