/* SPDX-License-Identifier: MIT */
#include "cli/installation.h"

#include "cli/output.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The real path of `name` seen from the directory of this program. */
static bool beside_us(const char *name, char path[PATH_MAX])
{
    char own[PATH_MAX], joined[2 * PATH_MAX];
    ssize_t length = readlink("/proc/self/exe", own, sizeof own - 1);
    if (length <= 0)
        return false;
    own[length] = '\0';
    *strrchr(own, '/') = '\0';
    snprintf(joined, sizeof joined, "%s/%s", own, name);
    return realpath(joined, path) && access(path, R_OK) == 0;
}

bool installation_has_program(const char *name)
{
    if (strchr(name, '/'))
        return access(name, X_OK) == 0;
    const char *path = getenv("PATH");
    char *copy = strdup(path ? path : "/usr/bin:/bin"), *rest = copy, candidate[PATH_MAX];
    bool found = false;
    for (const char *part; copy && !found && (part = strsep(&rest, ":"));) {
        int length = snprintf(candidate, sizeof candidate, "%s/%s", *part ? part : ".", name);
        found = length < PATH_MAX && access(candidate, X_OK) == 0;
    }
    free(copy);
    return found;
}

bool installation_find(const char *command, char server[PATH_MAX], char gdb_commands[PATH_MAX])
{
    if (beside_us("rrsoft-gdbserver", server) &&
        beside_us("../share/rrsoft/gdb/rrsoft.py", gdb_commands))
        return true;
    print_error("%s: this installation of rrsoft is not complete: rrsoft-gdbserver or its gdb "
                "commands are missing",
                command);
    return false;
}
