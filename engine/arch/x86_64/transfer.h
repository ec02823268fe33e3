/* SPDX-License-Identifier: MIT */
/* Transfers carried out by the engine, one at a time: for stepping through a replay. */
#ifndef RRS_ENGINE_ARCH_X86_64_TRANSFER_H
#define RRS_ENGINE_ARCH_X86_64_TRANSFER_H

#include "engine/arch/x86_64/decode.h"

#include <sys/user.h>

/* Access to the program's memory; false: a fault. */
struct rrs_transfer_memory {
    bool (*read)(void *context, uint64_t address, void *buffer, size_t size);
    bool (*write)(void *context, uint64_t address, const void *bytes, size_t size);
    void *context;
};

enum rrs_transfer_result {
    RRS_TRANSFER_DONE,
    RRS_TRANSFER_FAULT, /* the CPU would raise a signal; nothing is changed */
    RRS_TRANSFER_OTHER, /* no transfer, or one that is the engine's or the trace's */
};

/** Carries out a near jump, call or return: `regs` are those before it and, if done, behind it. */
enum rrs_transfer_result rrs_emulate_transfer(const struct rrs_insn *insn,
                                              const struct rrs_transfer_memory *memory,
                                              struct user_regs_struct *regs);

#endif
