/* SPDX-License-Identifier: MIT */
/*
 * Shadow code for single instructions. Two rules shape it: no stretch of shadow code may touch the
 * program's stack or memory in a way that the program's own instruction does not, and registers go
 * through cells at fixed addresses, because shadow code has neither a stack nor a register to
 * spare.
 */
#include "engine/arch/x86_64/lower_internal.h"

#include <assert.h>

/*
 * reg = the app address `target`, flags kept. Where the module's place differs from one address
 * space to the next, two displacements reach all that its code can refer to.
 */
bool rrs_emit_address(struct rrs_emitter *e, enum rrs_register reg, int64_t target)
{
    enum { LEA_BYTES = 7 };
    int64_t distance = target - (e->here + LEA_BYTES);
    if (rrs_fits_rel32(distance)) {
        rrs_emit_lea_rip(e, reg, target);
        return true;
    }
    if (e->based) {
        uint64_t address = e->base + (uint64_t)target;
        EMIT(e, 0x48 | (reg >> 3), 0xb8 | (reg & 7)); /* mov reg, imm64 */
        rrs_emit_bytes(e, &address, sizeof address);
        return true;
    }
    int64_t first = distance < 0 ? INT32_MIN : INT32_MAX;
    if (!rrs_fits_rel32(distance - first))
        return false;
    rrs_emit_lea_rip(e, reg, e->here + LEA_BYTES + first);
    EMIT(e, 0x48 | (reg >> 3) * 5, 0x8d, 0x80 | (reg & 7) * 9); /* lea reg, [reg + rest] */
    rrs_emit_u32(e, (uint32_t)(distance - first));
    return true;
}

void rrs_emit_code_address(struct rrs_emitter *e, enum rrs_register reg, int64_t target)
{
    bool reached = rrs_emit_address(e, reg, target);
    assert(reached && "a code cache lies out of reach of its own code");
    (void)reached;
}

/* Leaves by a system call that no kernel has, with the registers that it overwrites in cells. */
void rrs_emit_exit_call(struct rrs_emitter *e)
{
    rrs_emit_store_cell(e, RAX, CELL(exit_rax));
    rrs_emit_store_cell(e, RCX, CELL(exit_rcx));
    rrs_emit_store_cell(e, R11, CELL(exit_r11));
    EMIT(e, 0xb8); /* mov eax, number */
    rrs_emit_u32(e, 0x7fffffff);
    EMIT(e, 0x0f, 0x05);
}

void rrs_lower_prologue(struct rrs_emitter *e, struct rrs_prologue *prologue)
{
    int64_t start = e->here;
    EMIT(e, 0x0f, 0x0b); /* ud2: offset 0 is never a shadow PC */
    prologue->exit_common = (uint32_t)(e->here - start);
    rrs_emit_exit_call(e);
    prologue->exit_stop = (uint32_t)(e->here - start);
    EMIT(e, 0x0f, 0x0b);
    prologue->miss_call = (uint32_t)(e->here - start);
    EMIT(e, 0xff, 0x24, 0x25); /* jmp [miss_call] */
    rrs_emit_u32(e, e->runtime + RRS_RUNTIME_CODE + RRS_CODE_MISS_CALL_ENTRY);
    prologue->bytes = (uint32_t)(e->here - start);
}

bool rrs_emit_moved(struct rrs_emitter *e, const struct rrs_insn *insn, int64_t app_next)
{
    uint8_t bytes[RRS_INSN_MAX_BYTES];
    memcpy(bytes, insn->bytes, insn->length);
    if (insn->disp_offset) {
        int64_t distance = app_next + insn->disp - (e->here + insn->length);
        if (!rrs_fits_rel32(distance))
            return false;
        int32_t disp = (int32_t)distance;
        memcpy(bytes + insn->disp_offset, &disp, sizeof disp);
    }
    rrs_emit_bytes(e, bytes, insn->length);
    return true;
}

/* Index of the first byte that is not a legacy prefix. */
static int legacy_prefixes(const struct rrs_insn *insn)
{
    static const uint8_t prefixes[] = {0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65,
                                       0x66, 0x67, 0xf0, 0xf2, 0xf3};
    int at = 0;
    while (at < insn->opcode_offset && memchr(prefixes, insn->bytes[at], sizeof prefixes))
        at++;
    return at;
}

enum vector_prefix { NO_VECTOR_PREFIX, VEX2, VEX3, EVEX };

