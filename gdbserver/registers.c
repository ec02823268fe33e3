/* SPDX-License-Identifier: MIT */
/* Register values out of, and into, what the timeline gives; see the header. */
#include "gdbserver/registers.h"

#include "lmdb-store/bytes.h"

#include <cpuid.h>
#include <stddef.h>

#define GPR(name) offsetof(struct user_regs_struct, name)

enum register_source {
    SOURCE_AVX = 2, /* those of components are the component's number */
    SOURCE_OPMASK = 5,
    SOURCE_ZMM_HI256 = 6,
    SOURCE_HI16_ZMM = 7,
    SOURCE_PKRU = 9,
    SOURCE_REGS = 32,
    SOURCE_LEGACY,
    SOURCE_LEGACY_16,
    SOURCE_TAGS,
};

enum {
    LEGACY_BYTES = 512,
    XCR0_OFFSET = 464, /* Linux v6.1 arch/x86/kernel/fpu/regset.c: sw_reserved */
    XSTATE_BV_OFFSET = 512,
    FSW_OFFSET = 2,
    ST0_OFFSET = 32,
    XCR0_X87_SSE = 3,
};

const struct register_row register_rows[REGISTER_COUNT] = {
#define REGISTER(name, bits, feature, source, offset, type) \
    {#name, bits, REGISTER_FEATURE_##feature, SOURCE_##source, offset, type},
#include "gdbserver/registers.def"
#undef REGISTER
};

static const uint64_t feature_xcr0[] = {
#define X(name, text, xcr0) xcr0,
    REGISTER_FEATURES(X)
#undef X
};

void register_layout_init(struct register_layout *layout, const uint8_t *xstate, size_t bytes)
{
    *layout = (struct register_layout){.known = true, .xcr0 = XCR0_X87_SSE};
    if (bytes < LEGACY_BYTES)
        return;
    layout->xcr0 |= rrs_load_le64(xstate + XCR0_OFFSET);
    for (unsigned i = 2; i < XSAVE_COMPONENTS; i++) {
        unsigned size = 0, offset = 0, c, d;
        bool there = layout->xcr0 >> i & 1 && __get_cpuid_count(0xd, i, &size, &offset, &c, &d);
        if (!there || offset + (uint64_t)size > bytes)
            size = 0;
        layout->sizes[i] = size;
        layout->offsets[i] = offset;
        if (size == 0)
            layout->xcr0 &= ~(1ULL << i);
    }
}

bool register_exists(const struct register_layout *layout, unsigned number)
{
    if (number >= REGISTER_COUNT)
        return false;
    uint64_t needed = feature_xcr0[register_rows[number].feature];
    return (layout->xcr0 & needed) == needed;
}

bool register_is_general(unsigned number)
{
    return register_rows[number].source == SOURCE_REGS;
}

/* Where a register's bytes are, or NULL. `needed` is how many of them. */
static const uint8_t *find(const struct register_layout *layout,
                           const struct register_values *values, unsigned number, size_t needed)
{
    const struct register_row *row = &register_rows[number];
    if (!register_exists(layout, number))
        return NULL;
    if (row->source == SOURCE_REGS)
        return (const uint8_t *)&values->regs + row->offset;
    size_t offset = row->offset;
    if (row->source < XSAVE_COMPONENTS)
        offset += layout->offsets[row->source];
    return offset + needed <= values->xstate_bytes ? values->xstate + offset : NULL;
}

/* The tag word of FNSAVE, two bits per register, which FXSAVE keeps as one: SDM 1, 10.5.1.1. */
static unsigned tag_of(const uint8_t *st)
{
    unsigned exponent = (st[8] | st[9] << 8) & 0x7fff;
    uint64_t mantissa = rrs_load_le64(st);
    enum { VALID, ZERO, SPECIAL };
    if (exponent == 0x7fff || (exponent == 0 && mantissa) || (exponent && !(mantissa >> 63)))
        return SPECIAL;
    return exponent == 0 ? ZERO : VALID;
}

static uint32_t full_tags(const uint8_t *legacy, uint8_t abridged)
{
    unsigned top = legacy[FSW_OFFSET + 1] >> 3 & 7;
    uint32_t tags = 0;
    for (unsigned i = 0; i < 8; i++) {
        enum { EMPTY = 3 };
        const uint8_t *st = legacy + ST0_OFFSET + 16 * ((i - top) & 7);
        tags |= (abridged >> i & 1 ? tag_of(st) : EMPTY) << 2 * i;
    }
    return tags;
}

bool register_get(const struct register_layout *layout, const struct register_values *values,
                  unsigned number, uint8_t value[REGISTER_MAX_BYTES])
{
    const struct register_row *row = &register_rows[number];
    const uint8_t *bytes = find(layout, values, number, row->bits / 8);
    if (!bytes)
        return false;
    memset(value, 0, row->bits / 8);
    if (row->source == SOURCE_TAGS)
        rrs_store_le32(value, full_tags(values->xstate, *bytes));
    else
        memcpy(value, bytes, row->source == SOURCE_LEGACY_16 ? 2 : row->bits / 8);
    return true;
}

/* The kernel takes a component's bytes only if its bit in XSTATE_BV is set. */
static void mark_in_use(struct register_values *values, unsigned source)
{
    uint64_t bits = source < XSAVE_COMPONENTS ? 1ULL << source : XCR0_X87_SSE;
    if (values->xstate_bytes < XSTATE_BV_OFFSET + sizeof bits)
        return;
    uint8_t *in_use = values->xstate + XSTATE_BV_OFFSET;
    rrs_store_le64(in_use, rrs_load_le64(in_use) | bits);
}

static uint8_t abridged_tags(uint32_t tags)
{
    uint8_t abridged = 0;
    for (unsigned i = 0; i < 8; i++)
        abridged |= (uint8_t)(((tags >> 2 * i & 3) != 3) << i);
    return abridged;
}

bool register_set(const struct register_layout *layout, struct register_values *values,
                  unsigned number, const uint8_t *value)
{
    const struct register_row *row = &register_rows[number];
    uint8_t *bytes = (uint8_t *)find(layout, values, number, row->bits / 8);
    if (!bytes)
        return false;
    if (row->source == SOURCE_TAGS)
        *bytes = abridged_tags(rrs_load_le32(value));
    else
        memcpy(bytes, value, row->source == SOURCE_LEGACY_16 ? 2 : row->bits / 8);
    if (row->source != SOURCE_REGS)
        mark_in_use(values, row->source);
    return true;
}
