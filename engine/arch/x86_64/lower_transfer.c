/* SPDX-License-Identifier: MIT */
/*
 * Calls, returns and indirect jumps.
 *
 * A return is what the CPU predicts best, if a call made it: so calls are calls in shadow code and
 * returns are returns. The stack still holds app addresses only:
 *
 *   call:    call thunk                   pushes the address R of the return entry, and
 *   R:       ...                              notes R for the prediction
 *   thunk:   add qword [rsp], A - R       makes it the app return address; flags are dead at calls,
 *            cmp eax, eax                     and the same after every one
 *            jmp callee
 *
 *   return:  rcx = [rsp]                  the app address A; rcx and r11 go to their cells
 *            r11 = returns[hash of A]     the table holds R, or leads to the search for it
 *            mov [rsp], r11; ret          the prediction holds wherever the table agrees with it
 *
 *   R:       rcx == A? else search        the table is indexed by few bits
 *            mov [rsp - 8], A             as the program's own return leaves it
 *            rcx, r11 = their cells
 *
 * So the table's latency stays off the critical path, and no tag has to be loaded. Indirect jumps
 * and calls do the same with tables of their own, because their targets have no [rsp - 8] to
 * restore. Flags live across returns and jumps, so lea, not and jrcxz do the arithmetic there.
 * Calls need not keep the flags, so they do without rcx: a register that goes through a cell on
 * each transfer is a chain of latencies, and rcx goes through one at each return already.
 */
#include "engine/arch/x86_64/lower_internal.h"

uint8_t *rrs_lower_jmp(struct rrs_emitter *e)
{
    EMIT(e, 0xe9);
    return rrs_emit_open_rel32(e);
}

uint8_t *rrs_lower_jcc(struct rrs_emitter *e, uint8_t condition)
{
    EMIT(e, 0x0f, 0x80 | condition);
    return rrs_emit_open_rel32(e);
}

uint8_t *rrs_lower_loop(struct rrs_emitter *e, const struct rrs_insn *insn)
{
    rrs_emit_bytes(e, insn->bytes, insn->length - 1);
    EMIT(e, 2, 0xeb, 5, 0xe9); /* taken: over the short jump, to the long one */
    return rrs_emit_open_rel32(e);
}

/* --- the tables --- */

/*
 * pext takes the bits of a slot out of an address and keeps the flags. AMD's CPUs before Zen 3 take
 * 18 cycles and more for it (uops.info): they, and those without, do with the lowest 16 bits.
 */
static bool has_fast_pext(void)
{
    return __builtin_cpu_supports("bmi2") && !__builtin_cpu_is("amdfam15h") &&
           !__builtin_cpu_is("amdfam17h");
}

/* Return addresses are further apart than 4 bytes; so a line of the CPU's cache covers more code.
 */
enum { SLOT_SHIFT = 2, SLOT_MASK = (RRS_ENTRY_SLOTS - 1) << SLOT_SHIFT, SMALL_SLOT_MASK = 0xffff };

static uint32_t slot_shift(void)
{
    return has_fast_pext() ? SLOT_SHIFT : 0;
}

uint32_t rrs_lookup_slot_mask(void)
{
    return has_fast_pext() ? SLOT_MASK : SMALL_SLOT_MASK;
}

uint32_t rrs_lookup_slot(uint64_t app_pc)
{
    return ((uint32_t)app_pc & rrs_lookup_slot_mask()) >> slot_shift();
}

void rrs_emit_slot(struct rrs_emitter *e, enum rrs_register reg)
{
    if (reg == RAX)
        EMIT(e, 0x25); /* and eax, mask */
    else
        EMIT(e, 0x81, 0xe0 | (reg & 7));
    rrs_emit_u32(e, rrs_lookup_slot_mask());
    EMIT(e, 0xc1, 0xe8 | (reg & 7), (uint8_t)slot_shift()); /* shr eax, shift */
}

