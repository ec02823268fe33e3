/* SPDX-License-Identifier: MIT */
/* Functions made at run time, for the guests whose code changes: `mov $value, %eax; ret` and
 * relatives. */
#ifndef RRS_TESTS_GUEST_JIT_H
#define RRS_TESTS_GUEST_JIT_H

#include <stdint.h>
#include <string.h>

enum { JIT_FUNCTION_BYTES = 6, JIT_PAGE_BYTES = 4096 };

/* Writes `mov $value, %eax; ret`. */
__attribute__((unused)) static void jit_emit(void *place, uint32_t value)
{
    unsigned char code[JIT_FUNCTION_BYTES] = {0xb8, 0, 0, 0, 0, 0xc3};
    memcpy(code + 1, &value, sizeof value);
    memcpy(place, code, sizeof code);
}

__attribute__((unused, noinline)) static uint32_t jit_call(const void *place)
{
    uint32_t (*function)(void);
    memcpy(&function, &place, sizeof function);
    return function();
}

#endif
