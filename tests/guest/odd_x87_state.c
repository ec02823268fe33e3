/* SPDX-License-Identifier: MIT */
/* Test that x87 computation, exceptions and the saved environments (fnstenv, fnsave, fxsave, xsave)
 * hold the program's state. */
#include "tests/guest/guest.h"

#include <cpuid.h>
#include <fenv.h>
#include <math.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>

static sigjmp_buf out;
static volatile int code_seen;
static unsigned char area[16384] __attribute__((aligned(64)));
static unsigned char second[16384] __attribute__((aligned(64)));

static void on_fpe(int signal_number, siginfo_t *info, void *context)
{
    (void)signal_number;
    (void)context;
    code_seen = info->si_code;
    siglongjmp(out, 1);
}

static void environments(void)
{
    uint16_t words[14] = {0};
    uint16_t control = 0x37f, status;
    double three = 3.0, back;
    __asm__ volatile("fninit\n\tfldcw %[control]\n\tfldl %[three]\n\tfld1\n\tfaddp\n\t"
                     "fnstenv %[words]\n\tfldenv %[words]\n\tfnstsw %[status]\n\tfstpl %[back]\n\t"
                     : [words] "=m"(words), [status] "=m"(status), [back] "=m"(back)
                     : [control] "m"(control), [three] "m"(three)
                     : "memory");
    CHECK(back == 4.0);
    CHECK_EQUAL(words[0], 0x37f);
    CHECK_EQUAL(words[2] & 0x3800, 0x3800); /* one register in use: top is 7 */
    CHECK_EQUAL(words[4], 0x3fff);          /* tags: all empty but register 7 */

    unsigned char image[108];
    long double values[2] = {0};
    __asm__ volatile(
        "fldpi\n\tfldl2e\n\tfnsave %[image]\n\tfrstor %[image]\n\tfstpt %[a]\n\tfstpt %[b]"
        : [image] "=m"(image), [a] "=m"(values[0]), [b] "=m"(values[1])
        :
        : "memory");
    CHECK(values[1] > 3.14159265358979L && values[1] < 3.1415926535898L);
    CHECK(!memcmp(image + 28, &values[0], 10));
    CHECK(!memcmp(image + 38, &values[1], 10));
    puts("environments");
}

static void saves(void)
{
    uint64_t xmm = 0x0123456789abcdef, after;
    uint32_t mxcsr;
    __asm__ volatile("fninit\n\tfld1\n\tmovq %[xmm], %%xmm9\n\t"
                     "fxsave64 %[area]\n\t"
                     "fstp %%st(0)\n\tpxor %%xmm9, %%xmm9\n\t"
                     "fxrstor64 %[area]\n\tmovq %%xmm9, %[after]\n\tfstp %%st(0)\n\t"
                     : [area] "=m"(area), [after] "=r"(after)
                     : [xmm] "r"(xmm)
                     : "xmm9", "memory");
    CHECK_EQUAL(after, xmm);
    memcpy(&mxcsr, area + 24, 4);
    CHECK_EQUAL(mxcsr & 0x1f80, 0x1f80);
    uint16_t sign_exponent;
    memcpy(&sign_exponent, area + 32 + 8, 2);
    CHECK_EQUAL(sign_exponent, 0x3fff);
    CHECK_EQUAL(area[4], 0x80); /* abridged tag: register 7 */

    uint32_t eax, ebx, ecx, edx;
    if (!__get_cpuid(1, &eax, &ebx, &ecx, &edx) || !(ecx & 1u << 27))
        return;
    memset(area, 0, sizeof area);
    memset(second, 0, sizeof second);
    __asm__ volatile("movq %[xmm], %%xmm9\n\tmov $3, %%eax\n\txor %%edx, %%edx\n\t"
                     "xsave64 %[area]\n\tpxor %%xmm9, %%xmm9\n\txrstor64 %[area]\n\t"
                     "xsave64 %[second]\n\tmovq %%xmm9, %[after]"
                     : [area] "=m"(area), [second] "=m"(second), [after] "=&r"(after)
                     : [xmm] "r"(xmm)
                     : "rax", "rdx", "xmm9", "memory");
    CHECK_EQUAL(after, xmm);
    CHECK(!memcmp(area + 160, second + 160, 256));
    CHECK_EQUAL(area[512] & 2, 2);
    puts("saves");
}

static void exceptions(void)
{
    struct sigaction action = {.sa_sigaction = on_fpe, .sa_flags = SA_SIGINFO};
    CHECK(!sigaction(SIGFPE, &action, NULL));
    for (int i = 0; i < 5; i++) {
        if (!sigsetjmp(out, 1)) {
            uint16_t control = 0x37b; /* divide by zero unmasked */
            __asm__ volatile(
                "fninit\n\tfldcw %0\n\tfld1\n\tfldz\n\tfdivrp\n\tfwait" ::"m"(control));
            __asm__ volatile("fld1\n\tfldz\n\tfdivp\n\tfwait");
            CHECK(!"no exception");
        }
        CHECK_EQUAL(code_seen, FPE_FLTDIV);
        __asm__ volatile("fninit");
        if (!sigsetjmp(out, 1)) {
            uint32_t mxcsr = 0x1f80 & ~0x80u; /* invalid unmasked */
            double zero = 0, result;
            __asm__ volatile(
                "ldmxcsr %1\n\tmovsd %2, %%xmm0\n\tdivsd %2, %%xmm0\n\tmovsd %%xmm0, %0"
                : "=m"(result)
                : "m"(mxcsr), "m"(zero)
                : "xmm0");
            CHECK(!"no exception");
        }
        CHECK_EQUAL(code_seen, FPE_FLTINV);
        uint32_t normal = 0x1f80;
        __asm__ volatile("ldmxcsr %0" ::"m"(normal));
    }
    puts("exceptions");
}

static void computation(void)
{
    long double sum = 0;
    for (int i = 1; i < 1000; i++)
        sum += sinl(i) * atan2l(i, 3) / sqrtl(i) + fmodl(i * 7.7L, 3.1L);
    CHECK(!fesetround(FE_DOWNWARD));
    volatile double third = 1.0;
    third /= 3.0;
    long down = lrint(-2.5);
    CHECK(!fesetround(FE_TONEAREST));
    CHECK_EQUAL(down, -3);
    printf("sum %.15Lf third %.17g\n", sum, third);
    uint16_t status;
    double small = 1, large = 2;
    __asm__ volatile("fldl %1\n\tfcoml %2\n\tfnstsw %%ax\n\tmov %%ax, %0\n\tfstp %%st(0)"
                     : "=m"(status)
                     : "m"(small), "m"(large)
                     : "ax");
    CHECK_EQUAL(status & 0x4500, 0x100);
    unsigned char below;
    __asm__ volatile("fldl %2\n\tfldl %1\n\tfcomip\n\tsetb %0\n\tfstp %%st(0)"
                     : "=q"(below)
                     : "m"(small), "m"(large)
                     : "cc");
    CHECK_EQUAL(below, 1);
}

int main(void)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    environments();
    saves();
    exceptions();
    computation();
    return 0;
}
