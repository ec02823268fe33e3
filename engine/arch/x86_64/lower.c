/* SPDX-License-Identifier: MIT */
/*
 * Shadow code for single instructions. Two rules shape it: no stretch of shadow code may touch the
 * program's stack or memory in a way that the program's own instruction does not, and registers go
 * through cells at fixed addresses, because shadow code has neither a stack nor a register to
 * spare.
 */
#include "engine/arch/x86_64/lower.h"

#include "engine/runtime/layout.h"

#include <stddef.h>

#define CELL(field) (RRS_RUNTIME_CELLS + (uint32_t)offsetof(struct rrs_cells, field))
#define REST        (RRS_RUNTIME_SESSION + (uint32_t)offsetof(struct rrs_session_page, rest))

/* A multiplicative hash (Knuth, TAOCP 3 §6.4): its upper bits spread page-aligned targets too. */
enum { HASH_FACTOR = (int)0x9e3779b1 };

enum {
    L1_SHIFT = 32 - RRS_L1_BITS - 4,
    L1_MASK = ((1 << RRS_L1_BITS) - 1) << 4,
    L2_SHIFT = 32 - RRS_L2_BITS - 4,
    L2_MASK = ((1 << RRS_L2_BITS) - 1) << 4,
};

uint32_t rrs_lookup_l1_slot(uint64_t app_pc)
{
    return ((uint32_t)app_pc * (uint32_t)HASH_FACTOR) >> (32 - RRS_L1_BITS);
}

uint32_t rrs_lookup_l2_slot(uint64_t app_pc)
{
    return ((uint32_t)app_pc * (uint32_t)HASH_FACTOR) >> (32 - RRS_L2_BITS);
}

/* imul edx, ecx, factor; shr edx, shift; and edx, mask */
static void emit_hash(struct rrs_emitter *e, uint8_t shift, uint32_t mask)
{
    EMIT(e, 0x69, 0xd1);
    rrs_emit_u32(e, (uint32_t)HASH_FACTOR);
    EMIT(e, 0xc1, 0xea, shift);
    EMIT(e, 0x81, 0xe2);
    rrs_emit_u32(e, mask);
}

/* rcx = app PC, rcx and rdx stand in their cells: the first level, inline. */
static void emit_lookup(struct rrs_emitter *e, int64_t lookup)
{
    emit_hash(e, L1_SHIFT, L1_MASK);
    EMIT(e, 0x48, 0x3b, 0x8a); /* cmp rcx, [rdx + L1] */
    rrs_emit_u32(e, e->runtime + RRS_RUNTIME_L1);
    EMIT(e, 0x0f, 0x85); /* jne lookup */
    rrs_emit_rel32(e, lookup, 0);
    EMIT(e, 0xff, 0xa2); /* jmp [rdx + L1 + 8] */
    rrs_emit_u32(e, e->runtime + RRS_RUNTIME_L1 + 8);
}

void rrs_lower_indirect_entry(struct rrs_emitter *e)
{
    rrs_emit_load_cell(e, RDX, CELL(lookup_rdx));
    rrs_emit_load_cell(e, RCX, CELL(lookup_rcx));
}

