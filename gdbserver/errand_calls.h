/* SPDX-License-Identifier: MIT */
/* The errand that lists the calls of a function. */
#ifndef RRS_GDBSERVER_ERRAND_CALLS_H
#define RRS_GDBSERVER_ERRAND_CALLS_H

#include "lmdb-store/error.h"

struct rrs_gdbserver;

/** Goes from the beginning to the end and writes a row per call to the errand's results. */
RRS_MUST_CHECK struct rrs_error *errand_collect_calls(struct rrs_gdbserver *server);

#endif