/* r11 = where a table leads for app PC rcx. What is free leads to `miss`. */
static void emit_table_load(struct rrs_emitter *e, uint32_t table, uint32_t miss)
{
    if (has_fast_pext()) {
        EMIT(e, 0xc4, 0x62, 0x72, 0xf5, 0x1c, 0x25); /* pext r11d, ecx, [mask] */
        rrs_emit_u32(e, e->runtime + RRS_RUNTIME_CODE + RRS_CODE_SLOT_MASK);
    } else {
        EMIT(e, 0x44, 0x0f, 0xb7, 0xd9); /* movzx r11d, cx */
    }
    EMIT(e, 0x4e, 0x8b, 0x1c, 0xdd); /* mov r11, [r11 * 8 + table] */
    rrs_emit_u32(e, e->runtime + table);
    EMIT(e, 0x4d, 0x8d, 0x9b); /* lea r11, [r11 + miss] */
    rrs_emit_u32(e, e->runtime + RRS_RUNTIME_CODE + miss);
}

/* rcx = app PC; rcx stands in its cell. */
static void emit_jump_by_table(struct rrs_emitter *e)
{
    rrs_emit_store_cell(e, R11, CELL(lookup_r11));
    emit_table_load(e, RRS_RUNTIME_JUMPS, RRS_CODE_MISS_JUMP);
    EMIT(e, 0x41, 0xff, 0xe3); /* jmp r11 */
}

/* --- entries --- */

/* cmp eax, eax makes RRS_FLAGS_OF_CALLS, which tell nothing of the count or of addresses. */
static void emit_flags_of_calls(struct rrs_emitter *e)
{
    EMIT(e, 0x39, 0xc0);
}

/* Goes on if rcx, the app PC that was looked up, is `app`; r11 = ~app then. */
static void emit_entry_check(struct rrs_emitter *e, int64_t app, uint32_t mismatch)
{
    enum { JMP_MEMORY_BYTES = 7 };
    rrs_emit_code_address(e, R11, app);
    EMIT(e, 0x49, 0xf7, 0xd3);             /* not r11 */
    EMIT(e, 0x4a, 0x8d, 0x4c, 0x19, 0x01); /* lea rcx, [rcx + r11 + 1] */
    EMIT(e, 0xe3, JMP_MEMORY_BYTES);       /* jrcxz over the jump */
    EMIT(e, 0xff, 0x24, 0x25);             /* jmp [mismatch] */
    rrs_emit_u32(e, e->runtime + RRS_RUNTIME_CODE + mismatch);
}

static void emit_registers_back(struct rrs_emitter *e)
{
    rrs_emit_load_cell(e, R11, CELL(lookup_r11));
    rrs_emit_load_cell(e, RCX, CELL(lookup_rcx));
}

void rrs_lower_jump_entry(struct rrs_emitter *e, int64_t app)
{
    emit_entry_check(e, app, RRS_CODE_MISMATCH_JUMP_ENTRY);
    emit_registers_back(e);
}

void rrs_lower_call_entry(struct rrs_emitter *e, int64_t app, int64_t miss_call)
{
    rrs_emit_code_address(e, RAX, app);
    EMIT(e, 0x4c, 0x39, 0xd0, 0x0f, 0x85); /* cmp rax, r10; jne miss_call */
    rrs_emit_rel32(e, miss_call, 0);
    rrs_emit_load_cell(e, RAX, CELL(call_rax));
    rrs_emit_load_cell(e, R10, CELL(call_r10));
    emit_flags_of_calls(e);
}

void rrs_lower_return_entry(struct rrs_emitter *e, int64_t app)
{
    emit_entry_check(e, app, RRS_CODE_MISMATCH_RETURN_ENTRY);
    EMIT(e, 0x49, 0xf7, 0xd3);             /* not r11 */
    EMIT(e, 0x4c, 0x89, 0x5c, 0x24, 0xf8); /* mov [rsp - 8], r11 */
    emit_registers_back(e);
}

/* --- calls --- */

uint8_t *rrs_lower_call(struct rrs_emitter *e)
{
    EMIT(e, 0xe8);
    return rrs_emit_open_rel32(e);
}

void rrs_lower_app_return_address(struct rrs_emitter *e, int64_t pushed, int64_t app_next)
{
    int64_t rest = app_next - pushed;
    while (rest) {
        int64_t part = rest < INT32_MIN ? INT32_MIN : rest > INT32_MAX ? INT32_MAX : rest;
        EMIT(e, 0x48, 0x81, 0x04, 0x24); /* add qword [rsp], part */
        rrs_emit_u32(e, (uint32_t)part);
        rest -= part;
    }
    emit_flags_of_calls(e);
}