static enum vector_prefix vector_prefix(const struct rrs_insn *insn, int at)
{
    enum { XOP_BYTES = 3 }; /* laid out as VEX3; its first byte is also the opcode of pop */
    switch (insn->bytes[at]) {
    case 0xc5:
        return VEX2;
    case 0xc4:
        return VEX3;
    case 0x8f:
        return insn->opcode_offset == at + XOP_BYTES ? VEX3 : NO_VECTOR_PREFIX;
    case 0x62:
        return EVEX;
    default:
        return NO_VECTOR_PREFIX;
    }
}

struct lent_register {
    enum rrs_register reg;
    uint8_t state;
};

/*
 * A register that an instruction with a RIP-relative operand does not use. It names at most two,
 * in ModRM.reg and in VEX.vvvv (compared without their upper bits: a match too many does no harm);
 * none of these three is used by any without being named, except rbx by cmpxchg16b, whose ModRM.reg
 * is 1.
 */
static struct lent_register choose_lent(const struct rrs_insn *insn)
{
    static const struct lent_register choices[] = {
        {RSI, RRS_MAP_LENT_RSI}, {RDI, RRS_MAP_LENT_RDI}, {RBX, RRS_MAP_LENT_RBX}};
    int at = legacy_prefixes(insn);
    enum vector_prefix prefix = vector_prefix(insn, at);
    int named[2] = {insn->bytes[insn->modrm_offset] >> 3 & 7, -1};
    if (prefix != NO_VECTOR_PREFIX)
        named[1] = ~insn->bytes[at + (prefix == VEX2 ? 1 : 2)] >> 3 & 7;
    int i = 0;
    while ((int)choices[i].reg == named[0] || (int)choices[i].reg == named[1])
        i++;
    return choices[i];
}

void rrs_emit_with_operand_at(struct rrs_emitter *e, const struct rrs_insn *insn,
                              enum rrs_register reg)
{
    enum { DISP_BYTES = 4, EVEX_XB = 0x60, VEX_B = 0x20, REX_B = 1 };
    uint8_t bytes[RRS_INSN_MAX_BYTES];
    memcpy(bytes, insn->bytes, insn->length);
    int at = legacy_prefixes(insn);
    switch (vector_prefix(insn, at)) {
    case VEX2:
        break;
    case VEX3:
        bytes[at + 1] |= VEX_B; /* stored inverted */
        break;
    case EVEX:
        bytes[at + 1] |= EVEX_XB;
        break;
    case NO_VECTOR_PREFIX:
        if (at < insn->opcode_offset && (bytes[at] & 0xf0) == 0x40)
            bytes[at] &= ~REX_B;
        break;
    }
    bytes[insn->modrm_offset] = (uint8_t)((bytes[insn->modrm_offset] & 0x38) | reg);
    rrs_emit_bytes(e, bytes, insn->disp_offset);
    uint8_t tail = insn->disp_offset + DISP_BYTES;
    rrs_emit_bytes(e, insn->bytes + tail, insn->length - tail);
}

bool rrs_lower_plain(struct rrs_emitter *e, const struct rrs_insn *insn, int64_t app_next,
                     struct rrs_map_writer *map)
{
    if (rrs_emit_moved(e, insn, app_next))
        return true;
    struct rrs_emitter before = *e;
    struct lent_register lent = choose_lent(insn);
    rrs_emit_store_cell(e, lent.reg, CELL(lent));
    const uint8_t *stored = e->out;
    if (!rrs_emit_address(e, lent.reg, app_next + insn->disp)) {
        *e = before;
        return false;
    }
    rrs_map_state(map, stored, lent.state);
    rrs_emit_with_operand_at(e, insn, lent.reg);
    rrs_map_effect(map, e->out, insn->length);
    rrs_emit_load_cell(e, lent.reg, CELL(lent));
    return true;
}

void rrs_lower_exit_with_rcx(struct rrs_emitter *e, uint32_t exit_id, int64_t exit_common)
{
    rrs_emit_load_cell(e, RCX, CELL(lookup_rcx));
    rrs_lower_exit(e, exit_id, exit_common);
}

void rrs_lower_exit(struct rrs_emitter *e, uint32_t exit_id, int64_t exit_common)
{
    rrs_emit_set_cell(e, CELL(exit_id), exit_id);
    rrs_emit_jmp(e, exit_common);
}

/*
 * rcx and r11 are free here: the system call overwrites both. The class is looked up without
 * touching the flags, which the call reports in r11. The traced call is made by an instruction of
 * the site's own, so that the kernel can restart it, and end it, without a further stop.
 */
