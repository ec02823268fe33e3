/* SPDX-License-Identifier: MIT */
/* Test that every thread has the CPUs that were set for it, and that new ones inherit them. */
#include "tests/guest/guest.h"

#include <pthread.h>
#include <sched.h>
#include <sys/syscall.h>
#include <sys/wait.h>

static cpu_set_t all, first;

static void expect(pid_t tid, const cpu_set_t *cpus)
{
    cpu_set_t now;
    CHECK(!sched_getaffinity(tid, sizeof now, &now));
    CHECK(CPU_EQUAL(&now, cpus));
}

static int tids[2], go_on[2];

static void *thread_main(void *unused)
{
    char byte;
    int tid = (int)syscall(SYS_gettid);
    expect(0, &all);
    CHECK_EQUAL(write(tids[1], &tid, sizeof tid), sizeof tid);
    CHECK_EQUAL(read(go_on[0], &byte, 1), 1);
    expect(0, &first);
    return unused;
}

static void of_threads(void)
{
    pthread_t thread;
    int tid;
    CHECK(!pipe(tids) && !pipe(go_on));
    CHECK(!pthread_create(&thread, NULL, thread_main, NULL));
    CHECK_EQUAL(read(tids[0], &tid, sizeof tid), sizeof tid);
    CHECK(!sched_setaffinity(tid, sizeof first, &first));
    expect(tid, &first);
    expect(0, &all);
    CHECK_EQUAL(write(go_on[1], "", 1), 1);
    CHECK(!pthread_join(thread, NULL));
}

static void show_file(void)
{
    char line[256];
    FILE *file = fopen("/proc/self/status", "r");
    CHECK(file);
    while (fgets(line, sizeof line, file))
        if (!strncmp(line, "Cpus_allowed", 12))
            fputs(line, stdout);
    fclose(file);
    fflush(stdout);
}

static void of_children(void)
{
    CHECK(!sched_setaffinity(0, sizeof first, &first));
    show_file();
    pid_t child = fork();
    CHECK(child >= 0);
    if (!child) {
        expect(0, &first);
        execlp("nproc", "nproc", NULL);
        _exit(1);
    }
    CHECK(!sched_setaffinity(0, sizeof all, &all));
    int word;
    CHECK_EQUAL(waitpid(child, &word, 0), child);
    CHECK_EQUAL(word, 0);
}

static void bad_calls(void)
{
    unsigned char mask[64] = {0};
    long bytes = syscall(SYS_sched_getaffinity, 0, sizeof mask, mask);
    printf("a mask has %ld bytes\n", bytes);
    CHECK(syscall(SYS_sched_getaffinity, 0, 0, mask) == -1 && errno == EINVAL);
    CHECK(syscall(SYS_sched_getaffinity, 0, 9, mask) == -1 && errno == EINVAL);
    CHECK(syscall(SYS_sched_getaffinity, 0, sizeof mask, NULL) == -1 && errno == EFAULT);
    CHECK(syscall(SYS_sched_getaffinity, 0x3fffffff, sizeof mask, mask) == -1 && errno == ESRCH);
    CHECK(syscall(SYS_sched_setaffinity, 0, sizeof mask, NULL) == -1 && errno == EFAULT);
    memset(mask, 0, sizeof mask);
    CHECK(syscall(SYS_sched_setaffinity, 0, sizeof mask, mask) == -1 && errno == EINVAL);
    memset(mask, 0xff, sizeof mask);
    CHECK(!syscall(SYS_sched_setaffinity, 0, sizeof mask, mask));
    expect(0, &all);
}

int main(void)
{
    CHECK(!sched_getaffinity(0, sizeof all, &all));
    for (int cpu = 0; cpu < CPU_SETSIZE && !CPU_COUNT(&first); cpu++)
        if (CPU_ISSET(cpu, &all))
            CPU_SET(cpu, &first);
    show_file();
    bad_calls();
    of_threads();
    of_children();
    return 0;
}
