/* SPDX-License-Identifier: MIT */
#include "engine/arch/x86_64/emulate.h"

#include "engine/arch/x86_64/features.h"

#include <string.h>
#include <x86intrin.h>

static void emulate_cpuid(uint32_t level, struct user_regs_struct *regs)
{
    uint32_t out[RRS_CPUID_REGISTERS];
    rrs_cpuid(level, (uint32_t)regs->rax, (uint32_t)regs->rcx, out);
    regs->rax = out[RRS_CPUID_EAX];
    regs->rbx = out[RRS_CPUID_EBX];
    regs->rcx = out[RRS_CPUID_ECX];
    regs->rdx = out[RRS_CPUID_EDX];
}

static void set_pair(struct user_regs_struct *regs, uint64_t value)
{
    regs->rax = (uint32_t)value;
    regs->rdx = value >> 32;
}

bool rrs_emulate_trapped(uint8_t trapped_op, uint32_t cpu_level, struct user_regs_struct *regs)
{
    unsigned auxiliary;
    switch (trapped_op) {
    case RRS_TRAPPED_RDTSC:
        set_pair(regs, __rdtsc());
        return true;
    case RRS_TRAPPED_RDTSCP:
        set_pair(regs, __rdtscp(&auxiliary));
        regs->rcx = auxiliary;
        return true;
    case RRS_TRAPPED_CPUID:
        emulate_cpuid(cpu_level, regs);
        return true;
    case RRS_TRAPPED_XGETBV:
        if ((uint32_t)regs->rcx != 0)
            return false; /* others are executed: xinuse, or a fault */
        set_pair(regs, rrs_xcr0(cpu_level));
        return true;
    default:
        return false;
    }
}

uint64_t rrs_register_value(const struct user_regs_struct *regs, int number)
{
    const unsigned long long values[] = {
        regs->rax, regs->rcx, regs->rdx, regs->rbx, regs->rsp, regs->rbp, regs->rsi, regs->rdi,
        regs->r8,  regs->r9,  regs->r10, regs->r11, regs->r12, regs->r13, regs->r14, regs->r15,
    };
    return values[number & 15];
}

struct prefixes {
    uint8_t rex;
    uint64_t segment_base;
    bool address32;
};

static struct prefixes scan_prefixes(const struct rrs_insn *insn,
                                     const struct user_regs_struct *regs)
{
    struct prefixes found = {0};
    for (int i = 0; i < insn->opcode_offset; i++) {
        uint8_t byte = insn->bytes[i];
        bool is_rex = (byte & 0xf0) == 0x40;
        if (is_rex || byte != 0x0f)
            found.rex = is_rex ? byte : 0; /* none if another prefix follows it */
        if (byte == 0x64)
            found.segment_base = regs->fs_base;
        else if (byte == 0x65)
            found.segment_base = regs->gs_base;
        else if (byte == 0x67)
            found.address32 = true;
    }
    return found;
}

static int64_t read_disp(const uint8_t *at, int bytes)
{
    int32_t wide = 0;
    if (bytes == 1)
        return (int8_t)*at;
    if (bytes == 4)
        memcpy(&wide, at, 4);
    return wide;
}

/* SDM vol. 2 §2.1.5, tables 2-2 and 2-3. */
uint64_t rrs_operand_address(const struct rrs_insn *insn, const struct user_regs_struct *regs)
{
    struct prefixes prefixes = scan_prefixes(insn, regs);
    const uint8_t *at = insn->bytes + insn->modrm_offset;
    int mod = *at >> 6, rm = *at & 7;
    uint64_t address = 0;
    at++;
    if (insn->disp_offset)
        return regs->rip + insn->length + (uint64_t)(int64_t)insn->disp + prefixes.segment_base;
    int disp_bytes = mod == 1 ? 1 : mod == 2 ? 4 : 0;
    if (rm == 4) {
        uint8_t sib = *at++;
        int index = (sib >> 3 & 7) | (prefixes.rex & 2) << 2;
        int base = (sib & 7) | (prefixes.rex & 1) << 3;
        if (index != 4)
            address += rrs_register_value(regs, index) << (sib >> 6);
        if ((sib & 7) == 5 && mod == 0)
            disp_bytes = 4;
        else
            address += rrs_register_value(regs, base);
    } else {
        address += rrs_register_value(regs, rm | (prefixes.rex & 1) << 3);
    }
    address += (uint64_t)read_disp(at, disp_bytes);
    if (prefixes.address32)
        address = (uint32_t)address;
    return address + prefixes.segment_base;
}

int rrs_x87_pointer_fields(const struct rrs_insn *insn, struct rrs_x87_pointer_field fields[2])
{
    uint8_t opcode = insn->bytes[insn->opcode_offset];
    if (opcode == 0xd9 || opcode == 0xdd) { /* fnstenv, fnsave: SDM vol. 1 figure 8-9 */
        fields[0] = (struct rrs_x87_pointer_field){12, 16};
        return 1;
    }
    fields[0] = (struct rrs_x87_pointer_field){6, 2}; /* SDM vol. 1 table 10-2: FOP; FIP and FDP */
    fields[1] = (struct rrs_x87_pointer_field){8, 16};
    return 2;
}

uint64_t rrs_loaded_flags(uint64_t old, uint64_t value)
{
    enum { USER = 0x244dd5 }; /* CF PF AF ZF SF TF DF OF NT AC ID */
    return (old & ~(uint64_t)USER) | (value & USER);
}
