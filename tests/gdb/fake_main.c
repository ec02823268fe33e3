/* SPDX-License-Identifier: MIT */
/* rrsoft-gdbserver over the fake timeline: its argument is a program, recorded when it starts. */
#include "gdbserver/program.h"

#include <stdlib.h>
#include <string.h>

static struct rrs_error *find(const char *argument, char **path)
{
    if (!argument)
        return rrs_error_create(RRS_ERROR_USAGE, "no program given");
    *path = realpath(argument, NULL);
    return *path ? NULL : rrs_error_path(RRS_ERROR_NOT_FOUND, argument, "no such program");
}

int main(int argc, char **argv)
{
    return gdbserver_program(argc, argv, find);
}
