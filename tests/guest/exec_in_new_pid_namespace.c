/* SPDX-License-Identifier: MIT */
/* Test that a program can be executed where process numbers, and /proc, are others than outside. */
#include "tests/guest/guest.h"

#include <sched.h>
#include <sys/mount.h>
#include <sys/wait.h>

static int inside(const char *exe)
{
    char line[512];
    int code_mappings = 0;
    CHECK_EQUAL(getpid(), 1);
    FILE *maps = fopen("/proc/self/maps", "r");
    CHECK(maps);
    while (fgets(line, sizeof line, maps))
        code_mappings += strstr(line, "r-xp") && strstr(line, exe);
    fclose(maps);
    CHECK_EQUAL(code_mappings, 1);
    pid_t child = fork();
    CHECK_EQUAL(child, child ? 2 : 0);
    if (!child)
        _exit(getpid());
    int word;
    CHECK_EQUAL(waitpid(child, &word, 0), 2);
    CHECK_EQUAL(WEXITSTATUS(word), 2);
    puts("inside");
    return 0;
}

int main(int argc, char *argv[])
{
    if (argc > 1)
        return inside(argv[0]);
    if (unshare(CLONE_NEWPID | CLONE_NEWNS))
        guest_skip("no new namespaces");
    CHECK(!mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
    pid_t child = fork();
    CHECK(child >= 0);
    if (!child) {
        if (mount("proc", "/proc", "proc", 0, NULL))
            _exit(GUEST_SKIPPED);
        char exe[512];
        ssize_t length = readlink("/proc/self/exe", exe, sizeof exe - 1);
        CHECK(length > 0);
        exe[length] = 0;
        execl(exe, exe, "inside", NULL);
        guest_fail(__FILE__, __LINE__, "execl");
    }
    int word;
    CHECK_EQUAL(waitpid(child, &word, 0), child);
    CHECK(WIFEXITED(word));
    return WEXITSTATUS(word);
}
