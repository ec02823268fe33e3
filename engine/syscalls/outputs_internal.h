/* SPDX-License-Identifier: MIT */
/* What outputs.c shares with the files that follow kinds of data. */
#ifndef RRS_ENGINE_SYSCALLS_OUTPUTS_INTERNAL_H
#define RRS_ENGINE_SYSCALLS_OUTPUTS_INTERNAL_H

#include "engine/syscalls/outputs.h"
#include "engine/syscalls/table.h"

struct rrs_outputs {
    const struct rrs_syscall *call;
    const struct rrs_syscall_shape *shape;
    const struct rrs_memory_reader *memory;
    rrs_range_visitor *visit;
    void *context;
    bool at_entry;
    bool whole; /* the most that can be written: at entry, and after EFAULT */
};

/** Reads all of it, or returns false. */
bool rrs_outputs_read(const struct rrs_outputs *o, rrs_addr addr, void *buffer, size_t bytes);

/** The number at an address; 0 if it cannot be read. */
uint32_t rrs_outputs_read32(const struct rrs_outputs *o, rrs_addr addr);
uint64_t rrs_outputs_read64(const struct rrs_outputs *o, rrs_addr addr);

/** Visits a range, unless it is empty or NULL. */
RRS_MUST_CHECK struct rrs_error *rrs_outputs_range(const struct rrs_outputs *o, rrs_addr addr,
                                                   uint64_t bytes);
RRS_MUST_CHECK struct rrs_error *rrs_outputs_unsure(const struct rrs_outputs *o, rrs_addr addr,
                                                    uint64_t bytes,
                                                    enum rrs_range_certainty certainty);

/** Visits the first `bytes` of the ranges in a vector. */
RRS_MUST_CHECK struct rrs_error *rrs_outputs_vector(const struct rrs_outputs *o, rrs_addr vector,
                                                    uint64_t count, uint64_t bytes);

/** Follows an argument whose kind is not just memory; NULL for other kinds. */
typedef struct rrs_error *rrs_output_follower(const struct rrs_outputs *o,
                                              const struct rrs_argument *argument, rrs_addr addr);
rrs_output_follower *rrs_output_follower_of(enum rrs_argument_kind kind);

/** The elements that `argument` has in this call. */
uint64_t rrs_outputs_count(const struct rrs_outputs *o, const struct rrs_argument *argument,
                           rrs_addr addr);

/* Followers that have a file of their own. */
rrs_output_follower rrs_follow_msghdr, rrs_follow_mmsghdr, rrs_follow_mmsghdr_sent;
rrs_output_follower rrs_follow_bpf_attr, rrs_follow_sg_io_hdr, rrs_follow_fiemap, rrs_follow_dedupe,
    rrs_follow_zone_report, rrs_follow_ifconf;

#endif
