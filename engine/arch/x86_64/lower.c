/* SPDX-License-Identifier: MIT */
/*
 * Shadow code for single instructions. Two rules shape it: no stretch of shadow code may touch the
 * program's stack or memory in a way that the program's own instruction does not, and registers go
 * through cells at fixed addresses, because shadow code has neither a stack nor a register to
 * spare.
 */
#include "engine/arch/x86_64/lower.h"

#include "engine/runtime/layout.h"

#include <assert.h>
#include <stddef.h>

#define CELL(field) (RRS_RUNTIME_CELLS + (uint32_t)offsetof(struct rrs_cells, field))

enum { L2_MASK = ((1 << RRS_L2_BITS) - 1) << 4 };

/*
 * Both levels are indexed by the low bits of the app PC: that takes no instruction which touches
 * the flags, and the entries of code that runs together share cache lines. (A CRC in its place
 * spread the entries better, and made sqlite 1.5 times slower.)
 */
uint32_t rrs_lookup_l1_slot(uint64_t app_pc)
{
    return app_pc & ((1 << RRS_L1_BITS) - 1);
}

uint32_t rrs_lookup_l2_slot(uint64_t app_pc)
{
    return app_pc & ((1 << RRS_L2_BITS) - 1);
}

static bool fits_rel32(int64_t distance)
{
    return distance == (int32_t)distance;
}

/*
 * reg = the app address `target`, flags kept. Where the module's place differs from one address
 * space to the next, two displacements reach all that its code can refer to.
 */