/*
 * In front of its adds a thunk's return address is not the app's yet. What else stands outside
 * blocks, the jump at the end of a trace for one, comes behind the program's own stores.
 */
bool rrs_lower_amends_stack(const uint8_t *code, bool in_block)
{
    static const uint8_t add_to_top[] = {0x48, 0x81, 0x04, 0x24}, ret[] = {0xc3};
    return in_block ? !memcmp(code, ret, sizeof ret) : !memcmp(code, add_to_top, sizeof add_to_top);
}

/* reg = [reg], with the prefixes that stand in `load` before its REX. */
static void emit_load_through(struct rrs_emitter *e, const struct rrs_insn *load,
                              enum rrs_register reg)
{
    rrs_emit_bytes(e, load->bytes, (uint32_t)load->opcode_offset - 1);
    EMIT(e, 0x48 | (reg >> 3) * 5, 0x8b, (reg & 7) * 9);
}

/*
 * reg = the instruction's operand: its prefixes and ModRM with the opcode of mov r, r/m. `reg` is
 * rcx or r10.
 */
static bool emit_load_operand(struct rrs_emitter *e, const struct rrs_insn *insn, int64_t app_next,
                              enum rrs_register reg)
{
    const uint8_t rex_of_reg = (uint8_t)(0x48 | (reg >> 3) << 2);
    uint8_t rex = rex_of_reg;
    struct rrs_insn load = {.disp = insn->disp};
    for (int i = 0; i < insn->opcode_offset; i++) {
        uint8_t prefix = insn->bytes[i];
        if ((prefix & 0xf0) == 0x40) {
            rex |= prefix & 3; /* REX.X, REX.B */
            continue;
        }
        rex = rex_of_reg; /* a REX before another prefix means nothing: SDM vol. 2 §2.2.1 */
        if (prefix == 0x64 || prefix == 0x65 || prefix == 0x67)
            load.bytes[load.length++] = prefix;
    }
    load.bytes[load.length++] = rex;
    load.bytes[load.length++] = 0x8b;
    uint8_t modrm_at = load.length;
    uint8_t tail = insn->length - insn->modrm_offset;
    memcpy(load.bytes + modrm_at, insn->bytes + insn->modrm_offset, tail);
    load.bytes[modrm_at] = (uint8_t)((load.bytes[modrm_at] & 0xc7) | (reg & 7) << 3);
    load.length += tail;
    if (!insn->disp_offset)
        return rrs_emit_moved(e, &load, app_next);
    load.modrm_offset = modrm_at;
    load.opcode_offset = modrm_at - 1;
    load.disp_offset = modrm_at + 1;
    if (rrs_emit_moved(e, &load, app_next))
        return true;
    if (!rrs_emit_address(e, reg, app_next + insn->disp))
        return false;
    emit_load_through(e, &load, reg);
    return true;
}

bool rrs_lower_call_operand(struct rrs_emitter *e, const struct rrs_insn *insn, int64_t app_next,
                            uint32_t site, struct rrs_map_writer *map)
{
    rrs_emit_store_cell(e, R10, CELL(call_r10));
    rrs_map_state(map, e->out, RRS_MAP_R10_IN_CELL);
    if (!emit_load_operand(e, insn, app_next, R10))
        return false;
    rrs_emit_set_cell(e, CELL(site), site);
    return true;
}

void rrs_lower_call_by_table(struct rrs_emitter *e)
{
    rrs_emit_store_cell(e, RAX, CELL(call_rax));
    EMIT(e, 0x44, 0x89, 0xd0); /* mov eax, r10d */
    rrs_emit_slot(e, RAX);
    EMIT(e, 0x48, 0x8b, 0x04, 0xc5); /* mov rax, [rax * 8 + table] */
    rrs_emit_u32(e, e->runtime + RRS_RUNTIME_CALLS);
    EMIT(e, 0x48, 0x05); /* add rax, miss */
    rrs_emit_u32(e, e->runtime + RRS_RUNTIME_CODE + RRS_CODE_MISS_CALL);
    EMIT(e, 0xff, 0xe0); /* jmp rax */
}

