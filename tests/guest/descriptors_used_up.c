/* SPDX-License-Identifier: MIT */
/* Test that new code can be run, and forks be made, when no descriptor is left. */
#include "tests/guest/guest.h"

#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>

static int run_new_code(int value)
{
    unsigned char code[] = {0xb8, (unsigned char)value, 0, 0, 0, 0xc3}; /* mov $value, %eax; ret */
    void *page =
        mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(page != MAP_FAILED);
    memcpy(page, code, sizeof code);
    int result = ((int (*)(void))page)();
    CHECK(!munmap(page, 4096));
    return result;
}

static void run_in_child(int value)
{
    pid_t child = fork();
    CHECK(child >= 0);
    if (!child)
        _exit(run_new_code(value));
    int word;
    CHECK_EQUAL(waitpid(child, &word, 0), child);
    CHECK_EQUAL(WEXITSTATUS(word), value);
}

int main(void)
{
    struct rlimit limit, now;
    CHECK(!getrlimit(RLIMIT_NOFILE, &limit));
    limit.rlim_cur = 64;
    CHECK(!setrlimit(RLIMIT_NOFILE, &limit));
    while (dup(0) >= 0)
        ;
    CHECK_EQUAL(errno, EMFILE);
    CHECK_EQUAL(run_new_code(42), 42);
    run_in_child(43);
    CHECK(!getrlimit(RLIMIT_NOFILE, &now) && now.rlim_cur == 64 && now.rlim_max == limit.rlim_max);
    CHECK_EQUAL(dup(0), -1);
    if (getuid() == 0)
        CHECK(!setresuid(65534, 65534, 65534));
    run_in_child(44);
    CHECK_EQUAL(dup(0), -1);
    puts("used up");
    return 0;
}
