/* SPDX-License-Identifier: MIT */
/*
 * A server of our own on a Unix socket. gdb could start one behind a pipe itself (`target
 * extended-remote | COMMAND`), but for each byte that comes through such a pipe gdb 13 asks for
 * standard error output, too (ser-base.c, generic_readchar): symbols then come at 6 MB/s.
 */
#include "cli/gdb_server.h"

#include "cli/command.h"
#include "cli/output.h"
#include "lmdb-store/scope.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

/* In the child. In a session of its own, so that a key pressed for gdb is none of its business. */
static void become_server(const char *command, const char *const *words, int out, pid_t parent)
{
    int nowhere = open("/dev/null", O_RDONLY | O_CLOEXEC);
    setsid();
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() != parent)
        _exit(EXIT_FAILED);
    if (nowhere >= 0 && dup2(nowhere, STDIN_FILENO) >= 0 && dup2(out, STDOUT_FILENO) >= 0)
        execv(words[0], (char **)words);
    print_error("%s: cannot run '%s': %s", command, words[0], strerror(errno));
    _exit(EXIT_FAILED);
}

/* The line "target extended-remote ADDRESS". */
static bool read_address(int fd, char *address, size_t address_size)
{
    static const char lead[] = "target extended-remote ";
    char line[512];
    FILE *stream = fdopen(fd, "r");
    bool read = stream && fgets(line, sizeof line, stream) &&
                strncmp(line, lead, sizeof lead - 1) == 0 && strchr(line, '\n');
    if (read) {
        *strchr(line, '\n') = '\0';
        read = snprintf(address, address_size, "%s", line + sizeof lead - 1) < (int)address_size;
    }
    if (stream)
        fclose(stream);
    else
        close(fd);
    return read;
}

bool gdb_server_start(const char *command, const char *const *words, char *address,
                      size_t address_size, int *exit_code)
{
    int pipes[2], status = 0;
    pid_t parent = getpid();
    *exit_code = EXIT_FAILED;
    if (pipe2(pipes, O_CLOEXEC) < 0) {
        print_error("%s: cannot make a pipe: %s", command, strerror(errno));
        return false;
    }
    pid_t child = fork();
    if (child == 0)
        become_server(command, words, pipes[1], parent);
    close(pipes[1]);
    if (child < 0) {
        print_error("%s: cannot fork: %s", command, strerror(errno));
        close(pipes[0]);
        return false;
    }
    if (read_address(pipes[0], address, address_size))
        return true;
    while (waitpid(child, &status, 0) < 0 && errno == EINTR)
        ;
    if (WIFEXITED(status) && WEXITSTATUS(status))
        *exit_code = WEXITSTATUS(status);
    return false;
}
