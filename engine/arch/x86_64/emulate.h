/* SPDX-License-Identifier: MIT */
/* What the engine does itself for instructions that shadow code cannot simply repeat. */
#ifndef RRS_ENGINE_ARCH_X86_64_EMULATE_H
#define RRS_ENGINE_ARCH_X86_64_EMULATE_H

#include "engine/arch/x86_64/decode.h"

#include <sys/user.h>

/**
 * Carries out rdtsc, rdtscp, cpuid or xgetbv on `regs` (rip excepted). False for anything else.
 * `cpu_level` 1..3 hides what is above x86-64 baseline, v2, v3; 0 hides nothing.
 */
bool rrs_emulate_trapped(uint8_t trapped_op, uint32_t cpu_level, struct user_regs_struct *regs);

/** The general register with that number as instructions encode it: 0 is rax, 15 r15. */
uint64_t rrs_register_value(const struct user_regs_struct *regs, int number);

/** The address of the memory operand. `regs` are those before the instruction. */
uint64_t rrs_operand_address(const struct rrs_insn *insn, const struct user_regs_struct *regs);

/* A field of the memory image that fnstenv, fnsave, fxsave or xsave stores. */
struct rrs_x87_pointer_field {
    uint32_t offset, bytes;
};

/** Which fields hold the x87 instruction and data pointers and the opcode; returns how many. */
int rrs_x87_pointer_fields(const struct rrs_insn *insn, struct rrs_x87_pointer_field fields[2]);

/** RFLAGS after a user-mode iretq or popfq loads `value` over `old` (SDM vol. 2, IRET, POPF). */
uint64_t rrs_loaded_flags(uint64_t old, uint64_t value);

#endif
