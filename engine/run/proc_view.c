/* SPDX-License-Identifier: MIT */
/*
 * Finding out that a descriptor is one of the files, and exchanging it. Only the last component of
 * a path is looked at before the call, because most programs open many files and hardly ever one of
 * these; a symbolic link of another name to one of them is not seen through.
 */
#include "engine/run/proc_view.h"

#include "engine/run/descriptors.h"
#include "engine/run/remote.h"
#include "lmdb-store/scope.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

static const struct view {
    const char *name;
    struct rrs_error *(*write)(const struct rrs_proc_request *request, FILE *out);
} views[] = {
    {"maps", rrs_proc_write_maps},
    {"smaps", rrs_proc_write_smaps},
    {"status", rrs_proc_write_status},
    {"stat", rrs_proc_write_stat},
};

static const struct view *view_named(const char *path)
{
    const char *slash = strrchr(path, '/');
    const char *name = slash ? slash + 1 : path;
    for (size_t i = 0; i < sizeof views / sizeof views[0]; i++)
        if (!strcmp(views[i].name, name))
            return &views[i];
    return NULL;
}

bool rrs_proc_view_suspected(const struct rrs_task *task, rrs_addr path)
{
    char text[PATH_MAX];
    enum { USUAL = 128 };
    size_t size = rrs_tracee_read(task->tid, path, text, USUAL);
    if (size == USUAL && !memchr(text, 0, size))
        size += rrs_tracee_read(task->tid, path + size, text + size, sizeof text - size);
    return memchr(text, 0, size) && view_named(text);
}

/* --- whose file it is --- */

/* A task's number in its own process namespace. */
static int innermost_number(pid_t tid)
{
    char path[64], line[512];
    int number = 0;
    snprintf(path, sizeof path, "/proc/%d/status", tid);
    _cleanup_fclose_ FILE *file = fopen(path, "re");
    while (file && fgets(line, sizeof line, file))
        if (!strncmp(line, "NSpid:", 6)) {
            line[strcspn(line, "\n")] = 0;
            const char *last = strrchr(line, '\t');
            number = last ? atoi(last + 1) : 0;
        }
    return number;
}

static struct rrs_task *task_of_number(struct rrs_session *session, int number, bool ours)
{
    struct rrs_task *in_process = NULL;
    for (struct rrs_task *task = session->tasks; task; task = task->next) {
        if (!task->process || !task->space)
            continue;
        if ((ours ? task->tid : innermost_number(task->tid)) == number)
            return task;
        if ((ours ? task->process->tgid : innermost_number(task->process->tgid)) == number)
            in_process = task;
    }
    return in_process;
}

/* The task whose directory `path` is in: .../NUMBER/name. */
static struct rrs_task *subject_of(struct rrs_session *session, const char *path,
                                   const char *source)
{
    struct stat its, ours;
    struct statfs system;
    if (statfs(source, &system) < 0 || system.f_type != PROC_SUPER_MAGIC)
        return NULL;
    const char *end = strrchr(path, '/'), *start = end;
    while (start > path && start[-1] != '/')
        start--;
    int number = atoi(start);
    if (number <= 0 || stat(source, &its) < 0 || stat("/proc", &ours) < 0)
        return NULL;
    return task_of_number(session, number, its.st_dev == ours.st_dev);
}

/* --- exchanging --- */

static unsigned long flags_of(const struct rrs_task *task, int fd)
{
    char path[64], line[128];
    unsigned long flags = O_PATH; /* says: do not touch it */
    snprintf(path, sizeof path, "/proc/%d/fdinfo/%d", task->tid, fd);
    _cleanup_fclose_ FILE *file = fopen(path, "re");
    while (file && fgets(line, sizeof line, file))
        if (sscanf(line, "flags: %lo", &flags) == 1)
            break;
    return flags;
}

/* An unnamed file with the text, open for reading only; -1 and errno if there is none. */
static int make_file(const char *name, const char *text, size_t size)
{
    char path[64];
    _cleanup_close_ int fd = memfd_create(name, MFD_CLOEXEC);
    if (fd < 0)
        return -1;
    for (size_t done = 0; done < size;) {
        ssize_t count = write(fd, text + done, size - done);
        if (count <= 0)
            return -1;
        done += (size_t)count;
    }
    fchmod(fd, 0444);
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    return open(path, O_RDONLY | O_CLOEXEC);
}

static struct rrs_error *put_in_place(struct rrs_session *session, struct rrs_task *task, int file,
                                      int fd, uint64_t cloexec)
{
    int64_t given;
    RRS_TRY(rrs_give_descriptor(session, task, file, O_RDONLY,
                                task->space->runtime + RRS_RUNTIME_SCRATCH, &given));
    RRS_TRY(rrs_remote_call_ok(session, task, "exchanging a file of /proc", SYS_dup3,
                               RRS_ARGUMENTS((uint64_t)given, (uint64_t)fd, cloexec), NULL));
    return rrs_remote_call_ok(session, task, "exchanging a file of /proc", SYS_close,
                              RRS_ARGUMENTS((uint64_t)given), NULL);
}

struct rrs_error *rrs_proc_view_exchange(struct rrs_session *session, struct rrs_task *task, int fd)
{
    char source[64], path[PATH_MAX];
    snprintf(source, sizeof source, "/proc/%d/fd/%d", task->tid, fd);
    ssize_t length = readlink(source, path, sizeof path - 1);
    path[length > 0 ? length : 0] = 0;
    const struct view *view = view_named(path);
    const struct rrs_task *subject = view ? subject_of(session, path, source) : NULL;
    unsigned long flags = subject ? flags_of(task, fd) : O_PATH;
    if (flags & O_PATH || (flags & O_ACCMODE) == O_WRONLY)
        return NULL;
    const struct rrs_proc_request request = {session, task, subject, source};
    _cleanup_free_ char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    if (!out)
        return rrs_error_no_memory();
    struct rrs_error *error = view->write(&request, out);
    if (fclose(out) != 0 && !error)
        error = rrs_error_no_memory();
    if (error)
        return error;
    _cleanup_close_ int file = make_file(view->name, text, size);
    if (file < 0)
        return rrs_error_os(errno, NULL, "making a file in the place of %s", path);
    error = put_in_place(session, task, file, fd, flags & O_CLOEXEC);
    if (!error || error->code != RRS_ERROR_OS)
        return error;
    rrs_session_warn(session, "task %d: %s could not be exchanged and shows the engine: %s",
                     task->tid, path, error->message);
    rrs_error_destroy(error);
    return NULL;
}
