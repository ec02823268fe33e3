/* SPDX-License-Identifier: MIT */
/* rrsoft-gdbserver: a trace, by name or path. */
#include "gdbserver/program.h"
#include "lmdb-store/trace_dir.h"

static struct rrs_error *find(const char *argument, char **path)
{
    return rrs_trace_dir_resolve(NULL, argument, path);
}

int main(int argc, char **argv)
{
    return gdbserver_program(argc, argv, find);
}
