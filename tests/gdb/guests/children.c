/* SPDX-License-Identifier: MIT */
/* A child that is forked, and one that is spawned (vfork and exec) and then loads this program again, with an argument. */
#define _GNU_SOURCE
#include <spawn.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

static volatile int stage;

__attribute__((noinline)) static void work_in_child(void)
{
    stage = 100; /* mark: child */
    stage++;
}

__attribute__((noinline)) static int be_forked(void)
{
    int status = 0;
    pid_t child = fork(); /* mark: fork */
    if (child == 0) {
        work_in_child();
        _exit(3);
    }
    stage = 1; /* mark: parent */
    waitpid(child, &status, 0);
    return WEXITSTATUS(status);
}

__attribute__((noinline)) static int be_spawned(char **argv)
{
    int status = 0;
    pid_t child = 0;
    char *words[] = {argv[0], "again", NULL};
    posix_spawn(&child, "/proc/self/exe", NULL, NULL, words, NULL); /* mark: spawn */
    stage = 2;
    waitpid(child, &status, 0);
    return WEXITSTATUS(status);
}

__attribute__((noinline)) static int loaded_again(void)
{
    stage = 1000; /* mark: again */
    return 4;
}

int main(int argc, char **argv)
{
    if (argc > 1)
        return loaded_again();
    int sum = be_forked();
    sum += be_spawned(argv);
    stage = sum; /* mark: done */
    return stage - 7;
}
