/* SPDX-License-Identifier: MIT */
/* Test that fork, vfork, posix_spawn and trees of forks share and separate memory, descriptors and
 * exit statuses right. */
#include "tests/guest/guest.h"

#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/wait.h>

extern char **environ;
static int value = 1;
static int *shared;

static int status_of(pid_t child)
{
    int status;
    CHECK_EQUAL(waitpid(child, &status, 0), child);
    return status;
}

static void separate_memory(void)
{
    volatile int local = 10;
    pid_t child = fork();
    CHECK(child >= 0);
    if (!child) {
        value = 2;
        local = 20;
        *shared = 30;
        _exit(value + local);
    }
    CHECK_EQUAL(status_of(child), 22 << 8);
    CHECK_EQUAL(value, 1);
    CHECK_EQUAL(local, 10);
    CHECK_EQUAL(*shared, 30);
    puts("fork separates");
}

static int tree(int depth)
{
    if (!depth)
        return 1;
    int sum = 1;
    pid_t children[2];
    for (int i = 0; i < 2; i++) {
        children[i] = fork();
        CHECK(children[i] >= 0);
        if (!children[i])
            _exit(tree(depth - 1));
    }
    for (int i = 0; i < 2; i++)
        sum += WEXITSTATUS(status_of(children[i]));
    return sum;
}

static void vforks(char *self)
{
    for (volatile int i = 0; i < 20; i++) {
        volatile int local = i;
        pid_t child = vfork();
        CHECK(child >= 0);
        if (!child) {
            local = i + 100; /* the child runs in the parent's memory, on its stack */
            value++;
            if (i % 2)
                _exit(i);
            execl(self, self, "child", (char *)NULL);
            _exit(127);
        }
        CHECK_EQUAL(local, i + 100);
        CHECK_EQUAL(status_of(child), (i % 2 ? i : 33) << 8);
    }
    CHECK_EQUAL(value, 21);
    pid_t child = vfork();
    if (!child)
        kill(getpid(), SIGKILL);
    CHECK_EQUAL(status_of(child), SIGKILL);
    puts("vfork shares");
}

static void spawns(char *self)
{
    int fds[2];
    CHECK(!pipe(fds));
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, fds[1], STDOUT_FILENO);
    posix_spawn_file_actions_addclose(&actions, fds[0]);
    posix_spawnattr_t attributes;
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETPGROUP);
    char *argv[] = {self, "speak", NULL};
    pid_t child;
    CHECK_EQUAL(posix_spawn(&child, self, &actions, &attributes, argv, environ), 0);
    char text[16] = "";
    CHECK_EQUAL(read(fds[0], text, sizeof text), 6);
    CHECK(!strcmp(text, "spoken"));
    CHECK_EQUAL(status_of(child), 0);
    CHECK_EQUAL(posix_spawn(&child, "/nonexistent", NULL, NULL, argv, environ), ENOENT);
    CHECK_EQUAL(posix_spawnp(&child, "true", NULL, NULL, argv, environ), 0);
    CHECK_EQUAL(status_of(child), 0);
    puts("posix_spawn");
}

static void *fork_in_thread(void *unused)
{
    pid_t child = fork();
    CHECK(child >= 0);
    if (!child)
        _exit(44);
    CHECK_EQUAL(status_of(child), 44 << 8);
    return unused;
}

static int prepared, in_parent, in_child;
static void prepare(void)
{
    prepared++;
}
static void parent(void)
{
    in_parent++;
}
static void child_handler(void)
{
    in_child++;
}

static void handlers_and_threads(void)
{
    pthread_t threads[4];
    for (int i = 0; i < 4; i++)
        CHECK(!pthread_create(&threads[i], NULL, fork_in_thread, NULL));
    for (int i = 0; i < 4; i++)
        CHECK(!pthread_join(threads[i], NULL));
    CHECK(!pthread_atfork(prepare, parent, child_handler));
    pid_t child = fork();
    if (!child)
        _exit(in_child * 10 + prepared);
    CHECK_EQUAL(status_of(child), 11 << 8);
    CHECK(in_parent == 1);
    puts("fork in threads, atfork");
}

/* Pipeline: children passing a counter along. */
static void pipeline(void)
{
    enum { STAGES = 8 };
    int in = -1, first = -1;
    for (int i = 0; i < STAGES; i++) {
        int fds[2];
        CHECK(!pipe(fds));
        if (i == 0) {
            first = fds[1];
            in = fds[0];
            continue;
        }
        pid_t child = fork();
        CHECK(child >= 0);
        if (!child) {
            close(first);
            int number;
            while (read(in, &number, sizeof number) == sizeof number) {
                number++;
                CHECK(write(fds[1], &number, sizeof number) == sizeof number);
            }
            _exit(0);
        }
        close(in);
        close(fds[1]);
        in = fds[0];
    }
    for (int i = 0; i < 50; i++) {
        int number = i;
        CHECK(write(first, &number, sizeof number) == sizeof number);
        CHECK(read(in, &number, sizeof number) == sizeof number);
        CHECK_EQUAL(number, i + STAGES - 1);
    }
    close(first);
    int number;
    CHECK_EQUAL(read(in, &number, sizeof number), 0);
    while (wait(NULL) > 0)
        ;
    puts("pipeline");
}

int main(int argc, char **argv)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (argc > 1 && !strcmp(argv[1], "child"))
        return 33;
    if (argc > 1 && !strcmp(argv[1], "speak"))
        return printf("spoken") == 6 ? 0 : 1;
    shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    separate_memory();
    CHECK_EQUAL(tree(4), 31);
    puts("tree");
    vforks(argv[0]);
    spawns(argv[0]);
    handlers_and_threads();
    pipeline();
    return 0;
}
