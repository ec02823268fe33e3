/* SPDX-License-Identifier: MIT */
#include "engine/arch/x86_64/transfer.h"

#include "engine/arch/x86_64/emulate.h"

/* SDM vol. 2 appendix B, table B-10: the even conditions; odd ones are their opposites. */
static bool condition_holds(uint8_t condition, uint64_t flags)
{
    bool carry = flags & RRS_FLAG_CF, zero = flags & RRS_FLAG_ZF, sign = flags & RRS_FLAG_SF;
    bool overflow = flags & RRS_FLAG_OF, parity = flags & RRS_FLAG_PF;
    const bool even[] = {overflow,
                         carry,
                         zero,
                         carry || zero,
                         sign,
                         parity,
                         sign != overflow,
                         zero || sign != overflow};
    return even[condition >> 1 & 7] != (condition & 1);
}

static bool has_prefix(const struct rrs_insn *insn, uint8_t prefix)
{
    for (int i = 0; i < insn->opcode_offset; i++)
        if (insn->bytes[i] == prefix)
            return true;
    return false;
}

/* loopne, loope, loop, jrcxz: opcodes e0 to e3. True if it jumps. */
static bool run_loop(const struct rrs_insn *insn, struct user_regs_struct *regs)
{
    enum { LOOPNE = 0xe0, LOOPE = 0xe1, JRCXZ = 0xe3, ADDRESS_SIZE = 0x67 };
    uint8_t opcode = insn->bytes[insn->opcode_offset];
    bool narrow = has_prefix(insn, ADDRESS_SIZE), zero = regs->eflags & RRS_FLAG_ZF;
    uint64_t count = narrow ? (uint32_t)regs->rcx : regs->rcx;
    if (opcode == JRCXZ)
        return count == 0;
    count--;
    regs->rcx = narrow ? (uint32_t)count : count;
    count = regs->rcx;
    if ((opcode == LOOPNE && zero) || (opcode == LOOPE && !zero))
        return false;
    return count != 0;
}

static bool is_canonical(uint64_t address)
{
    return address < 1ull << 47 || address >= ~0ull << 47;
}

static uint64_t register_operand(const struct rrs_insn *insn, const struct user_regs_struct *regs)
{
    uint8_t before = insn->opcode_offset ? insn->bytes[insn->opcode_offset - 1] : 0;
    bool extended = (before & 0xf1) == 0x41; /* REX.B */
    return rrs_register_value(regs, (insn->bytes[insn->modrm_offset] & 7) | (extended ? 8 : 0));
}

static bool target_of(const struct rrs_insn *insn, const struct rrs_transfer_memory *memory,
                      const struct user_regs_struct *regs, uint64_t *target)
{
    if (insn->bytes[insn->modrm_offset] >> 6 == 3) {
        *target = register_operand(insn, regs);
        return true;
    }
    return memory->read(memory->context, rrs_operand_address(insn, regs), target, sizeof *target);
}

/* What a call does besides the jump. */
static bool push(const struct rrs_transfer_memory *memory, struct user_regs_struct *regs,
                 uint64_t value)
{
    if (!memory->write(memory->context, regs->rsp - 8, &value, sizeof value))
        return false;
    regs->rsp -= 8;
    regs->eflags = (regs->eflags & ~(uint64_t)RRS_FLAGS_ARITHMETIC) | RRS_FLAGS_OF_CALLS;
    return true;
}

static bool run_return(const struct rrs_insn *insn, const struct rrs_transfer_memory *memory,
                       struct user_regs_struct *regs)
{
    uint64_t target;
    if (!memory->read(memory->context, regs->rsp, &target, sizeof target) || !is_canonical(target))
        return false;
    regs->rsp += 8 + insn->ret_bytes;
    regs->rip = target;
    return true;
}

/* To user code only; any other frame is a fault (SDM vol. 2, IRET). */
static bool run_iret(const struct rrs_transfer_memory *memory, struct user_regs_struct *regs)
{
    enum { RIP, CS, FLAGS, STACK, SS, WORDS, USER_CS = 0x33, USER_SS = 0x2b };
    uint64_t frame[WORDS];
    if (!memory->read(memory->context, regs->rsp, frame, sizeof frame) || frame[CS] != USER_CS ||
        frame[SS] != USER_SS || !is_canonical(frame[RIP]))
        return false;
    regs->rip = frame[RIP];
    regs->rsp = frame[STACK];
    regs->eflags = rrs_loaded_flags(regs->eflags, frame[FLAGS]);
    return true;
}

enum rrs_transfer_result rrs_emulate_transfer(const struct rrs_insn *insn,
                                              const struct rrs_transfer_memory *memory,
                                              struct user_regs_struct *regs)
{
    uint64_t next = regs->rip + insn->length, target = next + (uint64_t)insn->branch;
    struct user_regs_struct after = *regs;
    bool done = true;
    after.rip = target;
    switch ((enum rrs_insn_kind)insn->kind) {
    case RRS_INSN_JCC:
        after.rip = condition_holds(insn->condition, regs->eflags) ? target : next;
        break;
    case RRS_INSN_LOOP:
        after.rip = run_loop(insn, &after) ? target : next;
        break;
    case RRS_INSN_JMP:
        break;
    case RRS_INSN_XBEGIN:
        after.rax = 0; /* aborted, no reason given */
        break;
    case RRS_INSN_CALL:
        done = push(memory, &after, next);
        break;
    case RRS_INSN_JMP_INDIRECT:
    case RRS_INSN_CALL_INDIRECT:
        done = target_of(insn, memory, regs, &target) && is_canonical(target);
        if (done && insn->kind == RRS_INSN_CALL_INDIRECT)
            done = push(memory, &after, next);
        after.rip = target;
        break;
    case RRS_INSN_RET:
        done = run_return(insn, memory, &after);
        break;
    case RRS_INSN_IRET:
        done = run_iret(memory, &after);
        break;
    default:
        return RRS_TRANSFER_OTHER;
    }
    if (!done)
        return RRS_TRANSFER_FAULT;
    *regs = after;
    return RRS_TRANSFER_DONE;
}
