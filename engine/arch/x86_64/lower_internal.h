/* SPDX-License-Identifier: MIT */
/* What the files that write shadow code share: lower.c, tick_site.c, lower_transfer.c, runtime_page.c. */
#ifndef RRS_ENGINE_ARCH_X86_64_LOWER_INTERNAL_H
#define RRS_ENGINE_ARCH_X86_64_LOWER_INTERNAL_H

#include "engine/arch/x86_64/lower.h"
#include "engine/runtime/layout.h"

#include <stddef.h>

#define CELL(field) (RRS_RUNTIME_CELLS + (uint32_t)offsetof(struct rrs_cells, field))

static inline bool rrs_fits_rel32(int64_t distance)
{
    return distance == (int32_t)distance;
}

/* Room for a 32-bit displacement; returns its place. */
static inline uint8_t *rrs_emit_open_rel32(struct rrs_emitter *e)
{
    uint8_t *displacement = e->out;
    rrs_emit_u32(e, 0);
    return displacement;
}

/** mov dword [field], value */
static inline void rrs_emit_set_cell(struct rrs_emitter *e, uint32_t cell, uint32_t value)
{
    EMIT(e, 0xc7, 0x04, 0x25);
    rrs_emit_u32(e, e->runtime + cell);
    rrs_emit_u32(e, value);
}

/** reg = the app address `target`, flags kept. False, with nothing written, if out of reach. */
bool rrs_emit_address(struct rrs_emitter *e, enum rrs_register reg, int64_t target);

/** The same for addresses of the module's own code, which a cache is never so far away from. */
void rrs_emit_code_address(struct rrs_emitter *e, enum rrs_register reg, int64_t target);

/** Copies insn->bytes, a RIP-relative displacement made to reach the same place if it can. */
bool rrs_emit_moved(struct rrs_emitter *e, const struct rrs_insn *insn, int64_t app_next);

/** The instruction with [reg] in the place of its RIP-relative operand. */
void rrs_emit_with_operand_at(struct rrs_emitter *e, const struct rrs_insn *insn,
                              enum rrs_register reg);

/** reg, rax or rcx, = the slot of the app PC in its lower half; changes the flags. */
void rrs_emit_slot(struct rrs_emitter *e, enum rrs_register reg);

/** The end of every exit: stores what its system call overwrites, and makes it. */
void rrs_emit_exit_call(struct rrs_emitter *e);

/** Counts a tick without touching the flags, in rcx, which stands in its cell; see tick_site.c. */
uint8_t *rrs_emit_fused_tick(struct rrs_emitter *e, uint32_t cell);
void rrs_emit_fused_tick_expired(struct rrs_emitter *e, const struct rrs_fused_site *site,
                                 uint8_t *expired);

#endif
