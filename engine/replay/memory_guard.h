/* SPDX-License-Identifier: MIT */
/*
 * Ends a replay that is about to use the machine's memory up: a trace may come from a stranger, and
 * one instruction can write to all that was mapped. A thread looks at what is free; the hosts of
 * the replay are killed before nothing is.
 */
#ifndef RRS_ENGINE_REPLAY_MEMORY_GUARD_H
#define RRS_ENGINE_REPLAY_MEMORY_GUARD_H

#include "lmdb-store/error.h"

#include <stdint.h>
#include <sys/types.h>

struct rrs_memory_guard;

/**
 * Starts the thread. `keep_free_bytes`: how much is to stay free; 0: a sixteenth of the memory, or
 * half of what is free now if that is less. Errors: OS, NO_MEMORY.
 */
RRS_MUST_CHECK struct rrs_error *rrs_memory_guard_create(uint64_t keep_free_bytes,
                                                         struct rrs_memory_guard **guard);
/** NULL is fine. */
void rrs_memory_guard_destroy(struct rrs_memory_guard *guard);

/** Adds a process group that is to be killed; it has to live as long as the guard. */
void rrs_memory_guard_add(struct rrs_memory_guard *guard, pid_t group);

/** Error once memory was short: UNSUPPORTED. */
RRS_MUST_CHECK struct rrs_error *rrs_memory_guard_check(const struct rrs_memory_guard *guard);

/** What `error`, which may be NULL, really comes from: that one is freed if another is returned. */
RRS_MUST_CHECK struct rrs_error *rrs_memory_guard_explain(const struct rrs_memory_guard *guard,
                                                          struct rrs_error *error);

#endif
