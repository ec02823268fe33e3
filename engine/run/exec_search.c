/* SPDX-License-Identifier: MIT */
/*
 * Executing a program by the rules of a shell (POSIX.1-2017, XCU 2.9.1.1). Not execvp(3): that one
 * gives every file that the kernel refuses to /bin/sh, programs of another CPU included.
 */
#include "engine/run/exec_search.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

extern char **environ;

/* As shells decide it: a text has no NUL in the first line that one would read. */
static bool is_text(const char *path)
{
    char start[128];
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t size = fd < 0 ? -1 : read(fd, start, sizeof start);
    if (fd >= 0)
        close(fd);
    if (size < 0 || (size >= 4 && !memcmp(start,
                                          "\x7f"
                                          "ELF",
                                          4)))
        return false;
    const char *newline = memchr(start, '\n', (size_t)size);
    return !memchr(start, 0, newline ? (size_t)(newline - start) : (size_t)size);
}

static int exec_by_shell(const char *path, char *const argv[])
{
    size_t count = 0;
    while (argv[count])
        count++;
    const char **arguments = calloc(count + 2, sizeof *arguments);
    if (!arguments)
        return ENOMEM;
    arguments[0] = "/bin/sh";
    arguments[1] = path;
    for (size_t i = 1; i < count; i++)
        arguments[i + 1] = argv[i];
    execve(arguments[0], (char *const *)arguments, environ);
    int failure = errno;
    free(arguments);
    return failure;
}

static int exec_file(const char *path, char *const argv[])
{
    execve(path, argv, environ);
    return errno == ENOEXEC && is_text(path) ? exec_by_shell(path, argv) : errno;
}

static bool is_elsewhere(int failure)
{
    return failure == ENOENT || failure == ENOTDIR || failure == EACCES || failure == ESTALE ||
           failure == ENODEV || failure == ETIMEDOUT || failure == ENAMETOOLONG;
}

int rrs_exec_search(char *const argv[])
{
    const char *path = getenv("PATH");
    int result = ENOENT;
    if (strchr(argv[0], '/') || !argv[0][0])
        return exec_file(argv[0], argv);
    for (const char *at = path ? path : "/bin:/usr/bin";; at++) {
        char file[PATH_MAX];
        int length = (int)strcspn(at, ":");
        int size = snprintf(file, sizeof file, "%.*s%s%s", length, at, length ? "/" : "", argv[0]);
        int failure = size < PATH_MAX ? exec_file(file, argv) : ENAMETOOLONG;
        if (!is_elsewhere(failure))
            return failure;
        if (failure == EACCES)
            result = EACCES;
        at += length;
        if (!*at)
            return result;
    }
}
