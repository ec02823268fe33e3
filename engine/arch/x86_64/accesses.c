/* SPDX-License-Identifier: MIT */
#include "engine/arch/x86_64/accesses.h"

#include "engine/arch/x86_64/emulate.h"

#include <Zydis/Zydis.h>

static uint64_t value_of(ZydisRegister reg, const struct rrs_insn *insn,
                         const struct user_regs_struct *regs)
{
    if (reg == ZYDIS_REGISTER_NONE)
        return 0;
    if (reg == ZYDIS_REGISTER_RIP || reg == ZYDIS_REGISTER_EIP)
        return regs->rip + insn->length;
    return rrs_register_value(regs, ZydisRegisterGetId(reg));
}

static uint64_t segment_base(ZydisRegister segment, const struct user_regs_struct *regs)
{
    return segment == ZYDIS_REGISTER_FS   ? regs->fs_base
           : segment == ZYDIS_REGISTER_GS ? regs->gs_base
                                          : 0;
}

/* A push writes below the stack pointer; Zydis names the place by the pointer alone. */
static bool is_pushed(const ZydisDecodedOperand *operand)
{
    return operand->visibility == ZYDIS_OPERAND_VISIBILITY_HIDDEN &&
           operand->mem.base == ZYDIS_REGISTER_RSP &&
           (operand->actions & ZYDIS_OPERAND_ACTION_MASK_WRITE);
}

static uint64_t address_of(const ZydisDecodedInstruction *z, const ZydisDecodedOperand *operand,
                           const struct rrs_insn *insn, const struct user_regs_struct *regs)
{
    uint64_t address = value_of(operand->mem.base, insn, regs) +
                       value_of(operand->mem.index, insn, regs) * operand->mem.scale +
                       (uint64_t)operand->mem.disp.value;
    if (z->address_width == 32)
        address = (uint32_t)address;
    if (is_pushed(operand))
        address -= operand->size / 8;
    return address + segment_base(operand->mem.segment, regs);
}

/* How often a string instruction is executed. */
static uint64_t repetitions(const ZydisDecodedInstruction *z, const struct user_regs_struct *regs)
{
    enum { REPEATS = ZYDIS_ATTRIB_HAS_REP | ZYDIS_ATTRIB_HAS_REPE | ZYDIS_ATTRIB_HAS_REPNE };
    if (z->meta.category != ZYDIS_CATEGORY_STRINGOP || !(z->attributes & REPEATS))
        return 1;
    return z->address_width == 32 ? (uint32_t)regs->rcx : regs->rcx;
}

static bool is_accessed(const ZydisDecodedOperand *operand)
{
    return operand->type == ZYDIS_OPERAND_TYPE_MEMORY &&
           operand->mem.type == ZYDIS_MEMOP_TYPE_MEM && operand->size;
}

uint32_t rrs_insn_accesses(const struct rrs_insn *insn, const struct user_regs_struct *regs,
                           struct rrs_access accesses[RRS_ACCESSES_MAX])
{
    enum { DIRECTION_FLAG = 0x400 };
    _Static_assert((int)RRS_ACCESSES_MAX >= ZYDIS_MAX_OPERAND_COUNT, "room for all operands");
    ZydisDecoder decoder;
    ZydisDecodedInstruction z;
    ZydisDecodedOperand operands[ZYDIS_MAX_OPERAND_COUNT];
    uint32_t count = 0;
    ZydisDecoderInit(&decoder, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
    if (!ZYAN_SUCCESS(ZydisDecoderDecodeFull(&decoder, insn->bytes, insn->length, &z, operands)) ||
        z.meta.category == ZYDIS_CATEGORY_PREFETCH || z.meta.category == ZYDIS_CATEGORY_NOP ||
        z.meta.category == ZYDIS_CATEGORY_WIDENOP)
        return 0;
    uint64_t times = repetitions(&z, regs);
    for (int i = 0; times && i < z.operand_count; i++) {
        const ZydisDecodedOperand *operand = &operands[i];
        if (!is_accessed(operand))
            continue;
        uint64_t size = operand->size / 8, start = address_of(&z, operand, insn, regs);
        if (times > 1 && (regs->eflags & DIRECTION_FLAG))
            start -= (times - 1) * size;
        accesses[count++] = (struct rrs_access){
            .start = start,
            .end = start + times * size,
            .reads = operand->actions & ZYDIS_OPERAND_ACTION_MASK_READ,
            .writes = operand->actions & ZYDIS_OPERAND_ACTION_MASK_WRITE,
        };
    }
    return count;
}
