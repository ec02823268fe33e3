/* SPDX-License-Identifier: MIT */
/*
 * Programs of another kind than the engine translates are refused before the execve, so that it
 * fails for the program as on a machine that cannot run them. What cannot be looked at here (a
 * script's interpreter, a path through /proc) is found after the execve: see rrs_handle_exec().
 */
#include "engine/run/virtual.h"

#include "engine/run/session.h"
#include "lmdb-store/scope.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static int open_link(pid_t tid, const char *link, int flags)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/%s", tid, link);
    return open(path, O_PATH | O_CLOEXEC | flags);
}

/* The file that `path` is for the task, as O_PATH; -1 if it cannot be told. */
static int open_as_task(const struct rrs_task *task, int directory, const char *path, int flags)
{
    struct open_how how = {.flags = O_PATH | O_CLOEXEC, .resolve = RESOLVE_IN_ROOT};
    char link[32] = "cwd";
    if (directory != AT_FDCWD)
        snprintf(link, sizeof link, "fd/%d", directory);
    if (!path[0])
        return flags & AT_EMPTY_PATH ? open_link(task->tid, link, 0) : -1;
    _cleanup_close_ int from = open_link(task->tid, path[0] == '/' ? "root" : link, O_DIRECTORY);
    if (from < 0)
        return -1;
    if (path[0] == '/')
        return (int)syscall(SYS_openat2, from, path, &how, sizeof how);
    return openat(from, path, O_PATH | O_CLOEXEC);
}

static bool is_32_bit_program(int file)
{
    enum { EXECUTABLE = S_IXUSR | S_IXGRP | S_IXOTH };
    char path[64];
    unsigned char ident[5];
    struct stat st;
    if (fstat(file, &st) < 0 || !S_ISREG(st.st_mode) || !(st.st_mode & EXECUTABLE))
        return false;
    snprintf(path, sizeof path, "/proc/self/fd/%d", file);
    _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
    return fd >= 0 && read(fd, ident, sizeof ident) == sizeof ident &&
           !memcmp(ident,
                   "\x7f"
                   "ELF\1",
                   sizeof ident);
}

static void look_at(struct rrs_session *session, struct rrs_task *task, int directory,
                    rrs_addr path_at, int flags, struct rrs_answer *answer)
{
    char path[PATH_MAX];
    size_t size = rrs_tracee_read(task->tid, path_at, path, sizeof path);
    if (!memchr(path, 0, size))
        return;
    _cleanup_close_ int file = open_as_task(task, directory, path, flags);
    if (file < 0 || !is_32_bit_program(file))
        return;
    rrs_session_warn(session, "process %d: %s: 32-bit programs are not supported",
                     task->process->tgid, path);
    *answer = (struct rrs_answer){true, -ENOEXEC};
}

struct rrs_error *rrs_virtual_execve(struct rrs_session *session, struct rrs_task *task,
                                     const struct user_regs_struct *regs, struct rrs_answer *answer)
{
    look_at(session, task, AT_FDCWD, regs->rdi, 0, answer);
    return NULL;
}

struct rrs_error *rrs_virtual_execveat(struct rrs_session *session, struct rrs_task *task,
                                       const struct user_regs_struct *regs,
                                       struct rrs_answer *answer)
{
    look_at(session, task, (int)regs->rdi, regs->rsi, (int)regs->r8, answer);
    return NULL;
}
