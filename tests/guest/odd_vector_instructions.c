/* SPDX-License-Identifier: MIT */
/* Test that AVX2 and AVX-512 code, with masks, gathers, compressed displacements and RIP-relative
 * operands, computes right. */
#include "tests/guest/guest.h"

#include <immintrin.h>
#include <stdint.h>

static int32_t numbers[64] __attribute__((aligned(64)));
static int32_t results[64] __attribute__((aligned(64)));
int32_t vector_table[16] __attribute__((aligned(64)));

__attribute__((target("avx2,fma,bmi2"), noinline)) static uint64_t with_avx2(void)
{
    __m256i sum = _mm256_setzero_si256();
    for (int i = 0; i < 64; i += 8) {
        __m256i part = _mm256_load_si256((const __m256i *)(numbers + i));
        __m256i index = _mm256_and_si256(part, _mm256_set1_epi32(63));
        __m256i gathered = _mm256_i32gather_epi32(numbers, index, 4);
        __m256i mask = _mm256_cmpgt_epi32(part, _mm256_set1_epi32(100));
        _mm256_maskstore_epi32(results + i, mask, gathered);
        sum = _mm256_add_epi32(sum, _mm256_permutevar8x32_epi32(gathered, index));
    }
    __m256 real = _mm256_cvtepi32_ps(sum);
    real = _mm256_fmadd_ps(real, real, _mm256_broadcast_ss((const float[]){0.5f}));
    int32_t lanes[8];
    float floats[8];
    _mm256_storeu_si256((__m256i *)lanes, sum);
    _mm256_storeu_ps(floats, real);
    uint64_t hash = 0;
    for (int i = 0; i < 8; i++)
        hash = hash * 31 + (uint32_t)lanes[i] + (uint64_t)floats[i];
    return hash + _pdep_u64(hash, 0x00ff00ff00ff00ff) + _pext_u64(hash, 0xf0f0f0f0f0f0f0f0);
}

static uint64_t by_hand(void)
{
    int32_t lanes[8] = {0};
    for (int i = 0; i < 64; i += 8) {
        int32_t gathered[8];
        for (int j = 0; j < 8; j++)
            gathered[j] = numbers[numbers[i + j] & 63];
        for (int j = 0; j < 8; j++)
            lanes[j] += gathered[numbers[i + j] & 63 & 7];
    }
    uint64_t hash = 0;
    for (int i = 0; i < 8; i++)
        hash = hash * 31 + (uint32_t)lanes[i] +
               (uint64_t)__builtin_fmaf((float)lanes[i], (float)lanes[i], 0.5f);
    uint64_t deposited = 0, extracted = 0;
    for (int bit = 0, from = 0; bit < 64; bit++)
        if (0x00ff00ff00ff00ff >> bit & 1)
            deposited |= (hash >> from++ & 1) << bit;
    for (int bit = 0, to = 0; bit < 64; bit++)
        if (0xf0f0f0f0f0f0f0f0 >> bit & 1)
            extracted |= (hash >> bit & 1) << to++;
    return hash + deposited + extracted;
}

__attribute__((target("avx512f,avx512bw,avx512vl,avx512dq"), noinline)) static uint64_t with_avx512(
    void)
{
    uint64_t hash = 0;
    for (int i = 0; i < 64; i += 16) {
        __m512i part = _mm512_load_si512(numbers + i);
        __mmask16 odd = _mm512_test_epi32_mask(part, _mm512_set1_epi32(1));
        __m512i merged = _mm512_mask_add_epi32(part, odd, part, _mm512_load_si512(vector_table));
        _mm512_mask_compressstoreu_epi32(results, odd, merged);
        __m512i ternary = _mm512_ternarylogic_epi32(merged, part, _mm512_set1_epi32(-7), 0x96);
        hash = hash * 31 + (uint32_t)_mm512_reduce_add_epi32(ternary) + odd + (uint32_t)results[0];
        hash += _cvtmask16_u32(_kxor_mask16(odd, _knot_mask16(odd)));
    }
    uint32_t mask_out;
    /* A RIP-relative operand with compressed displacement, broadcast and mask; then mask moves. */
    __asm__ volatile("mov $0x5a5a, %%eax\n\tkmovw %%eax, %%k1\n\t"
                     "vpxord %%zmm20, %%zmm20, %%zmm20\n\t"
                     "vpaddd vector_table(%%rip)%{1to16%}, %%zmm20, %%zmm21%{%%k1%}%{z%}\n\t"
                     "vpcmpeqd vector_table+4(%%rip)%{1to16%}, %%zmm21, %%k2\n\t"
                     "kortestw %%k1, %%k2\n\tkunpckbw %%k1, %%k2, %%k3\n\tkmovd %%k3, %0\n\t"
                     : "=r"(mask_out)
                     :
                     : "rax", "k1", "k2", "k3", "xmm20", "xmm21", "cc");
    return hash * 31 + mask_out;
}

static uint64_t by_hand_512(void)
{
    uint64_t hash = 0;
    for (int i = 0; i < 64; i += 16) {
        uint32_t odd = 0, sum = 0, first = 0;
        for (int j = 15; j >= 0; j--) {
            uint32_t n = (uint32_t)numbers[i + j], merged = n;
            if (n & 1) {
                merged = n + (uint32_t)vector_table[j];
                odd |= 1u << j;
                first = merged;
            }
            sum += merged ^ n ^ (uint32_t)-7;
        }
        if (!odd)
            first = (uint32_t)results[0];
        hash = hash * 31 + sum + odd + first + 0xffff;
    }
    uint32_t mask = 0x5a5a, equal = 0;
    for (int j = 0; j < 16; j++)
        if ((mask >> j & 1 ? vector_table[0] : 0) == vector_table[1])
            equal |= 1u << j;
    return hash * 31 + ((equal & 0xff) << 8 | (mask & 0xff));
}

int main(void)
{
    uint32_t state = 12345;
    for (int i = 0; i < 64; i++) {
        state = state * 1103515245 + 12345;
        numbers[i] = (int32_t)(state >> 16 & 0xff);
    }
    for (int i = 0; i < 16; i++)
        vector_table[i] = i * 3;
    if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma"))
        guest_skip("no AVX2");
    for (int i = 0; i < 50; i++)
        CHECK_EQUAL(with_avx2(), by_hand());
    puts("AVX2");
    if (!__builtin_cpu_supports("avx512bw") || !__builtin_cpu_supports("avx512vl") ||
        !__builtin_cpu_supports("avx512dq"))
        return 0;
    for (int i = 0; i < 50; i++)
        CHECK_EQUAL(with_avx512(), by_hand_512());
    puts("AVX-512");
    return 0;
}