int64_t rrs_lower_syscall(struct rrs_emitter *e, uint32_t exit_id, int64_t app_next)
{
    EMIT(e, 0x0f, 0xb7, 0xc8); /* movzx ecx, ax */
    EMIT(e, 0x0f, 0xb6, 0x89); /* movzx ecx, byte [classes + rcx] */
    rrs_emit_u32(e, e->runtime + RRS_RUNTIME_CLASSES);
    EMIT(e, 0xe3, 22); /* jrcxz over the untraced path: 7 + 8 + 7 bytes */
    int64_t after = e->here + 22 + 11 + 2;
    rrs_emit_lea_rip(e, RCX, after);
    rrs_emit_store_cell(e, RCX, CELL(return_address));
    EMIT(e, 0xff, 0x24, 0x25); /* jmp [untraced entry] */
    rrs_emit_u32(e, e->runtime + RRS_RUNTIME_CODE + RRS_CODE_UNTRACED_ENTRY);
    rrs_emit_set_cell(e, CELL(exit_id), exit_id);
    EMIT(e, 0x0f, 0x05);
    rrs_emit_code_address(e, RCX, app_next);
    return after;
}

/* mov ecx, [app]; lea ecx, [rcx - expected]; jrcxz +5; jmp failure */
static uint8_t *emit_check_piece(struct rrs_emitter *e, int64_t app, const uint8_t *bytes,
                                 uint32_t count)
{
    enum { LOAD_BYTES_MAX = 7, AT_RIP = 0x0d, AT_RCX = 0x09 };
    uint32_t expected = 0;
    memcpy(&expected, bytes, count);
    bool near = rrs_fits_rel32(app - e->here - LOAD_BYTES_MAX) && rrs_fits_rel32(app - e->here);
    uint8_t operand = near ? AT_RIP : AT_RCX;
    if (!near)
        rrs_emit_code_address(e, RCX, app);
    if (count == 4)
        EMIT(e, 0x8b, operand); /* mov ecx, dword */
    else if (count == 2)
        EMIT(e, 0x0f, 0xb7, operand); /* movzx ecx, word */
    else
        EMIT(e, 0x0f, 0xb6, operand); /* movzx ecx, byte */
    if (near)
        rrs_emit_rel32(e, app, 0);
    EMIT(e, 0x8d, 0x89);
    rrs_emit_u32(e, -expected);
    EMIT(e, 0xe3, 5, 0xe9);
    return rrs_emit_open_rel32(e);
}

uint32_t rrs_lower_check(struct rrs_emitter *e, int64_t app, const uint8_t *bytes, uint32_t count,
                         struct rrs_map_writer *map, uint8_t *failures[RRS_CHECK_MAX_FAILURES])
{
    uint32_t pieces = 0;
    rrs_emit_store_cell(e, RCX, CELL(lookup_rcx));
    rrs_map_state(map, e->out, RRS_MAP_RCX_IN_CELL);
    for (uint32_t at = 0; at < count;) {
        uint32_t left = count - at;
        uint32_t size = left >= 4 ? 4 : left >= 2 ? 2 : 1;
        failures[pieces++] = emit_check_piece(e, app + at, bytes + at, size);
        at += size;
    }
    rrs_emit_load_cell(e, RCX, CELL(lookup_rcx));
    rrs_map_state(map, e->out, 0);
    return pieces;
}

uint8_t *rrs_lower_xsave_check(struct rrs_emitter *e)
{
    rrs_emit_store_cell(e, RCX, CELL(lookup_rcx));
    EMIT(e, 0x0f, 0xb6, 0xc8); /* movzx ecx, al */
    EMIT(e, 0x0f, 0xb6, 0x89); /* movzx ecx, byte [odd + rcx] */
    rrs_emit_u32(e, e->runtime + RRS_RUNTIME_ODD);
    EMIT(e, 0xe3, 13); /* jrcxz over the next two */
    rrs_emit_load_cell(e, RCX, CELL(lookup_rcx));
    uint8_t *displacement = rrs_lower_jmp(e);
    rrs_emit_load_cell(e, RCX, CELL(lookup_rcx));
    return displacement;
}

void rrs_patch_rel32(uint8_t *displacement, int64_t at, int64_t target)
{
    int32_t distance = (int32_t)(target - (at + 4));
    memcpy(displacement, &distance, sizeof distance);
}
