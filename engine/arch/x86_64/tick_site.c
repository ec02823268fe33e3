/* SPDX-License-Identifier: MIT */
/*
 * Tick sites: how shadow code counts. One that may overwrite the arithmetic flags takes two
 * instructions. One that may not counts in rcx, with lea and jrcxz; in front of a return it shares
 * the handling of rcx with that.
 */
#include "engine/arch/x86_64/lower_internal.h"

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
    return rrs_emit_open_rel32(e);
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
    uint8_t *displacement = rrs_emit_open_rel32(e);
    rrs_emit_load_cell(e, RCX, CELL(lookup_rcx));
    return displacement;
}

uint8_t *rrs_lower_tick(struct rrs_emitter *e, bool flags_dead, uint32_t cell,
                        int64_t *pending_from)
{
    uint32_t at = rest_cell(cell);
    return flags_dead ? emit_tick_dead(e, at, pending_from) : emit_tick_live(e, at, pending_from);
}

uint8_t *rrs_emit_fused_tick(struct rrs_emitter *e, uint32_t cell)
{
    rrs_emit_load_cell(e, RCX, rest_cell(cell));
    EMIT(e, 0xe3, 0); /* jrcxz expired */
    uint8_t *expired = e->out - 1;
    EMIT(e, 0x48, 0x8d, 0x49, 0xff); /* lea rcx, [rcx - 1] */
    rrs_emit_store_cell(e, RCX, rest_cell(cell));
    return expired;
}

void rrs_emit_fused_tick_expired(struct rrs_emitter *e, const struct rrs_fused_site *site,
                                 uint8_t *expired)
{
    *expired = (uint8_t)(e->out - expired - 1);
    EMIT(e, 0x48, 0xc7, 0x04, 0x25); /* mov qword [cell], -1 */
    rrs_emit_u32(e, e->runtime + rest_cell(site->cell));
    rrs_emit_u32(e, 0xffffffff);
    rrs_lower_exit_with_rcx(e, site->exit_id, site->exit_common);
}
