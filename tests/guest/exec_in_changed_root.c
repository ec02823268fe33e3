/* SPDX-License-Identifier: MIT */
/* Test that a program can be executed in a root directory that holds nothing else. */
#include "tests/guest/guest.h"

#include <fcntl.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/wait.h>

static void copy_self(const char *path)
{
    int from = open("/proc/self/exe", O_RDONLY), to = open(path, O_WRONLY | O_CREAT | O_EXCL, 0755);
    struct stat st;
    CHECK(from >= 0 && to >= 0 && !fstat(from, &st));
    for (off_t at = 0; at < st.st_size;)
        CHECK(sendfile(to, from, &at, (size_t)(st.st_size - at)) > 0);
    CHECK(!close(from) && !close(to));
}

static int inside(void)
{
    CHECK(access("/proc", F_OK) == -1 && access("/guest", X_OK) == 0);
    pid_t child = fork();
    CHECK(child >= 0);
    if (!child) {
        puts("a child");
        exit(5);
    }
    int word;
    CHECK_EQUAL(waitpid(child, &word, 0), child);
    CHECK_EQUAL(WEXITSTATUS(word), 5);
    puts("inside");
    return 0;
}

int main(int argc, char *argv[])
{
    (void)argv;
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (argc > 1)
        return inside();
    if (getuid() != 0)
        guest_skip("only root can change its root directory");
    char root[] = "/tmp/guest-root-XXXXXX", path[sizeof root + 16];
    CHECK(mkdtemp(root));
    snprintf(path, sizeof path, "%s/guest", root);
    copy_self(path);
    pid_t child = fork();
    CHECK(child >= 0);
    if (!child) {
        if (chroot(root))
            _exit(GUEST_SKIPPED);
        CHECK(!chdir("/"));
        execl("/guest", "guest", "inside", NULL);
        guest_fail(__FILE__, __LINE__, "execl");
    }
    int word;
    CHECK_EQUAL(waitpid(child, &word, 0), child);
    CHECK(!unlink(path) && !rmdir(root));
    CHECK(WIFEXITED(word));
    return WEXITSTATUS(word);
}
