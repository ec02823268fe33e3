/* SPDX-License-Identifier: MIT */
#ifndef RRS_ENGINE_SYSCALLS_OUTPUTS_H
#define RRS_ENGINE_SYSCALLS_OUTPUTS_H
#include "engine/tracee/ptrace.h"
struct rrs_memory_reader {
    size_t (*read)(void *context, rrs_addr addr, void *buf, size_t bytes);
    void *context;
};
struct rrs_syscall {
    int number;
    uint64_t args[6];
    int64_t result;
};
struct rrs_memory_range {
    rrs_addr addr;
    size_t bytes;
};
struct rrs_error *rrs_syscall_outputs(const struct rrs_syscall *call,
                                      const struct rrs_memory_reader *memory,
                                      struct rrs_error *(*visit)(void *, const struct rrs_memory_range *),
                                      void *context);
#endif
