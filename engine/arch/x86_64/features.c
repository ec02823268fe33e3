/* SPDX-License-Identifier: MIT */
#include "engine/arch/x86_64/features.h"

#include "lmdb-store/bytes.h"

#include <cpuid.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

enum { ABOVE = 4 }; /* in no level that can be asked for */

static const struct feature {
    uint32_t leaf, subleaf;
    int output, bit;
    const char *name;
    uint32_t level;
} features[] = {
#define FEATURE(leaf, subleaf, output, bit, name, level) \
    {leaf, subleaf, RRS_CPUID_##output, bit, name, level},
#include "engine/arch/x86_64/features.def"
#undef FEATURE
};
enum { FEATURES = sizeof features / sizeof features[0] };

static const uint32_t leaves[RRS_CPU_LEAVES][2] = {{1, 0},   {7, 0},          {7, 1},
                                                   {0xd, 1}, {0x80000001, 0}, {0x80000008, 0}};

const char rrs_cpu_record[] = "cpu";

/* --- this CPU --- */

static bool has_subleaves(uint32_t leaf)
{
    return leaf != 1 && leaf < 0x80000000;
}

static uint32_t hidden_bits(uint32_t level, uint32_t leaf, uint32_t subleaf, int output)
{
    uint32_t mask = 0;
    for (int i = 0; i < FEATURES; i++) {
        const struct feature *f = &features[i];
        if (f->leaf == leaf && f->output == output && f->level > level &&
            (f->subleaf == subleaf || !has_subleaves(leaf)))
            mask |= 1u << f->bit;
    }
    return mask;
}

void rrs_cpuid(uint32_t level, uint32_t leaf, uint32_t subleaf, uint32_t out[RRS_CPUID_REGISTERS])
{
    __cpuid_count(leaf, subleaf, out[RRS_CPUID_EAX], out[RRS_CPUID_EBX], out[RRS_CPUID_ECX],
                  out[RRS_CPUID_EDX]);
    for (int i = 0; level && i < RRS_CPUID_REGISTERS; i++)
        out[i] &= ~hidden_bits(level, leaf, subleaf, i);
}

uint64_t rrs_xcr0(uint32_t level)
{
    enum { X87_SSE = 3, AVX = 4 };
    uint32_t low, high;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    uint64_t value = (uint64_t)high << 32 | low;
    if (level == 3)
        return value & (X87_SSE | AVX);
    return level ? value & X87_SSE : value;
}

void rrs_cpu_describe(uint32_t level, struct rrs_cpu *cpu)
{
    uint32_t out[RRS_CPUID_REGISTERS];
    *cpu = (struct rrs_cpu){.xcr0 = rrs_xcr0(level)};
    rrs_cpuid(0, 0, 0, out);
    const uint32_t vendor[3] = {out[RRS_CPUID_EBX], out[RRS_CPUID_EDX], out[RRS_CPUID_ECX]};
    memcpy(cpu->vendor, vendor, sizeof vendor);
    for (int i = 0; i < RRS_CPU_LEAVES; i++) {
        struct rrs_cpu_leaf *leaf = &cpu->leaves[i];
        leaf->leaf = leaves[i][0];
        leaf->subleaf = leaves[i][1];
        if (leaf->leaf <= (uint32_t)__get_cpuid_max(leaf->leaf & 0x80000000, NULL))
            rrs_cpuid(level, leaf->leaf, leaf->subleaf, leaf->out);
    }
}

/* --- in a trace --- */

enum { VENDOR_BYTES = 12, HEAD_BYTES = VENDOR_BYTES + 8, LEAF_BYTES = 24 };

void rrs_cpu_encode(const struct rrs_cpu *cpu, uint8_t bytes[RRS_CPU_BYTES])
{
    memcpy(bytes, cpu->vendor, VENDOR_BYTES);
    rrs_store_le64(bytes + VENDOR_BYTES, cpu->xcr0);
    for (int i = 0; i < RRS_CPU_LEAVES; i++) {
        uint8_t *at = bytes + HEAD_BYTES + i * LEAF_BYTES;
        rrs_store_le32(at, cpu->leaves[i].leaf);
        rrs_store_le32(at + 4, cpu->leaves[i].subleaf);
        for (int j = 0; j < RRS_CPUID_REGISTERS; j++)
            rrs_store_le32(at + 8 + 4 * j, cpu->leaves[i].out[j]);
    }
}

static struct rrs_cpu_leaf *find_leaf(struct rrs_cpu *cpu, uint32_t leaf, uint32_t subleaf)
{
    for (int i = 0; i < RRS_CPU_LEAVES; i++)
        if (cpu->leaves[i].leaf == leaf && cpu->leaves[i].subleaf == subleaf)
            return &cpu->leaves[i];
    return NULL;
}

struct rrs_error *rrs_cpu_decode(const void *bytes, size_t size, struct rrs_cpu *cpu)
{
    const uint8_t *at = (const uint8_t *)bytes, *end = at + size;
    if (size < HEAD_BYTES || (size - HEAD_BYTES) % LEAF_BYTES)
        return rrs_error_create(RRS_ERROR_BAD_TRACE,
                                "what the trace says of its CPU has %zu bytes: damaged", size);
    *cpu = (struct rrs_cpu){.xcr0 = rrs_load_le64(at + VENDOR_BYTES)};
    for (int i = 0; i < VENDOR_BYTES; i++)
        cpu->vendor[i] = at[i] >= ' ' && at[i] < 127 ? (char)at[i] : '?';
    for (int i = 0; i < RRS_CPU_LEAVES; i++) {
        cpu->leaves[i].leaf = leaves[i][0];
        cpu->leaves[i].subleaf = leaves[i][1];
    }
    for (at += HEAD_BYTES; at < end; at += LEAF_BYTES) {
        struct rrs_cpu_leaf *leaf = find_leaf(cpu, rrs_load_le32(at), rrs_load_le32(at + 4));
        for (int j = 0; leaf && j < RRS_CPUID_REGISTERS; j++)
            leaf->out[j] = rrs_load_le32(at + 8 + 4 * j);
    }
    return NULL;
}

/* --- comparing --- */

enum { NAMED = 6 }; /* of what is missing */

struct missing {
    char names[NAMED * 40];
    size_t used, count;
};

static void add_missing(struct missing *missing, const char *name)
{
    size_t room = sizeof missing->names - missing->used;
    if (missing->count++ < NAMED)
        missing->used += (size_t)snprintf(missing->names + missing->used, room, "%s%s",
                                          missing->used ? ", " : "", name);
}

static bool has(const struct rrs_cpu *cpu, const struct feature *feature)
{
    const struct rrs_cpu_leaf *leaf =
        find_leaf((struct rrs_cpu *)(uintptr_t)cpu, feature->leaf, feature->subleaf);
    return leaf && leaf->out[feature->output] >> feature->bit & 1;
}

/* SDM vol. 1 §13.3: bit i of XCR0 is about that part of the state. */
static void find_missing_state(uint64_t bits, struct missing *missing)
{
    static const char *const names[] = {"x87",    "sse",       "avx",      "bndregs", "bndcsr",
                                        "opmask", "zmm_hi256", "hi16_zmm", "pt",      "pkru"};
    enum { NAMES = sizeof names / sizeof names[0] };
    char name[40];
    for (int i = 0; i < 64; i++) {
        if (!(bits >> i & 1))
            continue;
        if (i < NAMES)
            snprintf(name, sizeof name, "registers of %s", names[i]);
        else
            snprintf(name, sizeof name, "registers of component %d", i);
        add_missing(missing, name);
    }
}

struct rrs_error *rrs_cpu_check(const struct rrs_cpu *recorded, const struct rrs_cpu *here)
{
    struct missing missing = {0};
    if (memcmp(recorded->vendor, here->vendor, VENDOR_BYTES) != 0)
        return rrs_error_create(RRS_ERROR_UNSUPPORTED,
                                "it was recorded on a CPU of %s, this one is of %s: replay it on "
                                "a CPU of the same vendor",
                                recorded->vendor, here->vendor);
    for (int i = 0; i < FEATURES; i++)
        if (has(recorded, &features[i]) && !has(here, &features[i]))
            add_missing(&missing, features[i].name);
    find_missing_state(recorded->xcr0 & ~here->xcr0, &missing);
    if (!missing.count)
        return NULL;
    return rrs_error_create(RRS_ERROR_UNSUPPORTED,
                            "this CPU lacks what the recorded program saw: %s%s; replay it on a "
                            "CPU that has it, or record with --cpu",
                            missing.names, missing.count > NAMED ? " and more" : "");
}
