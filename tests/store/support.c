/* SPDX-License-Identifier: MIT */
#include "tests/store/support.h"

#include "lmdb-store/scope.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

void support_fail(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputc('\n', stderr);
    exit(TEST_FAILED);
}

void support_must(struct rrs_error *error)
{
    char text[512];
    if (error)
        support_fail("unexpected error: %s", rrs_error_format(error, text, sizeof text));
}

uint64_t support_random(uint64_t *state)
{
    uint64_t x = *state;
    x ^= x >> 12;
    x ^= x << 25;
    x ^= x >> 27;
    *state = x;
    return x * UINT64_C(0x2545F4914F6CDD1D);
}

uint64_t support_seed(void)
{
    const char *given = getenv("SEED");
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    uint64_t seed = given ? strtoull(given, NULL, 0) : (uint64_t)now.tv_nsec ^ (uint64_t)now.tv_sec;
    if (seed == 0)
        seed = 1;
    printf("SEED=%llu\n", (unsigned long long)seed);
    fflush(stdout);
    return seed;
}

static int remove_entry(const char *path, const struct stat *status, int kind, struct FTW *walk)
{
    (void)status;
    (void)kind;
    (void)walk;
    if (remove(path) != 0 && errno == EBUSY && umount2(path, MNT_DETACH) == 0)
        remove(path);
    return 0;
}

void support_remove(const char *path)
{
    nftw(path, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

/* The one state a test program keeps: what to remove at its exit, and in which process. */
static char *scratch_paths[16];
static pid_t scratch_owner;

static void remove_scratch(void)
{
    for (unsigned i = 0; i < sizeof scratch_paths / sizeof scratch_paths[0]; i++) {
        if (!scratch_paths[i] || scratch_owner != getpid())
            continue;
        support_remove(scratch_paths[i]);
        free(scratch_paths[i]);
    }
}

char *support_scratch(void)
{
    const char *base = getenv("TMPDIR");
    char *path = support_join(base && *base ? base : "/tmp", "rrsoft-test-XXXXXX");
    if (!mkdtemp(path))
        support_fail("mkdtemp %s: %s", path, strerror(errno));
    unsigned slot = 0;
    while (slot < sizeof scratch_paths / sizeof scratch_paths[0] && scratch_paths[slot])
        slot++;
    require(slot < sizeof scratch_paths / sizeof scratch_paths[0]);
    if (slot == 0)
        atexit(remove_scratch);
    scratch_owner = getpid();
    scratch_paths[slot] = strdup(path);
    return path;
}

char *support_join(const char *directory, const char *name)
{
    char *path;
    if (asprintf(&path, "%s/%s", directory, name) < 0)
        support_fail("out of memory");
    return path;
}

uint8_t *support_slurp(const char *path, uint64_t *size_bytes)
{
    _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat status;
    if (fd < 0 || fstat(fd, &status) < 0)
        support_fail("%s: %s", path, strerror(errno));
    uint64_t size = (uint64_t)status.st_size;
    uint8_t *bytes = malloc(size + 1);
    require(bytes);
    for (uint64_t done = 0; done < size;) {
        ssize_t got = read(fd, bytes + done, size - done);
        require(got > 0);
        done += (uint64_t)got;
    }
    *size_bytes = size;
    return bytes;
}

void support_spill(const char *path, const void *bytes, uint64_t size_bytes)
{
    _cleanup_close_ int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0)
        support_fail("%s: %s", path, strerror(errno));
    for (uint64_t done = 0; done < size_bytes;) {
        ssize_t put = write(fd, (const uint8_t *)bytes + done, size_bytes - done);
        require(put > 0);
        done += (uint64_t)put;
    }
}

enum outcome support_child(enum outcome (*body)(void *context), void *context, unsigned seconds,
                           char *cause)
{
    fflush(NULL);
    pid_t child = fork();
    require(child >= 0);
    if (child == 0) {
        alarm(seconds);
        enum outcome outcome = body(context);
        fflush(NULL);
        _exit(outcome);
    }
    int status;
    require(waitpid(child, &status, 0) == child);
    if (WIFEXITED(status) && WEXITSTATUS(status) >= OUTCOME_RIGHT &&
        WEXITSTATUS(status) <= OUTCOME_WRONG)
        return (enum outcome)WEXITSTATUS(status);
    if (WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM)
        snprintf(cause, 64, "took longer than %u s", seconds);
    else if (WIFSIGNALED(status))
        snprintf(cause, 64, "killed by signal %d", WTERMSIG(status));
    else
        snprintf(cause, 64, "exited with %d", WEXITSTATUS(status));
    return OUTCOME_DIED;
}

static bool write_text(const char *path, const char *text)
{
    _cleanup_close_ int fd = open(path, O_WRONLY | O_CLOEXEC);
    return fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);
}

/* In a user namespace that maps this user to root; see man 7 user_namespaces. */
static bool unshare_as_user(void)
{
    char map[64];
    unsigned uid = geteuid(), gid = getegid();
    if (unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0 || !write_text("/proc/self/setgroups", "deny"))
        return false;
    snprintf(map, sizeof map, "0 %u 1", gid);
    if (!write_text("/proc/self/gid_map", map))
        return false;
    snprintf(map, sizeof map, "0 %u 1", uid);
    return write_text("/proc/self/uid_map", map);
}

void support_private_mounts(void)
{
    bool unshared = unshare(CLONE_NEWNS) == 0 || unshare_as_user();
    if (unshared && mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0)
        return;
    printf("skipped: no mounts of its own: %s\n", strerror(errno));
    exit(TEST_SKIPPED);
}

void support_mount_tmpfs(const char *directory, uint64_t size_bytes)
{
    char options[64];
    snprintf(options, sizeof options, "size=%llu,mode=0755", (unsigned long long)size_bytes);
    if (mount("tmpfs", directory, "tmpfs", 0, options) == 0)
        return;
    printf("skipped: cannot mount a tmpfs: %s\n", strerror(errno));
    exit(TEST_SKIPPED);
}

bool support_is_clear(struct rrs_error *error, const char *path)
{
    char text[512];
    rrs_error_format(error, text, sizeof text);
    bool clear = strstr(text, path) && strlen(error->message) > 5 && !strchr(text, '\n');
    if (!clear)
        fprintf(stderr, "unclear message: %s\n", text);
    rrs_error_destroy(error);
    return clear;
}
