/* SPDX-License-Identifier: MIT */
/* One recording of a program: its trace, its limits, and how it ends. */
#ifndef RRS_CLI_RECORDING_H
#define RRS_CLI_RECORDING_H

#include "engine/run/session.h"

#include <stdbool.h>
#include <stdint.h>

struct recording_plan {
    char **argv;
    struct rrs_session_options session;
    const char *output;           /* directory to make; NULL: in the trace directory */
    const char *const *variables; /* NAME=VALUE, for the program */
    size_t n_variables;
    int directory_fd;      /* where the program starts; -1: here */
    uint64_t max_bytes;    /* of the trace; 0: no limit */
    uint64_t max_ns;       /* of wall-clock time; 0: no limit */
    bool kill_at_limit;    /* the program ends with its recording */
    bool main_only;        /* the recording ends with the first process */
    bool keep_failed_only; /* the trace of a run that exits with 0 is removed */
    bool quiet;
    bool stats; /* say what the engine did */
};

struct recording_result {
    int exit_code;
    bool ran;     /* the program began, and the trace could be written */
    bool failed;  /* it did not exit with 0 */
    bool stopped; /* somebody sent a signal to end it */
};

/** Records a program, from its beginning to its end, and reports what there is to report. */
struct recording_result recording_run(const struct recording_plan *plan);

#endif
