/* SPDX-License-Identifier: MIT */
/*
 * The CPU as a program sees it: what CPUID and XGETBV say. A recording can be replayed where all of
 * it is there that its program saw.
 */
#ifndef RRS_ENGINE_ARCH_X86_64_FEATURES_H
#define RRS_ENGINE_ARCH_X86_64_FEATURES_H

#include "lmdb-store/error.h"

#include <stddef.h>
#include <stdint.h>

enum { RRS_CPUID_EAX, RRS_CPUID_EBX, RRS_CPUID_ECX, RRS_CPUID_EDX, RRS_CPUID_REGISTERS };
enum { RRS_CPU_LEAVES = 6 };

/* One of the leaves that say what may be executed. */
struct rrs_cpu_leaf {
    uint32_t leaf, subleaf;
    uint32_t out[RRS_CPUID_REGISTERS];
};

struct rrs_cpu {
    char vendor[13]; /* "GenuineIntel" */
    uint64_t xcr0;
    struct rrs_cpu_leaf leaves[RRS_CPU_LEAVES];
};

/** CPUID as a program sees it. `level` 1..3 hides what is above x86-64 baseline, v2, v3; 0 nothing.
 */
void rrs_cpuid(uint32_t level, uint32_t leaf, uint32_t subleaf, uint32_t out[RRS_CPUID_REGISTERS]);
/** XCR0 likewise. */
uint64_t rrs_xcr0(uint32_t level);

/** This CPU. */
void rrs_cpu_describe(uint32_t level, struct rrs_cpu *cpu);

/* As bytes in a trace: docs/TRACE-FORMAT.md, "The CPU". */
enum { RRS_CPU_BYTES = 12 + 8 + RRS_CPU_LEAVES * 24 };
extern const char rrs_cpu_record[]; /* the name of the record */
void rrs_cpu_encode(const struct rrs_cpu *cpu, uint8_t bytes[RRS_CPU_BYTES]);
/** Leaves that are not known here are passed over. Error: BAD_TRACE. */
RRS_MUST_CHECK struct rrs_error *rrs_cpu_decode(const void *bytes, size_t size,
                                                struct rrs_cpu *cpu);

/**
 * Whether what ran on `recorded` can run on `here`. Error: UNSUPPORTED, with a message that names
 * the vendor, or the first features that are missing.
 */
RRS_MUST_CHECK struct rrs_error *rrs_cpu_check(const struct rrs_cpu *recorded,
                                               const struct rrs_cpu *here);

#endif
