/* SPDX-License-Identifier: MIT */
#ifndef RRS_ENGINE_RUN_CALLS_H
#define RRS_ENGINE_RUN_CALLS_H

#include <stdint.h>

#include "lmdb-store/error.h"

#include <stdbool.h>

/** Fills the runtime's class table: 1 for calls that pass without a stop, if any may. */
void rrs_calls_fill_classes(uint8_t classes[65536], bool some_pass);

struct rrs_session;
struct rrs_task;

/**
 * The call that task->call and task->call_regs tell of, munmap, mprotect or mremap, was made with
 * `result`: what that means for code is done. May inject calls.
 */
RRS_MUST_CHECK struct rrs_error *rrs_calls_mapping_changed(struct rrs_session *session,
                                                           struct rrs_task *task, uint64_t result);

#endif
