/* SPDX-License-Identifier: MIT */
/*
 * Writing machine code. An emitter has two cursors that move together: where the bytes go in the
 * tracer's memory, and which address they will have. Addresses are relative to the module that is
 * being translated (see translate/code_cache.h), for code and shadow code alike.
 */
#ifndef RRS_ENGINE_ARCH_X86_64_EMIT_H
#define RRS_ENGINE_ARCH_X86_64_EMIT_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

struct rrs_emitter {
    uint8_t *out;
    int64_t here;     /* module-relative address of *out */
    uint32_t runtime; /* absolute address of the runtime base */
    bool based;       /* the module lies at one address, `base`: code may hold app addresses */
    uint64_t base;
};

enum rrs_register { RAX, RCX, RDX, RBX, RSP, RBP, RSI, RDI, R8, R9, R10, R11 };

static inline void rrs_emit_bytes(struct rrs_emitter *e, const void *bytes, uint32_t count)
{
    memcpy(e->out, bytes, count);
    e->out += count;
    e->here += count;
}

/* EMIT(e, 0x48, 0x89): the bytes as written. */
#define EMIT(e, ...) \
    rrs_emit_bytes(e, (const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__}))

static inline void rrs_emit_u32(struct rrs_emitter *e, uint32_t value)
{
    rrs_emit_bytes(e, &value, sizeof value);
}

/* A displacement of 32 bits to `target`, counted from its own end plus `trailing_bytes`. */
static inline void rrs_emit_rel32(struct rrs_emitter *e, int64_t target, uint32_t trailing_bytes)
{
    rrs_emit_u32(e, (uint32_t)(target - (e->here + 4 + trailing_bytes)));
}

/* mov [runtime + offset], reg */
static inline void rrs_emit_store_cell(struct rrs_emitter *e, enum rrs_register reg,
                                       uint32_t offset)
{
    EMIT(e, 0x48 | (reg >> 3) << 2, 0x89, 0x04 | (reg & 7) << 3, 0x25);
    rrs_emit_u32(e, e->runtime + offset);
}

/* mov reg, [runtime + offset] */
static inline void rrs_emit_load_cell(struct rrs_emitter *e, enum rrs_register reg, uint32_t offset)
{
    EMIT(e, 0x48 | (reg >> 3) << 2, 0x8b, 0x04 | (reg & 7) << 3, 0x25);
    rrs_emit_u32(e, e->runtime + offset);
}

/* lea reg, [rip -> target]: the way to get an app address without knowing where the module lies. */
static inline void rrs_emit_lea_rip(struct rrs_emitter *e, enum rrs_register reg, int64_t target)
{
    EMIT(e, 0x48 | (reg >> 3) << 2, 0x8d, 0x05 | (reg & 7) << 3);
    rrs_emit_rel32(e, target, 0);
}

static inline void rrs_emit_jmp(struct rrs_emitter *e, int64_t target)
{
    EMIT(e, 0xe9);
    rrs_emit_rel32(e, target, 0);
}

#endif
