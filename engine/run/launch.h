/* SPDX-License-Identifier: MIT */
#ifndef RRS_ENGINE_RUN_LAUNCH_H
#define RRS_ENGINE_RUN_LAUNCH_H

#include "engine/run/session.h"

/**
 * Starts `argv` as a child that is seized, filtered and about to call execve. `*error_fd` gives the
 * errno of that execve, as an int, if it fails; the caller closes it.
 */
RRS_MUST_CHECK struct rrs_error *rrs_launch(const struct rrs_session_options *options,
                                            char *const argv[], pid_t *pid, int *error_fd);

#endif
