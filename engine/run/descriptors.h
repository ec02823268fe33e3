/* SPDX-License-Identifier: MIT */
/* Files of the tracer's in the descriptor table of a task. */
#ifndef RRS_ENGINE_RUN_DESCRIPTORS_H
#define RRS_ENGINE_RUN_DESCRIPTORS_H

#include "engine/run/session.h"

enum { RRS_GIVE_SCRATCH_BYTES = 128 };

/**
 * Gives the task a close-on-exec descriptor of the tracer's memfd `fd`, opened with `access`
 * (O_RDONLY, O_RDWR; `fd` itself must allow as much). Injects calls. The task's memory at `scratch`
 * (RRS_GIVE_SCRATCH_BYTES, writable) is overwritten. Works whatever has become of the task's
 * credentials, root, namespaces and limit of descriptors.
 */
RRS_MUST_CHECK struct rrs_error *rrs_give_descriptor(struct rrs_session *session,
                                                     struct rrs_task *task, int fd, int access,
                                                     rrs_addr scratch, int64_t *in_task);

/** Where the tracer's memfd `fd` is to appear in a task. */
struct rrs_file_mapping {
    rrs_addr start;
    uint64_t size_bytes, offset_bytes;
    uint64_t prot; /* as the program sees it: the kernel gets rrs_real_protection() */
    bool shared;   /* else private */
};

/** Maps a piece of `fd` into the task, which is left with no descriptor of it. Injects calls. */
RRS_MUST_CHECK struct rrs_error *rrs_map_file(struct rrs_session *session, struct rrs_task *task,
                                              int fd, const struct rrs_file_mapping *mapping);

#endif
