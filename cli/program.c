/* SPDX-License-Identifier: MIT */
#include "cli/program.h"

#include "cli/command.h"
#include "cli/output.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

void program_warn(void *context, const char *message)
{
    (void)context;
    print_error("%s", message);
}

bool program_parse_cpu(const char *command, const char *name, uint32_t *level)
{
    static const char *const names[] = {"native", "baseline", "x86-64-v2", "x86-64-v3"};
    for (uint32_t i = 0; name && i < sizeof names / sizeof names[0]; i++)
        if (strcmp(name, names[i]) == 0) {
            *level = i;
            return true;
        }
    if (name)
        print_error("%s: --cpu '%s': give baseline, x86-64-v2, x86-64-v3 or native", command, name);
    return name == NULL;
}

bool program_check_slice(const char *command, uint64_t ticks)
{
    if (ticks > 0 && ticks <= INT64_MAX / 2)
        return true;
    print_error("%s: --slice: give a number of ticks of at least 1", command);
    return false;
}

int program_report_exec_failure(struct rrs_error *error, const char *program)
{
    int code = error->os_errno == ENOENT ? EXIT_NO_PROGRAM : EXIT_CANNOT_EXECUTE;
    if (error->os_errno == ENOENT && !strchr(program, '/'))
        print_error("%s: command not found (no such program in any folder of PATH)", program);
    else if (error->code == RRS_ERROR_UNSUPPORTED)
        print_error("%s: cannot execute: %s", program, error->message);
    else if (error->os_errno == ENOEXEC)
        print_error("%s: cannot execute binary file: %s", program, strerror(ENOEXEC));
    else
        print_error("%s: %s (execve refused it)", program, strerror(error->os_errno));
    rrs_error_destroy(error);
    return code;
}

void program_print_stats(const struct rrs_session *session)
{
#define X(name, text) fprintf(stderr, "rrsoft: %14" PRIu64 "  %s\n", session->counters.name, text);
    RRS_COUNTERS(X)
#undef X
}

int program_exit_code(int status)
{
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
