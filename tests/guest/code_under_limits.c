/* SPDX-License-Identifier: MIT */
/* Test that code is found and run when the program has used up its descriptors and its address
 * space, and that it sees its own limits. */
#include "tests/guest/guest.h"

#include "tests/guest/jit.h"
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>

static unsigned char *code_pages[4];

/* Far from each other: each is the first code of its part of the address space. */
static void map_code(void)
{
    for (uintptr_t i = 0; i < 4; i++) {
        void *place = (void *)(0x210000000000 + (i << 36));
        code_pages[i] = mmap(place, JIT_PAGE_BYTES, PROT_READ | PROT_WRITE | PROT_EXEC,
                             MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
        CHECK(code_pages[i] == place);
        jit_emit(code_pages[i], (uint32_t)i);
    }
}

static void no_descriptors(void)
{
    struct rlimit before, few, seen;
    CHECK(!getrlimit(RLIMIT_NOFILE, &before));
    few = before;
    few.rlim_cur = 32;
    CHECK(!setrlimit(RLIMIT_NOFILE, &few));
    int fds[32], count = 0;
    while (count < 32 && (fds[count] = open("/dev/null", O_RDONLY)) >= 0)
        count++;
    CHECK(count < 32 && errno == EMFILE);
    CHECK_EQUAL(jit_call(code_pages[0]), 0);
    CHECK_EQUAL(open("/dev/null", O_RDONLY), -1);
    CHECK(!getrlimit(RLIMIT_NOFILE, &seen));
    CHECK(seen.rlim_cur == 32 && seen.rlim_max == before.rlim_max);
    while (count)
        close(fds[--count]);
    CHECK(!setrlimit(RLIMIT_NOFILE, &before));
    puts("no descriptors");
}

static void no_address_space(void)
{
    struct rlimit before, little, seen;
    CHECK(!getrlimit(RLIMIT_AS, &before));
    little = before;
    little.rlim_cur = 1 << 20;
    CHECK(!setrlimit(RLIMIT_AS, &little));
    CHECK_EQUAL(jit_call(code_pages[1]), 1);
    jit_emit(code_pages[1], 11);
    CHECK_EQUAL(jit_call(code_pages[1]), 11);
    CHECK(mmap(NULL, 1 << 20, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED);
    CHECK_EQUAL(errno, ENOMEM);
    CHECK(!getrlimit(RLIMIT_AS, &seen));
    CHECK(seen.rlim_cur == 1 << 20 && seen.rlim_max == before.rlim_max);
    CHECK(!setrlimit(RLIMIT_AS, &before));
    puts("no address space");
}

/* A child that shares the memory runs new code, then executes another program. */
__attribute__((noreturn)) static void in_child(void)
{
    uint32_t sum = jit_call(code_pages[2]);
    jit_emit(code_pages[2], 22);
    sum += jit_call(code_pages[2]);
    if (sum == 24)
        execv("/bin/true", (char *[]){"true", NULL});
    _exit(1);
}

static void run_child(void)
{
    int status;
    pid_t child = vfork();
    if (!child)
        in_child();
    CHECK(waitpid(child, &status, 0) == child && !status);
}

static void child_shares_memory(void)
{
    for (uint32_t i = 0; i < 5; i++) {
        jit_emit(code_pages[2], 2);
        run_child();
        CHECK_EQUAL(jit_call(code_pages[2]), 22);
        jit_emit(code_pages[3], i);
        CHECK_EQUAL(jit_call(code_pages[3]), i);
    }
    puts("child shares memory");
}

int main(void)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    map_code();
    no_descriptors();
    no_address_space();
    child_shares_memory();
    return 0;
}
