/* SPDX-License-Identifier: MIT */
/* Test that files of /proc about the program say the same however they are opened, also about
 * other processes of the program, and that their descriptors are what was asked for. */
#include "tests/guest/guest.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

enum { TEXT_MAX = 1 << 16 };

static const char *content(int fd)
{
    static char texts[4][TEXT_MAX];
    static int next;
    char *text = texts[next++ % 4];
    size_t size = 0;
    ssize_t count;
    CHECK(fd >= 0);
    while ((count = read(fd, text + size, TEXT_MAX - 1 - size)) > 0)
        size += (size_t)count;
    CHECK(!count && size);
    text[size] = 0;
    close(fd);
    return text;
}

static const char *file(const char *path)
{
    return content(open(path, O_RDONLY));
}

static int mappings_like(const char *maps, const char *permissions, const char *name)
{
    int count = 0;
    for (const char *line = maps; *line; line = strchr(line, '\n') + 1) {
        char text[PATH_MAX], *end = strchr(line, '\n');
        snprintf(text, sizeof text, "%.*s", (int)(end - line), line);
        count += strstr(text, permissions) && strstr(text, name);
    }
    return count;
}

static void *in_thread(void *path)
{
    return (void *)file(path);
}

static void every_way(void)
{
    char path[64];
    pthread_t thread;
    void *maps;
    /* The first of everything: stdio's and the thread library's memory is there afterwards. */
    CHECK(!pthread_create(&thread, NULL, in_thread, "/proc/thread-self/maps"));
    CHECK(!pthread_join(thread, &maps));
    CHECK(mappings_like(maps, " r-xp ", "libc") == 1);
    const char *first = file("/proc/self/maps");
    snprintf(path, sizeof path, "/proc/%d/maps", getpid());
    CHECK(!strcmp(first, file(path)));
    snprintf(path, sizeof path, "/proc/self/task/%d/maps", getpid());
    CHECK(!strcmp(first, file(path)));
    CHECK(!strcmp(first, file("/proc/thread-self/maps")));
    int directory = open("/proc/self", O_RDONLY | O_DIRECTORY);
    CHECK(!strcmp(first, content(openat(directory, "maps", O_RDONLY))));
    CHECK(!fchdir(directory) && !strcmp(first, file("maps")));
    close(directory);
    CHECK_EQUAL(mappings_like(first, "xp ", "libc"), 1);
    CHECK(mappings_like(file("/proc/self/smaps"), " r-xp ", "libc") == 1);
}

static void descriptors(void)
{
    int plain = open("/proc/self/maps", O_RDONLY);
    int closed = open("/proc/self/status", O_RDONLY | O_CLOEXEC);
    CHECK_EQUAL(closed, plain + 1);
    CHECK_EQUAL(fcntl(plain, F_GETFD), 0);
    CHECK_EQUAL(fcntl(closed, F_GETFD), FD_CLOEXEC);
    CHECK_EQUAL(fcntl(plain, F_GETFL) & O_ACCMODE, O_RDONLY);
    CHECK_EQUAL(open("/proc/self/nothing/maps", O_RDONLY), -1);
    CHECK_EQUAL(errno, ENOENT);
    close(plain);
    close(closed);
}

/* Running code, and changing it, is nothing that a map shows. */
static void run_code(void)
{
    unsigned char *page = mmap(NULL, 4 * 4096, PROT_READ | PROT_WRITE | PROT_EXEC,
                               MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(page != MAP_FAILED);
    memset(page, 0xc3, 4 * 4096);
    const char *before = file("/proc/self/maps");
    ((void (*)(void))(uintptr_t)(page + 4096))();
    CHECK(!strcmp(before, file("/proc/self/maps")));
    page[4096 + 1] = 0x90;
    ((void (*)(void))(uintptr_t)(page + 2 * 4096))();
    CHECK(!strcmp(before, file("/proc/self/maps")));
    CHECK(!mprotect(page + 4096, 4096, PROT_EXEC));
    CHECK_EQUAL(mappings_like(file("/proc/self/maps"), " --xp ", ""),
                1 + mappings_like(before, " --xp ", ""));
    CHECK(!munmap(page, 4 * 4096));
}

static void state_of(pid_t pid, const char *wanted)
{
    char path[64];
    const char *text;
    snprintf(path, sizeof path, "/proc/%d/status", pid);
    for (int i = 0; i < 2000; i++) {
        text = file(path);
        if (strstr(text, wanted))
            break;
        usleep(1000);
    }
    CHECK(strstr(text, wanted));
    CHECK(strstr(text, "TracerPid:\t0\n"));
    snprintf(path, sizeof path, "/proc/%d/stat", pid);
    CHECK_EQUAL(strrchr(file(path), ')')[2], wanted[7]);
    snprintf(path, sizeof path, "/proc/%d/maps", pid);
    CHECK_EQUAL(mappings_like(file(path), " r-xp ", "libc"), 1);
}

static void of_children(void)
{
    int word;
    pid_t child = fork();
    CHECK(child >= 0);
    if (!child)
        for (;;)
            pause();
    state_of(child, "State:\tS");
    CHECK(!kill(child, SIGSTOP));
    CHECK_EQUAL(waitpid(child, &word, WUNTRACED), child);
    state_of(child, "State:\tT (stopped)");
    CHECK(!kill(child, SIGKILL));
    CHECK_EQUAL(waitpid(child, &word, 0), child);
}

/* What a task is told of itself in other ways. */
static void calls(void)
{
    int signal_number = 0;
    unsigned before = (unsigned)personality(0xffffffff);
    printf("personality %#x\n", before);
    CHECK_EQUAL(personality(before | ADDR_NO_RANDOMIZE), before);
    CHECK_EQUAL(personality(before), before | ADDR_NO_RANDOMIZE);
    CHECK_EQUAL(personality(0xffffffff), before);
    CHECK(!prctl(PR_SET_PDEATHSIG, SIGUSR1) && !prctl(PR_GET_PDEATHSIG, &signal_number));
    CHECK_EQUAL(signal_number, SIGUSR1);
    CHECK(prctl(PR_SET_DUMPABLE, 5) == -1 && errno == EINVAL);
    CHECK(prctl(PR_SET_NO_NEW_PRIVS, 1, 1, 0, 0) == -1 && errno == EINVAL);
    CHECK(prctl(PR_SET_NO_NEW_PRIVS, 0, 0, 0, 0) == -1 && errno == EINVAL);
    CHECK(!prctl(PR_SET_DUMPABLE, 0));
    int word;
    pid_t child = fork();
    if (!child)
        _exit(prctl(PR_GET_DUMPABLE) == 0 ? 9 : 1);
    CHECK(waitpid(child, &word, 0) == child && WEXITSTATUS(word) == 9);
}

int main(void)
{
    setvbuf(stdout, NULL, _IOFBF, 1 << 12);
    puts("begin");
    every_way();
    descriptors();
    run_code();
    of_children();
    calls();
    return 0;
}
