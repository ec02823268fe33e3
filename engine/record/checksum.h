/* SPDX-License-Identifier: MIT */
/*
 * Checksums of registers and memory behind events, for replay to compare. At each event all pages
 * of the task's address space are hashed that the program can have written: those of private
 * mappings that are no file's any more, and those of shared mappings that it may write to. That is
 * slow, and meant for proof.
 */
#ifndef RRS_ENGINE_RECORD_CHECKSUM_H
#define RRS_ENGINE_RECORD_CHECKSUM_H

#include "engine/record/recorder.h"

struct rrs_recorded_sums;

RRS_MUST_CHECK struct rrs_error *rrs_recorded_sums_create(struct rrs_recorded_sums **sums);
/** NULL is fine. */
void rrs_recorded_sums_destroy(struct rrs_recorded_sums *sums);

/**
 * Adds a checksum to the event that is being made, if they were asked for: `regs` are the task's
 * app registers behind the event, its memory is as it is behind the event.
 */
RRS_MUST_CHECK struct rrs_error *rrs_recorder_add_checksum(struct rrs_recorder *recorder,
                                                           const struct rrs_task *task,
                                                           const struct user_regs_struct *regs);

#endif