bool rrs_lower_indirect_jump(struct rrs_emitter *e, const struct rrs_insn *insn, int64_t app_next,
                             uint32_t site, struct rrs_map_writer *map)
{
    rrs_emit_store_cell(e, RCX, CELL(lookup_rcx));
    rrs_map_state(map, e->out, RRS_MAP_RCX_IN_CELL);
    if (!emit_load_operand(e, insn, app_next, RCX))
        return false;
    rrs_emit_set_cell(e, CELL(site), site);
    emit_jump_by_table(e);
    return true;
}

bool rrs_lower_far_jump(struct rrs_emitter *e, int64_t app_target)
{
    struct rrs_emitter before = *e;
    rrs_emit_store_cell(e, RCX, CELL(lookup_rcx));
    if (!rrs_emit_address(e, RCX, app_target)) {
        *e = before;
        return false;
    }
    emit_jump_by_table(e);
    return true;
}

/* --- returns --- */

/* rcx stands in its cell. A return that pops more has no place for its target on the stack. */
static void emit_ret(struct rrs_emitter *e, const struct rrs_insn *insn, uint32_t site,
                     struct rrs_map_writer *map)
{
    if (insn->ret_bytes) {
        EMIT(e, 0x59);                   /* pop rcx */
        EMIT(e, 0x48, 0x8d, 0xa4, 0x24); /* lea rsp, [rsp + n] */
        rrs_emit_u32(e, insn->ret_bytes);
        rrs_emit_set_cell(e, CELL(site), site);
        emit_jump_by_table(e);
        return;
    }
    EMIT(e, 0x48, 0x8b, 0x0c, 0x24); /* mov rcx, [rsp] */
    rrs_emit_set_cell(e, CELL(site), site);
    rrs_emit_store_cell(e, R11, CELL(lookup_r11));
    emit_table_load(e, RRS_RUNTIME_RETURNS, RRS_CODE_MISS_RETURN);
    rrs_map_state(map, e->out, RRS_MAP_RETURNING);
    EMIT(e, 0x4c, 0x89, 0x1c, 0x24); /* mov [rsp], r11 */
    EMIT(e, 0xc3);
}

void rrs_lower_ret(struct rrs_emitter *e, const struct rrs_insn *insn, uint32_t site,
                   struct rrs_map_writer *map)
{
    rrs_emit_store_cell(e, RCX, CELL(lookup_rcx));
    rrs_map_state(map, e->out, RRS_MAP_RCX_IN_CELL);
    emit_ret(e, insn, site, map);
}

void rrs_lower_ticking_ret(struct rrs_emitter *e, const struct rrs_insn *insn, uint32_t site,
                           struct rrs_fused_site *tick, struct rrs_map_writer *map)
{
    rrs_emit_store_cell(e, RCX, CELL(lookup_rcx));
    rrs_map_state(map, e->out, RRS_MAP_RCX_IN_CELL);
    uint8_t *expired = rrs_emit_fused_tick(e, tick->cell);
    tick->pending_from = e->here;
    emit_ret(e, insn, site, map);
    rrs_map_state(map, e->out, RRS_MAP_RCX_IN_CELL);
    rrs_emit_fused_tick_expired(e, tick, expired);
}

bool rrs_operand_is_near(const struct rrs_emitter *e, const struct rrs_insn *insn, int64_t app_next)
{
    enum { SLACK = 4096 };
    int64_t distance = app_next + insn->disp - e->here;
    return insn->disp_offset && rrs_fits_rel32(distance - SLACK) && rrs_fits_rel32(distance);
}

void rrs_lower_ticking_jump(struct rrs_emitter *e, const struct rrs_insn *insn, int64_t app_next,
                            uint32_t site, struct rrs_fused_site *tick, struct rrs_map_writer *map)
{
    rrs_emit_store_cell(e, RCX, CELL(lookup_rcx));
    rrs_map_state(map, e->out, RRS_MAP_RCX_IN_CELL);
    uint8_t *expired = rrs_emit_fused_tick(e, tick->cell);
    tick->pending_from = e->here;
    emit_load_operand(e, insn, app_next, RCX);
    rrs_emit_set_cell(e, CELL(site), site);
    emit_jump_by_table(e);
    rrs_emit_fused_tick_expired(e, tick, expired);
}
