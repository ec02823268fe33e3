/* SPDX-License-Identifier: MIT */
/* Test that a process that gave up its user and groups can go on, load libraries and execute. */
#include "tests/guest/guest.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <grp.h>
#include <sys/wait.h>

enum { NOBODY = 65534 };

/* Code that was not reached before. */
static void load_library(void)
{
    void *library = dlopen("libm.so.6", RTLD_NOW);
    CHECK(library);
    double (*cube_root)(double);
    *(void **)&cube_root = dlsym(library, "cbrt");
    CHECK(cube_root && (int)(cube_root(27.0) + 0.5) == 3);
}

static int after_exec(void)
{
    CHECK_EQUAL(getuid(), NOBODY);
    CHECK_EQUAL(setuid(0), -1);
    load_library();
    pid_t child = fork();
    CHECK(child >= 0);
    if (!child) {
        execl("/bin/sh", "sh", "-c", "id -u", NULL);
        _exit(1);
    }
    int word;
    CHECK_EQUAL(waitpid(child, &word, 0), child);
    CHECK_EQUAL(word, 0);
    return 0;
}

int main(int argc, char *argv[])
{
    (void)argv;
    if (argc > 1)
        return after_exec();
    if (getuid() != 0)
        guest_skip("only root can change its user");
    int self = open("/proc/self/exe", O_PATH);
    CHECK(self >= 0);
    CHECK(!setgroups(0, NULL));
    CHECK(!setresgid(NOBODY, NOBODY, NOBODY));
    CHECK(!setresuid(NOBODY, NOBODY, NOBODY));
    pid_t child = fork();
    CHECK(child >= 0);
    if (!child) {
        load_library();
        puts("loaded");
        fflush(stdout);
        char *const arguments[] = {"guest", "again", NULL};
        fexecve(self, arguments, environ);
        guest_fail(__FILE__, __LINE__, "fexecve");
    }
    int word;
    CHECK_EQUAL(waitpid(child, &word, 0), child);
    CHECK_EQUAL(word, 0);
    puts("executed");
    return 0;
}
