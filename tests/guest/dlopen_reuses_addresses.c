/* SPDX-License-Identifier: MIT */
/* Test that a library loaded where another one was runs its own code, in one process and in parent
 * and child of a fork. */
#include "tests/guest/guest.h"

#include <dlfcn.h>
#include <sys/wait.h>

struct library {
    void *handle;
    int (*identity)(void), (*compute)(int), (*sort)(int *, int);
};

static struct library load(const char *path)
{
    struct library library = {.handle = dlopen(path, RTLD_NOW)};
    CHECK(library.handle);
    library.identity = (int (*)(void))dlsym(library.handle, "library_identity");
    library.compute = (int (*)(int))dlsym(library.handle, "library_compute");
    library.sort = (int (*)(int *, int))dlsym(library.handle, "library_sort");
    CHECK(library.identity && library.compute && library.sort);
    return library;
}

static int expected_compute(int identity, int x)
{
    int sum = 0;
    for (int i = 0; i < x; i++)
        sum += (i * identity + identity + 1000) ^ identity;
    return sum;
}

static void use(const struct library *library, int identity)
{
    CHECK_EQUAL(library->identity(), identity);
    CHECK_EQUAL(library->compute(10), expected_compute(identity, 10));
    int numbers[17];
    for (int i = 0; i < 17; i++)
        numbers[i] = 16 - i;
    CHECK_EQUAL(library->sort(numbers, 17), 0);
    for (int i = 0; i < 17; i++)
        CHECK_EQUAL(numbers[i] * identity % 17, i);
}

static int in_turn(char **paths)
{
    void *last = NULL;
    int reused = 0;
    for (int round = 0; round < 30; round++) {
        int which = round % 3;
        struct library library = load(paths[which]);
        reused += last == (void *)library.identity;
        last = (void *)library.identity;
        use(&library, which + 3);
        CHECK(!dlclose(library.handle));
    }
    return reused;
}

/* After a fork, parent and child load different libraries; most likely at one address. */
static void after_fork(char **paths)
{
    int to_child[2], to_parent[2];
    CHECK(!pipe(to_child) && !pipe(to_parent));
    fflush(stdout);
    pid_t child = fork();
    CHECK(child >= 0);
    int in = child ? to_parent[0] : to_child[0], out = child ? to_child[1] : to_parent[1];
    for (int round = 0; round < 10; round++) {
        int which = (round + (child ? 0 : 1)) % 3;
        struct library library = load(paths[which]);
        void *mine = (void *)library.identity, *theirs;
        use(&library, which + 3);
        CHECK(write(out, &mine, sizeof mine) == sizeof mine);
        CHECK(read(in, &theirs, sizeof theirs) == sizeof theirs);
        CHECK(mine == theirs); /* both are loaded now, at one address */
        use(&library, which + 3);
        CHECK(!dlclose(library.handle));
    }
    if (!child)
        _exit(0);
    int status;
    CHECK_EQUAL(waitpid(child, &status, 0), child);
    CHECK_EQUAL(status, 0);
}

int main(int argc, char **argv)
{
    CHECK(argc == 4);
    CHECK(in_turn(argv + 1) > 20);
    puts("in turn");
    after_fork(argv + 1);
    puts("after fork");
    return 0;
}
