/* SPDX-License-Identifier: MIT */
/* Test that system calls read from and write to memory that is mapped with PROT_WRITE alone, as the
 * program itself can on this CPU. */
#include "tests/guest/guest.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/uio.h>

enum { PAGE = 4096 };

static void show(const char *what, const void *bytes, size_t size)
{
    printf("%s %.*s\n", what, (int)size, (const char *)bytes);
}

/* Output that begins in such a page and ends behind it. */
static void outputs(char *memory)
{
    int ends[2];
    CHECK(!pipe(ends));
    CHECK_EQUAL(write(ends[1], "abcdefghij", 10), 10);
    CHECK_EQUAL(read(ends[0], memory + PAGE - 4, 6), 6);
    show("read", memory + PAGE - 4, 6);
    struct iovec pieces[] = {{memory + PAGE + 100, 2}, {memory + PAGE - 2, 2}};
    CHECK_EQUAL(readv(ends[0], pieces, 2), 4);
    show("readv", memory + PAGE + 100, 2);
    show("readv", memory + PAGE - 2, 2);
    /* What only the recording knows, for the replay to show the same. */
    unsigned char *random = (unsigned char *)memory + PAGE - 3;
    CHECK_EQUAL(getrandom(random, 5, 0), 5);
    fprintf(stderr, "random %02x%02x%02x%02x%02x\n", random[0], random[1], random[2], random[3],
            random[4]);
}

static void inputs(char *memory)
{
    int ends[2];
    char copy[16] = "";
    strcpy(memory, "/dev/null");
    int file = open(memory, O_RDWR);
    CHECK(file >= 0);
    CHECK(!pipe(ends));
    CHECK_EQUAL(write(ends[1], memory, 10), 10);
    CHECK_EQUAL(read(ends[0], copy, sizeof copy), 10);
    show("written", copy, 9);
}

int main(void)
{
    char *memory = mmap(NULL, 2 * PAGE, PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(memory != MAP_FAILED);
    outputs(memory);
    inputs(memory);
    CHECK(!mprotect(memory + PAGE, PAGE, PROT_READ | PROT_WRITE));
    outputs(memory);
    return 0;
}