static bool emit_address(struct rrs_emitter *e, enum rrs_register reg, int64_t target)
{
    enum { LEA_BYTES = 7 };
    int64_t distance = target - (e->here + LEA_BYTES);
    if (fits_rel32(distance)) {
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
    if (!fits_rel32(distance - first))
        return false;
    rrs_emit_lea_rip(e, reg, e->here + LEA_BYTES + first);
    EMIT(e, 0x48 | (reg >> 3) * 5, 0x8d, 0x80 | (reg & 7) * 9); /* lea reg, [reg + rest] */
    rrs_emit_u32(e, (uint32_t)(distance - first));
    return true;
}

/* For addresses of the module's own code, which a cache is never so far away from. */
static void emit_code_address(struct rrs_emitter *e, enum rrs_register reg, int64_t target)
{
    bool reached = emit_address(e, reg, target);
    assert(reached && "a code cache lies out of reach of its own code");
    (void)reached;
}

/* rcx = app PC; rcx, rdx and rax stand in their cells. The first level, inline; flags are kept. */
static void emit_lookup(struct rrs_emitter *e, int64_t lookup)
{
    EMIT(e, 0x0f, 0xb7, 0xd1);       /* movzx edx, cx */
    EMIT(e, 0x8d, 0x14, 0x12);       /* lea edx, [rdx + rdx] */
    EMIT(e, 0x48, 0x8b, 0x04, 0xd5); /* mov rax, [rdx * 8 + L1] */
    rrs_emit_u32(e, e->runtime + RRS_RUNTIME_L1);
    EMIT(e, 0x48, 0x8d, 0x0c, 0x01);       /* lea rcx, [rcx + rax]: 0 if it is this one */
    EMIT(e, 0xe3, 3 + 5 + 8 + 5);          /* jrcxz found */
    EMIT(e, 0x48, 0xf7, 0xd0);             /* not rax */
    EMIT(e, 0x48, 0x8d, 0x4c, 0x01, 0x01); /* lea rcx, [rcx + rax + 1]: the app PC again */
    rrs_emit_load_cell(e, RAX, CELL(lookup_rax));
    rrs_emit_jmp(e, lookup);
    rrs_emit_load_cell(e, RAX, CELL(lookup_rax)); /* found: */
    EMIT(e, 0xff, 0x24, 0xd5);                    /* jmp [rdx * 8 + L1 + 8] */
    rrs_emit_u32(e, e->runtime + RRS_RUNTIME_L1 + 8);
}

void rrs_lower_indirect_entry(struct rrs_emitter *e)
{
    rrs_emit_load_cell(e, RDX, CELL(lookup_rdx));
    rrs_emit_load_cell(e, RCX, CELL(lookup_rcx));
}

static void emit_save_flags(struct rrs_emitter *e)
{
    EMIT(e, 0x9f, 0x0f, 0x90, 0xc0); /* lahf; seto al */
    rrs_emit_store_cell(e, RAX, CELL(lookup_flags));
}

static void emit_restore_flags(struct rrs_emitter *e)
{
    rrs_emit_load_cell(e, RAX, CELL(lookup_flags));
    EMIT(e, 0x04, 0x7f, 0x9e); /* add al, 127; sahf */
}

/* The search of the second level: rcx = app PC; rcx and rdx stand in their cells. */
static void emit_second_level(struct rrs_emitter *e, struct rrs_prologue *prologue, int64_t start)
{
    prologue->lookup = (uint32_t)(e->here - start);
    rrs_emit_store_cell(e, RAX, CELL(lookup_rax));
    emit_save_flags(e);
    EMIT(e, 0x89, 0xca, 0xc1, 0xe2, 4); /* mov edx, ecx; shl edx, 4 */
    int64_t loop = e->here;
    EMIT(e, 0x81, 0xe2); /* and edx, mask */
    rrs_emit_u32(e, L2_MASK);
    EMIT(e, 0x48, 0x8b, 0x82); /* mov rax, [rdx + L2] */
    rrs_emit_u32(e, e->runtime + RRS_RUNTIME_L2);
    EMIT(e, 0x48, 0x39, 0xc8); /* cmp rax, rcx */
    EMIT(e, 0x74, 0);          /* je found */
    uint8_t *found = e->out - 1;
    EMIT(e, 0x48, 0x85, 0xc0); /* test rax, rax */
    EMIT(e, 0x74, 0);          /* jz missed */
    uint8_t *missed = e->out - 1;
    EMIT(e, 0x83, 0xc2, 0x10); /* add edx, 16 */
    rrs_emit_jmp(e, loop);
    *found = (uint8_t)(e->out - found - 1);
    EMIT(e, 0x48, 0x8b, 0x82); /* mov rax, [rdx + L2 + 8] */
    rrs_emit_u32(e, e->runtime + RRS_RUNTIME_L2 + 8);
    rrs_emit_store_cell(e, RAX, CELL(lookup_target));
    emit_restore_flags(e);
    rrs_emit_load_cell(e, RAX, CELL(lookup_rax));
    EMIT(e, 0xff, 0x24, 0x25); /* jmp [lookup_target] */
    rrs_emit_u32(e, e->runtime + CELL(lookup_target));
    *missed = (uint8_t)(e->out - missed - 1);
    emit_restore_flags(e);
    rrs_emit_load_cell(e, RAX, CELL(lookup_rax));
    rrs_lower_exit(e, RRS_FIXED_EXIT_MISS, start + prologue->exit_common);
}

void rrs_lower_prologue(struct rrs_emitter *e, struct rrs_prologue *prologue)
{
    int64_t start = e->here;
    EMIT(e, 0x0f, 0x0b); /* ud2: offset 0 is never a shadow PC */
    prologue->exit_common = (uint32_t)(e->here - start);
    rrs_emit_store_cell(e, RAX, CELL(exit_rax));
    rrs_emit_store_cell(e, RCX, CELL(exit_rcx));
    rrs_emit_store_cell(e, R11, CELL(exit_r11));
    EMIT(e, 0xb8); /* mov eax, a number that no kernel has */
    rrs_emit_u32(e, 0x7fffffff);
    prologue->exit_syscall = (uint32_t)(e->here - start);
    EMIT(e, 0x0f, 0x05, 0x0f, 0x0b);
    emit_second_level(e, prologue, start);
    prologue->bytes = (uint32_t)(e->here - start);
}

void rrs_lower_runtime_page(uint8_t *page, uint32_t runtime)
{
    memset(page, 0xcc, 4096);
    struct rrs_emitter e = {.out = page + RRS_CODE_UNTRACED, .runtime = runtime};
    EMIT(&e, 0x0f, 0x05, 0xff, 0x24, 0x25); /* syscall; jmp [return_address] */
    rrs_emit_u32(&e, runtime + CELL(return_address));
    memcpy(page + RRS_CODE_TRACED, "\x0f\x05\x0f\x0b", 4);
    uint64_t entry = runtime + RRS_RUNTIME_CODE + RRS_CODE_UNTRACED;
    memcpy(page + RRS_CODE_UNTRACED_ENTRY, &entry, sizeof entry);
}

/* Copies insn->bytes with the RIP-relative displacement, if any, made to reach the same place. */
static bool emit_moved(struct rrs_emitter *e, const struct rrs_insn *insn, int64_t app_next)
{
    uint8_t bytes[RRS_INSN_MAX_BYTES];
    memcpy(bytes, insn->bytes, insn->length);
    if (insn->disp_offset) {
        int64_t distance = app_next + insn->disp - (e->here + insn->length);
        if (!fits_rel32(distance))
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

/* The instruction with [reg] in the place of its RIP-relative operand. */
static void emit_with_operand_at(struct rrs_emitter *e, const struct rrs_insn *insn,
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
    if (emit_moved(e, insn, app_next))
        return true;
    struct rrs_emitter before = *e;
    struct lent_register lent = choose_lent(insn);
    rrs_emit_store_cell(e, lent.reg, CELL(lent));
    const uint8_t *stored = e->out;
    if (!emit_address(e, lent.reg, app_next + insn->disp)) {
        *e = before;
        return false;
    }
    rrs_map_state(map, stored, lent.state);
    emit_with_operand_at(e, insn, lent.reg);
    rrs_map_effect(map, e->out, insn->length);
    rrs_emit_load_cell(e, lent.reg, CELL(lent));
    return true;
}

static uint8_t *emit_open_rel32(struct rrs_emitter *e)
{
    uint8_t *displacement = e->out;
    rrs_emit_u32(e, 0);
    return displacement;
}

static uint32_t rest_cell(uint32_t number)
{
    return RRS_RUNTIME_SESSION + (uint32_t)offsetof(struct rrs_session_page, rest) + 8 * number;
}

/* sub qword [cell], 1; js stub */
static uint8_t *emit_tick_dead(struct rrs_emitter *e, uint32_t cell, int64_t *pending_from)
{
    EMIT(e, 0x48, 0x83, 0x2c, 0x25);
    rrs_emit_u32(e, e->runtime + cell);
    EMIT(e, 1);
    *pending_from = e->here;
    EMIT(e, 0x0f, 0x88);
    return emit_open_rel32(e);
}

/* The same with lea and jrcxz, which leave the flags alone. The stub finds rcx in its cell. */
static uint8_t *emit_tick_live(struct rrs_emitter *e, uint32_t cell, int64_t *pending_from)
{
    rrs_emit_store_cell(e, RCX, CELL(lookup_rcx));
    rrs_emit_load_cell(e, RCX, cell);
    EMIT(e, 0x48, 0x8d, 0x49, 0xff); /* lea rcx, [rcx - 1] */
    rrs_emit_store_cell(e, RCX, cell);
    *pending_from = e->here;
    EMIT(e, 0x48, 0x8d, 0x49, 0x01); /* lea rcx, [rcx + 1] */
    EMIT(e, 0xe3, 2, 0xeb, 5, 0xe9); /* jrcxz 1f; jmp 2f; 1: jmp stub; 2: */
    uint8_t *displacement = emit_open_rel32(e);
    rrs_emit_load_cell(e, RCX, CELL(lookup_rcx));
    return displacement;
}

uint8_t *rrs_lower_tick(struct rrs_emitter *e, bool flags_dead, uint32_t cell,
                        int64_t *pending_from)
{
    uint32_t at = rest_cell(cell);
    return flags_dead ? emit_tick_dead(e, at, pending_from) : emit_tick_live(e, at, pending_from);
}

void rrs_lower_exit_with_rcx(struct rrs_emitter *e, uint32_t exit_id, int64_t exit_common)
{
    rrs_emit_load_cell(e, RCX, CELL(lookup_rcx));
    rrs_lower_exit(e, exit_id, exit_common);
}

uint8_t *rrs_lower_jmp(struct rrs_emitter *e)
{
    EMIT(e, 0xe9);
    return emit_open_rel32(e);
}

uint8_t *rrs_lower_jcc(struct rrs_emitter *e, uint8_t condition)
{
    EMIT(e, 0x0f, 0x80 | condition);
    return emit_open_rel32(e);
}

uint8_t *rrs_lower_loop(struct rrs_emitter *e, const struct rrs_insn *insn)
{
    rrs_emit_bytes(e, insn->bytes, insn->length - 1);
    EMIT(e, 2, 0xeb, 5, 0xe9); /* taken: over the short jump, to the long one */
    return emit_open_rel32(e);
}

void rrs_lower_call_push(struct rrs_emitter *e, int64_t app_next, struct rrs_map_writer *map)
{
    rrs_emit_store_cell(e, RCX, CELL(lookup_rcx));
    rrs_map_state(map, e->out, RRS_MAP_RCX_IN_CELL);
    emit_code_address(e, RCX, app_next);
    EMIT(e, 0x51); /* push rcx */
    rrs_emit_load_cell(e, RCX, CELL(lookup_rcx));
    rrs_map_state(map, e->out, 0);
}

/* rcx stands in its cell. */
static void emit_ret(struct rrs_emitter *e, const struct rrs_insn *insn, int64_t lookup)
{
    EMIT(e, 0x59); /* pop rcx */
    if (insn->ret_bytes) {
        EMIT(e, 0x48, 0x8d, 0xa4, 0x24); /* lea rsp, [rsp + n] */
        rrs_emit_u32(e, insn->ret_bytes);
    }
    rrs_emit_store_cell(e, RDX, CELL(lookup_rdx));
    rrs_emit_store_cell(e, RAX, CELL(lookup_rax));
    emit_lookup(e, lookup);
}

void rrs_lower_ret(struct rrs_emitter *e, const struct rrs_insn *insn, int64_t lookup,
                   struct rrs_map_writer *map)
{
    rrs_emit_store_cell(e, RCX, CELL(lookup_rcx));
    rrs_map_state(map, e->out, RRS_MAP_RCX_IN_CELL);
    emit_ret(e, insn, lookup);
}

void rrs_lower_ticking_ret(struct rrs_emitter *e, const struct rrs_insn *insn, int64_t lookup,
                           struct rrs_fused_site *site, struct rrs_map_writer *map)
{
    uint32_t cell = rest_cell(site->cell);
    rrs_emit_store_cell(e, RCX, CELL(lookup_rcx));
    rrs_map_state(map, e->out, RRS_MAP_RCX_IN_CELL);
    rrs_emit_load_cell(e, RCX, cell);
    EMIT(e, 0xe3, 0); /* jrcxz expired */
    uint8_t *expired = e->out - 1;
    EMIT(e, 0x48, 0x8d, 0x49, 0xff); /* lea rcx, [rcx - 1] */
    rrs_emit_store_cell(e, RCX, cell);
    site->pending_from = e->here;
    emit_ret(e, insn, lookup);
    *expired = (uint8_t)(e->out - expired - 1);
    EMIT(e, 0x48, 0xc7, 0x04, 0x25); /* mov qword [cell], -1 */
    rrs_emit_u32(e, e->runtime + cell);
    rrs_emit_u32(e, 0xffffffff);
    rrs_lower_exit_with_rcx(e, site->exit_id, site->exit_common);
}

/* The instruction's operand, loaded into rcx: its prefixes and ModRM with the opcode of mov r, r/m.
 */
static bool emit_load_operand(struct rrs_emitter *e, const struct rrs_insn *insn, int64_t app_next)
{
    uint8_t rex = 0x48;
    struct rrs_insn load = {.disp = insn->disp};
    for (int i = 0; i < insn->opcode_offset; i++) {
        uint8_t prefix = insn->bytes[i];
        if ((prefix & 0xf0) == 0x40) {
            rex |= prefix & 3; /* REX.X, REX.B */
            continue;
        }
        rex = 0x48; /* a REX before another prefix means nothing: SDM vol. 2 §2.2.1 */
        if (prefix == 0x64 || prefix == 0x65 || prefix == 0x67)
            load.bytes[load.length++] = prefix;
    }
    load.bytes[load.length++] = rex;
    load.bytes[load.length++] = 0x8b;
    uint8_t modrm_at = load.length;
    uint8_t tail = insn->length - insn->modrm_offset;
    memcpy(load.bytes + modrm_at, insn->bytes + insn->modrm_offset, tail);
    load.bytes[modrm_at] = (uint8_t)((load.bytes[modrm_at] & 0xc7) | RCX << 3);
    load.length += tail;
    if (!insn->disp_offset)
        return emit_moved(e, &load, app_next);
    load.modrm_offset = modrm_at;
    load.opcode_offset = modrm_at - 1;
    load.disp_offset = modrm_at + 1;
    if (emit_moved(e, &load, app_next))
        return true;
    if (!emit_address(e, RCX, app_next + insn->disp))
        return false;
    emit_with_operand_at(e, &load, RCX);
    return true;
}

bool rrs_lower_indirect(struct rrs_emitter *e, const struct rrs_insn *insn, int64_t app_next,
                        int64_t lookup, struct rrs_map_writer *map)
{
    rrs_emit_store_cell(e, RCX, CELL(lookup_rcx));
    rrs_map_state(map, e->out, RRS_MAP_RCX_IN_CELL);
    if (!emit_load_operand(e, insn, app_next))
        return false;
    rrs_emit_store_cell(e, RDX, CELL(lookup_rdx));
    if (insn->kind == RRS_INSN_CALL_INDIRECT) {
        rrs_map_state(map, e->out, RRS_MAP_RCX_IN_CELL | RRS_MAP_RDX_IN_CELL);
        emit_code_address(e, RDX, app_next);
        EMIT(e, 0x52); /* push rdx */
    }
    rrs_emit_store_cell(e, RAX, CELL(lookup_rax));
    emit_lookup(e, lookup);
    return true;
}

void rrs_lower_far_call(struct rrs_emitter *e, int64_t app_target, int64_t app_next, int64_t lookup,
                        struct rrs_map_writer *map)
{
    rrs_emit_store_cell(e, RCX, CELL(lookup_rcx));
    rrs_emit_store_cell(e, RDX, CELL(lookup_rdx));
    rrs_map_state(map, e->out, RRS_MAP_RCX_IN_CELL | RRS_MAP_RDX_IN_CELL);
    emit_code_address(e, RDX, app_next);
    EMIT(e, 0x52); /* push rdx */
    emit_code_address(e, RCX, app_target);
    rrs_emit_store_cell(e, RAX, CELL(lookup_rax));
    emit_lookup(e, lookup);
}

bool rrs_lower_far_jump(struct rrs_emitter *e, int64_t app_target, int64_t lookup)
{
    struct rrs_emitter before = *e;
    rrs_emit_store_cell(e, RCX, CELL(lookup_rcx));
    rrs_emit_store_cell(e, RDX, CELL(lookup_rdx));
    rrs_emit_store_cell(e, RAX, CELL(lookup_rax));
    if (!emit_address(e, RCX, app_target)) {
        *e = before;
        return false;
    }
    emit_lookup(e, lookup);
    return true;
}

/* mov dword [exit_id], id */
static void emit_exit_id(struct rrs_emitter *e, uint32_t exit_id)
{
    EMIT(e, 0xc7, 0x04, 0x25);
    rrs_emit_u32(e, e->runtime + CELL(exit_id));
    rrs_emit_u32(e, exit_id);
}

void rrs_lower_exit(struct rrs_emitter *e, uint32_t exit_id, int64_t exit_common)
{
    emit_exit_id(e, exit_id);
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
    emit_exit_id(e, exit_id);
    EMIT(e, 0x0f, 0x05);
    emit_code_address(e, RCX, app_next);
    return after;
}

/* mov ecx, [app]; lea ecx, [rcx - expected]; jrcxz +5; jmp failure */
static uint8_t *emit_check_piece(struct rrs_emitter *e, int64_t app, const uint8_t *bytes,
                                 uint32_t count)
{
    enum { LOAD_BYTES_MAX = 7, AT_RIP = 0x0d, AT_RCX = 0x09 };
    uint32_t expected = 0;
    memcpy(&expected, bytes, count);
    bool near = fits_rel32(app - e->here - LOAD_BYTES_MAX) && fits_rel32(app - e->here);
    uint8_t operand = near ? AT_RIP : AT_RCX;
    if (!near)
        emit_code_address(e, RCX, app);
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
    return emit_open_rel32(e);
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
