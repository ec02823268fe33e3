/* SPDX-License-Identifier: MIT */
/* Test that the signal frame holds the program's x87, SSE, AVX and AVX-512 state and that sigreturn
 * restores it. */
#include "tests/guest/guest.h"

#include <cpuid.h>
#include <signal.h>
#include <stdint.h>
#include <ucontext.h>

enum { MAGIC1 = 0x46505853, MAGIC2 = 0x46505845, SOFTWARE_OFFSET = 464, HEADER_OFFSET = 512 };

static int has_avx512, has_avx;
static uint32_t ymm_offset, mask_offset;
static int handled;

static void on_illegal(int signal_number, siginfo_t *info, void *context)
{
    (void)signal_number;
    (void)info;
    ucontext_t *user = context;
    unsigned char *state = (unsigned char *)user->uc_mcontext.fpregs;
    uint32_t magic, extended, magic2;
    memcpy(&magic, state + SOFTWARE_OFFSET, 4);
    memcpy(&extended, state + SOFTWARE_OFFSET + 4, 4);
    CHECK_EQUAL(magic, MAGIC1);
    memcpy(&magic2, state + extended - 4, 4);
    CHECK_EQUAL(magic2, MAGIC2);
    uint64_t value;
    memcpy(&value, user->uc_mcontext.fpregs->_xmm[5].element, 8);
    CHECK_EQUAL(value, 0x5555000055550000);
    CHECK_EQUAL(((uintptr_t)state) % 64, 0);
    if (has_avx) {
        memcpy(&value, state + ymm_offset + 5 * 16, 8);
        CHECK_EQUAL(value, 0x7777000077770000);
        value = 0x9999;
        memcpy(state + ymm_offset + 6 * 16, &value, 8);
        uint64_t features;
        memcpy(&features, state + HEADER_OFFSET, 8);
        features |= 4;
        memcpy(state + HEADER_OFFSET, &features, 8);
    }
    if (has_avx512) {
        memcpy(&value, state + mask_offset + 3 * 8, 8);
        CHECK_EQUAL(value, 0xABCD);
        __asm__ volatile(".byte 0xc5,0xe4,0x47,0xdb" ::: "memory"); /* kxorw %k3,%k3,%k3 */
    }
    __asm__ volatile("pxor %%xmm5, %%xmm5; fninit; fldz; fldz" ::: "xmm5", "memory");
    if (has_avx)
        __asm__ volatile("vzeroall" ::: "memory");
    handled++;
    user->uc_mcontext.gregs[REG_RIP] += 2;
}

__attribute__((noinline, target("avx"))) static void avx_round(void)
{
    static const uint64_t in[4] = {0x5555000055550000, 1, 0x7777000077770000, 2};
    uint64_t out5[4], out6[4];
    __asm__ volatile("vmovups %[in], %%ymm5\n\tvpxor %%xmm6, %%xmm6, %%xmm6\n\t"
                     "ud2\n\t"
                     "vmovups %%ymm5, %[out5]\n\tvmovups %%ymm6, %[out6]\n\tvzeroupper\n\t"
                     : [out5] "=m"(out5), [out6] "=m"(out6)
                     : [in] "m"(in)
                     : "xmm5", "xmm6", "memory");
    CHECK(!memcmp(in, out5, sizeof in));
    CHECK_EQUAL(out6[2], 0x9999);
}

__attribute__((noinline, target("avx512f"))) static void avx512_round(void)
{
    static const uint64_t in[4] = {0x5555000055550000, 1, 0x7777000077770000, 2};
    uint32_t mask = 0xABCD, after;
    uint64_t out[8];
    __asm__ volatile("kmovw %[mask], %%k3\n\t"
                     "vpternlogd $255, %%zmm17, %%zmm17, %%zmm17\n\t"
                     "vmovups %[in], %%ymm5\n\t"
                     "ud2\n\t"
                     "kmovw %%k3, %[after]\n\t"
                     "vmovdqu64 %%zmm17, %[out]\n\t"
                     "vzeroupper\n\t"
                     : [after] "=r"(after), [out] "=m"(out)
                     : [mask] "r"(mask), [in] "m"(in)
                     : "xmm5", "memory");
    CHECK_EQUAL(after, 0xABCD);
    for (int i = 0; i < 8; i++)
        CHECK_EQUAL(out[i], -1);
}

__attribute__((noinline)) static void sse_round(void)
{
    uint64_t value = 0x5555000055550000, after;
    long double three = 3.25L, back;
    __asm__ volatile("fldt %[three]\n\tmovq %[value], %%xmm5\n\t"
                     "ud2\n\t"
                     "movq %%xmm5, %[after]\n\tfstpt %[back]\n\t"
                     : [after] "=r"(after), [back] "=m"(back)
                     : [value] "r"(value), [three] "m"(three)
                     : "xmm5", "memory");
    CHECK_EQUAL(after, value);
    CHECK(back == 3.25L);
}

static uint32_t component_offset(uint32_t component)
{
    uint32_t eax, ebx, ecx, edx;
    __cpuid_count(0xd, component, eax, ebx, ecx, edx);
    return ebx;
}

int main(void)
{
    has_avx = __builtin_cpu_supports("avx");
    has_avx512 = __builtin_cpu_supports("avx512f");
    ymm_offset = component_offset(2);
    mask_offset = component_offset(5);
    struct sigaction action = {.sa_sigaction = on_illegal, .sa_flags = SA_SIGINFO};
    CHECK(!sigaction(SIGILL, &action, NULL));
    int avx512 = has_avx512, avx = has_avx;
    has_avx = has_avx512 = 0;
    for (int i = 0; i < 10; i++)
        sse_round();
    has_avx = avx;
    for (int i = 0; avx && i < 10; i++)
        avx_round();
    has_avx512 = avx512;
    for (int i = 0; avx512 && i < 10; i++)
        avx512_round();
    puts("vector state kept");
    return 0;
}
