/* SPDX-License-Identifier: MIT */
/* Test that code runs although the program has mapped all memory that is less than 2 GiB away from
 * it, up to the end of its address space. */
#include "tests/guest/guest.h"
#include "tests/guest/jit.h"

#include <sys/mman.h>

enum { PIECE = 64 << 20, PIECES = 48, SMALL_PIECE = 1 << 20, SMALL_PIECES = 300 };

static void *map(size_t bytes, int protection)
{
    void *place = mmap(NULL, bytes, protection, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    CHECK(place != MAP_FAILED);
    return place;
}

int main(void)
{
    void *code = map(JIT_PAGE_BYTES, PROT_READ | PROT_WRITE);
    jit_emit(code, 42);
    CHECK(!mprotect(code, JIT_PAGE_BYTES, PROT_READ | PROT_EXEC));
    /* The kernel takes the highest gap that is wide enough. */
    for (int i = 0; i < PIECES; i++)
        map(PIECE, PROT_NONE);
    for (int i = 0; i < SMALL_PIECES; i++)
        map(SMALL_PIECE, PROT_NONE);
    CHECK_EQUAL(jit_call(code), 42);
    puts("code ran");
    return 0;
}