/* rcx = app PC; rcx, rdx stand in their cells, and rax in its own: without touching the flags. */
static void emit_lookup_keep(struct rrs_emitter *e, int64_t lookup_keep)
{
    EMIT(e, 0x0f, 0xb7, 0xd1);       /* movzx edx, cx */
    EMIT(e, 0x8d, 0x14, 0x12);       /* lea edx, [rdx + rdx] */
    EMIT(e, 0x48, 0x8b, 0x04, 0xd5); /* mov rax, [rdx * 8 + jumps] */
    rrs_emit_u32(e, e->runtime + RRS_RUNTIME_JUMPS);
    EMIT(e, 0x48, 0x8d, 0x0c, 0x01);       /* lea rcx, [rcx + rax]: 0 if it is this one */
    EMIT(e, 0xe3, 3 + 5 + 8 + 5);          /* jrcxz found */
    EMIT(e, 0x48, 0xf7, 0xd0);             /* not rax */
    EMIT(e, 0x48, 0x8d, 0x4c, 0x01, 0x01); /* lea rcx, [rcx + rax + 1]: the app PC again */
    rrs_emit_load_cell(e, RAX, CELL(lookup_rax));
    rrs_emit_jmp(e, lookup_keep);
    rrs_emit_load_cell(e, RAX, CELL(lookup_rax)); /* found: */
    EMIT(e, 0xff, 0x24, 0xd5);                    /* jmp [rdx * 8 + jumps + 8] */
    rrs_emit_u32(e, e->runtime + RRS_RUNTIME_JUMPS + 8);
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

/* The search of the second level. Ends in a jump to the target, or in exit `miss`. */
static uint32_t emit_second_level(struct rrs_emitter *e, int64_t start, int64_t exit_common,
                                  bool keep_flags)
{
    uint32_t entry = (uint32_t)(e->here - start);
    rrs_emit_store_cell(e, RAX, CELL(lookup_rax));
    if (keep_flags)
        emit_save_flags(e);
    emit_hash(e, L2_SHIFT, L2_MASK);
    int64_t loop = e->here;
    EMIT(e, 0x48, 0x8b, 0x82); /* mov rax, [rdx + L2] */
    rrs_emit_u32(e, e->runtime + RRS_RUNTIME_L2);
    EMIT(e, 0x48, 0x39, 0xc8); /* cmp rax, rcx */
    EMIT(e, 0x74, 0);          /* je found */
    uint8_t *found = e->out - 1;
    EMIT(e, 0x48, 0x85, 0xc0); /* test rax, rax */
    EMIT(e, 0x74, 0);          /* jz missed */
    uint8_t *missed = e->out - 1;
    EMIT(e, 0x83, 0xc2, 0x10, 0x81, 0xe2); /* add edx, 16; and edx, mask */
    rrs_emit_u32(e, L2_MASK);
    rrs_emit_jmp(e, loop);
    *found = (uint8_t)(e->out - found - 1);
    EMIT(e, 0x48, 0x8b, 0x82); /* mov rax, [rdx + L2 + 8] */
    rrs_emit_u32(e, e->runtime + RRS_RUNTIME_L2 + 8);
    rrs_emit_store_cell(e, RAX, CELL(lookup_target));
    if (keep_flags)
        emit_restore_flags(e);
    rrs_emit_load_cell(e, RAX, CELL(lookup_rax));
    EMIT(e, 0xff, 0x24, 0x25); /* jmp [lookup_target] */
    rrs_emit_u32(e, e->runtime + CELL(lookup_target));
    *missed = (uint8_t)(e->out - missed - 1);
    if (keep_flags)
        emit_restore_flags(e);
    rrs_emit_load_cell(e, RAX, CELL(lookup_rax));
    rrs_lower_exit(e, keep_flags ? RRS_FIXED_EXIT_MISS_KEEP : RRS_FIXED_EXIT_MISS, exit_common);
    return entry;
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
    int64_t exit_common = start + prologue->exit_common;
    prologue->lookup = emit_second_level(e, start, exit_common, false);
    prologue->lookup_keep = emit_second_level(e, start, exit_common, true);
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

static bool fits_rel32(int64_t distance)
{
    return distance == (int32_t)distance;
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

bool rrs_lower_plain(struct rrs_emitter *e, const struct rrs_insn *insn, int64_t app_next)
{
    return emit_moved(e, insn, app_next);
}

static uint8_t *emit_open_rel32(struct rrs_emitter *e)
{
    uint8_t *displacement = e->out;
    rrs_emit_u32(e, 0);
    return displacement;
}

/* sub qword [rest], 1; js stub */
static uint8_t *emit_tick_dead(struct rrs_emitter *e, int64_t *pending_from)
{
    EMIT(e, 0x48, 0x83, 0x2c, 0x25);
    rrs_emit_u32(e, e->runtime + REST);
    EMIT(e, 1);
    *pending_from = e->here;
    EMIT(e, 0x0f, 0x88);
    return emit_open_rel32(e);
}

/* The same with lea and jrcxz, which leave the flags alone. The stub finds rcx in its cell. */
static uint8_t *emit_tick_live(struct rrs_emitter *e, int64_t *pending_from)
{
    rrs_emit_store_cell(e, RCX, CELL(lookup_rcx));
    rrs_emit_load_cell(e, RCX, REST);
    EMIT(e, 0x48, 0x8d, 0x49, 0xff); /* lea rcx, [rcx - 1] */
    rrs_emit_store_cell(e, RCX, REST);
    *pending_from = e->here;
    EMIT(e, 0x48, 0x8d, 0x49, 0x01); /* lea rcx, [rcx + 1] */
    EMIT(e, 0xe3, 2, 0xeb, 5, 0xe9); /* jrcxz 1f; jmp 2f; 1: jmp stub; 2: */
    uint8_t *displacement = emit_open_rel32(e);
    rrs_emit_load_cell(e, RCX, CELL(lookup_rcx));
    return displacement;
}

uint8_t *rrs_lower_tick(struct rrs_emitter *e, bool flags_dead, int64_t *pending_from)
{
    return flags_dead ? emit_tick_dead(e, pending_from) : emit_tick_live(e, pending_from);
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
    rrs_emit_lea_rip(e, RCX, app_next);
    EMIT(e, 0x51); /* push rcx */
    rrs_emit_load_cell(e, RCX, CELL(lookup_rcx));
    rrs_map_state(map, e->out, 0);
}

void rrs_lower_ret(struct rrs_emitter *e, const struct rrs_insn *insn, int64_t lookup_keep,
                   struct rrs_map_writer *map)
{
    rrs_emit_store_cell(e, RCX, CELL(lookup_rcx));
    rrs_map_state(map, e->out, RRS_MAP_RCX_IN_CELL);
    EMIT(e, 0x59); /* pop rcx */
    if (insn->ret_bytes) {
        EMIT(e, 0x48, 0x8d, 0xa4, 0x24); /* lea rsp, [rsp + n] */
        rrs_emit_u32(e, insn->ret_bytes);
    }
    rrs_emit_store_cell(e, RDX, CELL(lookup_rdx));
    rrs_emit_store_cell(e, RAX, CELL(lookup_rax));
    emit_lookup_keep(e, lookup_keep);
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
    if (insn->disp_offset)
        load.disp_offset = modrm_at + 1;
    return emit_moved(e, &load, app_next);
}

bool rrs_lower_indirect(struct rrs_emitter *e, const struct rrs_insn *insn, int64_t app_next,
                        int64_t lookup, int64_t lookup_keep, struct rrs_map_writer *map)
{
    rrs_emit_store_cell(e, RCX, CELL(lookup_rcx));
    rrs_map_state(map, e->out, RRS_MAP_RCX_IN_CELL);
    if (!emit_load_operand(e, insn, app_next))
        return false;
    rrs_emit_store_cell(e, RDX, CELL(lookup_rdx));
    if (insn->kind == RRS_INSN_CALL_INDIRECT) {
        rrs_map_state(map, e->out, RRS_MAP_RCX_IN_CELL | RRS_MAP_RDX_IN_CELL);
        rrs_emit_lea_rip(e, RDX, app_next);
        EMIT(e, 0x52); /* push rdx */
    }
    if (rrs_insn_ends_flags(insn)) {
        emit_lookup(e, lookup);
    } else {
        rrs_emit_store_cell(e, RAX, CELL(lookup_rax));
        emit_lookup_keep(e, lookup_keep);
    }
    return true;
}

void rrs_lower_far_call(struct rrs_emitter *e, int64_t app_target, int64_t app_next, int64_t lookup,
                        struct rrs_map_writer *map)
{
    rrs_emit_store_cell(e, RCX, CELL(lookup_rcx));
    rrs_emit_store_cell(e, RDX, CELL(lookup_rdx));
    rrs_map_state(map, e->out, RRS_MAP_RCX_IN_CELL | RRS_MAP_RDX_IN_CELL);
    rrs_emit_lea_rip(e, RDX, app_next);
    EMIT(e, 0x52); /* push rdx */
    rrs_emit_lea_rip(e, RCX, app_target);
    emit_lookup(e, lookup);
}

bool rrs_lower_far_jump(struct rrs_emitter *e, int64_t app_target, int64_t lookup_keep)
{
    enum { MARGIN = 64 }; /* more than the bytes between here and the end of the lea */
    if (!fits_rel32(app_target - e->here - MARGIN) || !fits_rel32(app_target - e->here))
        return false;
    rrs_emit_store_cell(e, RCX, CELL(lookup_rcx));
    rrs_emit_store_cell(e, RDX, CELL(lookup_rdx));
    rrs_emit_store_cell(e, RAX, CELL(lookup_rax));
    rrs_emit_lea_rip(e, RCX, app_target);
    emit_lookup_keep(e, lookup_keep);
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
    rrs_emit_lea_rip(e, RCX, app_next);
    return after;
}

/* mov ecx, [app]; lea ecx, [rcx - expected]; jrcxz +5; jmp failure */
static uint8_t *emit_check_piece(struct rrs_emitter *e, int64_t app, const uint8_t *bytes,
                                 uint32_t count)
{
    uint32_t expected = 0;
    memcpy(&expected, bytes, count);
    if (count == 4)
        EMIT(e, 0x8b, 0x0d); /* mov ecx, dword */
    else if (count == 2)
        EMIT(e, 0x0f, 0xb7, 0x0d); /* movzx ecx, word */
    else
        EMIT(e, 0x0f, 0xb6, 0x0d); /* movzx ecx, byte */
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
