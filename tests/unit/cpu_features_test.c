/* SPDX-License-Identifier: MIT */
/* Test that a CPU is told from another by what a program may execute on it. */
#include "engine/arch/x86_64/features.h"
#include "tests/unit/test.h"

#include <string.h>

static struct rrs_cpu here(void)
{
    struct rrs_cpu cpu;
    rrs_cpu_describe(0, &cpu);
    return cpu;
}

/* The first set bit of a leaf's register goes away here, or comes to be there. */
static void expect_refused(const struct rrs_cpu *recorded, const struct rrs_cpu *cpu,
                           const char *words)
{
    struct rrs_error *error = rrs_cpu_check(recorded, cpu);
    CHECK(error && error->code == RRS_ERROR_UNSUPPORTED);
    CHECK(strstr(error->message, words));
    rrs_error_destroy(error);
}

static void test_same_cpu(void)
{
    struct rrs_cpu cpu = here(), decoded;
    uint8_t bytes[RRS_CPU_BYTES];
    CHECK_OK(rrs_cpu_check(&cpu, &cpu));
    rrs_cpu_encode(&cpu, bytes);
    CHECK_OK(rrs_cpu_decode(bytes, sizeof bytes, &decoded));
    CHECK(memcmp(&cpu, &decoded, sizeof cpu) == 0);
    CHECK(strlen(cpu.vendor) == 12);
    CHECK(cpu.leaves[0].out[RRS_CPUID_EDX] >> 26 & 1); /* SSE2: every x86-64 CPU has it */
}

static void test_missing_features(void)
{
    struct rrs_cpu cpu = here(), poor = cpu, rich = cpu;
    poor.leaves[0].out[RRS_CPUID_EDX] &= ~(1u << 26);
    expect_refused(&cpu, &poor, "saw: sse2;");
    CHECK_OK(rrs_cpu_check(&poor, &cpu));   /* more is fine */
    rich.leaves[3].out[RRS_CPUID_EBX] |= 1; /* a size, no feature */
    CHECK_OK(rrs_cpu_check(&rich, &cpu));
    rich.xcr0 |= 1ull << 62; /* no CPU has it */
    expect_refused(&rich, &cpu, "saw: registers of component 62;");
    for (int i = 0; i < RRS_CPU_LEAVES; i++)
        for (int j = 0; j < RRS_CPUID_REGISTERS; j++)
            rich.leaves[i].out[j] = ~0u;
    poor = (struct rrs_cpu){.xcr0 = 3};
    memcpy(poor.vendor, cpu.vendor, sizeof poor.vendor);
    expect_refused(&rich, &poor, "fpu, tsc, cx8, sep, cmov, clflush and more;");
    strcpy(rich.vendor, "SomebodyElse");
    expect_refused(&rich, &cpu, "SomebodyElse");
}

/* A program recorded as on a lower level needs no more than that level. */
static void test_levels(void)
{
    struct rrs_cpu level, all = here();
    for (uint32_t i = 1; i <= 3; i++) {
        rrs_cpu_describe(i, &level);
        CHECK_OK(rrs_cpu_check(&level, &all));
        CHECK(!(level.leaves[0].out[RRS_CPUID_ECX] >> 25 & 1)); /* AES: in no level */
        CHECK((level.xcr0 & ~7ull) == 0);
    }
    rrs_cpu_describe(1, &level);
    CHECK(!(level.leaves[0].out[RRS_CPUID_ECX] & 1)); /* SSE3 */
    CHECK(level.leaves[0].out[RRS_CPUID_EDX] >> 26 & 1);
}

static void test_damaged_record(void)
{
    struct rrs_cpu cpu = here();
    uint8_t bytes[RRS_CPU_BYTES];
    const size_t sizes[] = {0, 1, 19, 21, RRS_CPU_BYTES - 1};
    rrs_cpu_encode(&cpu, bytes);
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        struct rrs_error *error = rrs_cpu_decode(bytes, sizes[i], &cpu);
        CHECK(error && error->code == RRS_ERROR_BAD_TRACE);
        rrs_error_destroy(error);
    }
    memset(bytes, 0x1b, 12); /* nothing of it is to reach a terminal */
    CHECK_OK(rrs_cpu_decode(bytes, sizeof bytes, &cpu));
    CHECK(strcmp(cpu.vendor, "????????????") == 0);
}

int main(void)
{
    test_same_cpu();
    test_missing_features();
    test_levels();
    test_damaged_record();
    return 0;
}
