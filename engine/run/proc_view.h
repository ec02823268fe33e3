/* SPDX-License-Identifier: MIT */
/*
 * Files in /proc about tasks of the session, as the program would see them natively. A file that
 * the program opens is exchanged, at the end of the call, for an unnamed one with the text that
 * belongs there: a snapshot, which does not change when it is read a second time.
 */
#ifndef RRS_ENGINE_RUN_PROC_VIEW_H
#define RRS_ENGINE_RUN_PROC_VIEW_H

#include "engine/run/address_space.h"

#include <stdio.h>

/** Whether the path at `path` in the task's memory may lead to a file that has to be exchanged. */
bool rrs_proc_view_suspected(const struct rrs_task *task, rrs_addr path);

/** The task has just opened `fd`: exchanges what is behind it, if need be. Injects calls then. */
RRS_MUST_CHECK struct rrs_error *rrs_proc_view_exchange(struct rrs_session *session,
                                                        struct rrs_task *task, int fd);

/* --- the texts --- */

struct rrs_proc_request {
    const struct rrs_session *session;
    const struct rrs_task *reader;
    const struct rrs_task *subject; /* whose file it is */
    const char *source;             /* the kernel's file: a path for the tracer */
};

/** Each writes one whole file to `out`. */
RRS_MUST_CHECK struct rrs_error *rrs_proc_write_maps(const struct rrs_proc_request *request,
                                                     FILE *out);
RRS_MUST_CHECK struct rrs_error *rrs_proc_write_smaps(const struct rrs_proc_request *request,
                                                      FILE *out);
RRS_MUST_CHECK struct rrs_error *rrs_proc_write_status(const struct rrs_proc_request *request,
                                                       FILE *out);
RRS_MUST_CHECK struct rrs_error *rrs_proc_write_stat(const struct rrs_proc_request *request,
                                                     FILE *out);

#endif
