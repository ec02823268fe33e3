/* SPDX-License-Identifier: MIT */
/*
 * A call whose outputs go elsewhere first: which of its memory is exchanged for scratch memory, and
 * which pointers have to lead there. The plan is made from the table (table.h) and from what the
 * program handed over; nothing is written here, and no tracee is needed.
 */
#ifndef RRS_ENGINE_SYSCALLS_REDIRECT_H
#define RRS_ENGINE_SYSCALLS_REDIRECT_H

#include "engine/syscalls/outputs.h"

/* A range of the program's memory, and its place in scratch memory. */
struct rrs_redirected_part {
    rrs_addr app;
    uint64_t bytes;
    uint64_t at;      /* offset in scratch memory */
    bool filled;      /* it holds what the program's memory holds when the call is made */
    bool written;     /* by the kernel; else it is only read, from the copy */
    bool events_only; /* of each 8 bytes, the last two: pollfd.revents */
};

/* Eight bytes of a filled part that lead to scratch memory: where they are, and to what offset. */
struct rrs_redirected_pointer {
    uint64_t at, target;
    uint64_t app; /* what stands there otherwise */
};

struct rrs_redirection {
    struct rrs_redirected_part *parts;
    size_t part_count, part_room;
    struct rrs_redirected_pointer *pointers;
    size_t pointer_count, pointer_room;
    bool replaced[6];    /* argument i points to scratch memory, */
    uint64_t targets[6]; /*   to this offset */
    uint64_t bytes;      /* of scratch memory, in all */
};

/**
 * Plans the redirection of all that `call` may write. False, and nothing to free, if it writes
 * nothing, if something of it cannot be redirected (memory that no table describes, ranges that
 * overlap, pointers that cannot be followed), or if it takes more than `most` bytes.
 */
bool rrs_redirection_plan(const struct rrs_syscall *call, const struct rrs_memory_reader *memory,
                          uint64_t most, struct rrs_redirection *plan);
void rrs_redirection_deinit(struct rrs_redirection *plan);

#endif
