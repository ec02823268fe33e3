/* SPDX-License-Identifier: MIT */
/* Which memory an instruction is going to read and write. */
#ifndef RRS_ENGINE_ARCH_X86_64_ACCESSES_H
#define RRS_ENGINE_ARCH_X86_64_ACCESSES_H

#include "engine/arch/x86_64/decode.h"

#include <sys/user.h>

struct rrs_access {
    uint64_t start, end; /* end is exclusive */
    bool reads, writes;
};

enum { RRS_ACCESSES_MAX = 10 }; /* as many operands as Zydis knows of any instruction */

/**
 * What the program's instruction at `regs->rip` accesses when it executes with `regs`; returns how
 * many of `accesses` are filled. Of a repeated string instruction, all that its count allows.
 * Elements of gathers and scatters are not included, nor what the kernel does for a system call.
 */
uint32_t rrs_insn_accesses(const struct rrs_insn *insn, const struct user_regs_struct *regs,
                           struct rrs_access accesses[RRS_ACCESSES_MAX]);

#endif
