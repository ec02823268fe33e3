/* SPDX-License-Identifier: MIT */
/* Test that a child killed by SIGKILL at any instant leaves shared memory as stores in program
 * order leave it. */
#include "tests/guest/guest.h"

#include <signal.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/wait.h>

/* Each round: first, then square, then last; so first >= last, and first - last is 0 or 1. */
struct shared {
    volatile uint64_t first, square, last;
};

static void write_forever(struct shared *shared)
{
    for (uint64_t i = 1;; i++) {
        shared->first = i;
        shared->square = i * i;
        shared->last = i;
    }
}

int main(void)
{
    struct shared *shared =
        mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CHECK(shared != MAP_FAILED);
    for (int round = 0; round < 20; round++) {
        memset((void *)shared, 0, sizeof *shared);
        pid_t child = fork();
        CHECK(child >= 0);
        if (!child)
            write_forever(shared);
        while (shared->last < 100)
            usleep(100);
        CHECK(!kill(child, SIGKILL));
        int status;
        CHECK_EQUAL(waitpid(child, &status, 0), child);
        CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
        uint64_t first = shared->first, last = shared->last, square = shared->square;
        CHECK(first - last <= 1);
        CHECK(square == first * first || square == last * last);
        usleep(200);
        CHECK_EQUAL(shared->first, first);
    }
    puts("20 kills");
    return 0;
}
