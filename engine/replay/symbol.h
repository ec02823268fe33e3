/* SPDX-License-Identifier: MIT */
/* Addresses of the recorded program in words, from the files that the trace holds. */
#ifndef RRS_ENGINE_REPLAY_SYMBOL_H
#define RRS_ENGINE_REPLAY_SYMBOL_H

#include "engine/replay/replayer.h"

/**
 * Writes "0x401136 (main+0x10 in /bin/prog)" for `pc` in the task's address space, or as much of it
 * as is known, cut to `bytes`. What a trace has in it goes out with no control characters.
 */
void rrs_replay_describe_pc(const struct rrs_replayer *replayer, const struct rrs_replay_task *task,
                            rrs_addr pc, char *buffer, size_t bytes);

#endif
