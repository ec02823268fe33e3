/* SPDX-License-Identifier: MIT */
/* Test that memory holds what others have put there by ways that no argument of a call names: files
 * that are mapped, segments, other processes' writes, forks that leave memory out. */
#include "tests/guest/guest.h"

#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/shm.h>
#include <sys/uio.h>
#include <sys/wait.h>

enum { PAGE = 4096 };

static void *map(int prot, int flags, int fd)
{
    void *memory = mmap(NULL, 2 * PAGE, prot, flags, fd, 0);
    CHECK(memory != MAP_FAILED);
    return memory;
}

/* Lets the two processes take turns. */
struct turns {
    int to_child[2], to_parent[2];
};

static void turns_init(struct turns *turns)
{
    CHECK(!pipe(turns->to_child) && !pipe(turns->to_parent));
}

static void give(int fd)
{
    CHECK_EQUAL(write(fd, "x", 1), 1);
}

static void take(int fd)
{
    char byte;
    CHECK_EQUAL(read(fd, &byte, 1), 1);
}

static void end_child(pid_t child)
{
    int status;
    CHECK_EQUAL(waitpid(child, &status, 0), child);
    CHECK_EQUAL(status, 0);
}

/* --- a file that is mapped in two processes, and written by calls --- */

static void mapped_file(int fd, const char *name)
{
    struct turns turns;
    CHECK(!ftruncate(fd, 2 * PAGE));
    char *shared = map(PROT_READ | PROT_WRITE, MAP_SHARED, fd);
    const char *private = map(PROT_READ, MAP_PRIVATE, fd),
               *read_only = map(PROT_READ, MAP_SHARED, fd);
    turns_init(&turns);
    pid_t child = fork();
    if (!child) {
        take(turns.to_child[0]);
        printf("%s: child sees %s %s\n", name, shared + 100, private + PAGE);
        CHECK(!strcmp(shared + 100, "one") && !strcmp(read_only + PAGE, "two"));
        CHECK_EQUAL(pwrite(fd, "three", 6, PAGE), 6);
        strcpy(shared, "four");
        fflush(stdout);
        give(turns.to_parent[1]);
        _exit(0);
    }
    CHECK_EQUAL(pwrite(fd, "one", 4, 100), 4);
    CHECK_EQUAL(lseek(fd, PAGE, SEEK_SET), PAGE);
    CHECK_EQUAL(write(fd, "two", 4), 4);
    give(turns.to_child[1]);
    take(turns.to_parent[0]);
    printf("%s: parent sees %s %s %s\n", name, shared, private + PAGE, read_only + PAGE);
    end_child(child);
    CHECK(!ftruncate(fd, 10) && !ftruncate(fd, 2 * PAGE));
    CHECK_EQUAL(private[100] + private[PAGE] + shared[100] + read_only[PAGE], 0);
    char *moved = mremap(shared, 2 * PAGE, 2 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED,
                         map(PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1));
    CHECK(moved != MAP_FAILED);
    strcpy(moved + PAGE, "five");
    CHECK(!strcmp(read_only + PAGE, "five"));
    printf("%s: moved\n", name);
}

static void files(void)
{
    char path[] = "/tmp/rrsoft-guest-XXXXXX";
    int fd = mkstemp(path);
    CHECK(fd >= 0 && !unlink(path));
    mapped_file(fd, "file");
    fd = memfd_create("guest", 0);
    CHECK(fd >= 0);
    mapped_file(fd, "memfd");
}

/* --- a segment, attached twice --- */

static void segment(void)
{
    int id = shmget(IPC_PRIVATE, 2 * PAGE, IPC_CREAT | 0600);
    CHECK(id >= 0);
    char *first = shmat(id, NULL, 0);
    CHECK(first != (void *)-1);
    strcpy(first, "before");
    pid_t child = fork();
    if (!child) {
        char *own = shmat(id, NULL, 0);
        CHECK(!strcmp(own, "before"));
        strcpy(own + PAGE, "by the child");
        CHECK(!strcmp(first + PAGE, "by the child") && !shmdt(first));
        strcpy(own, "after");
        _exit(0);
    }
    end_child(child);
    char *second = shmat(id, NULL, SHM_RDONLY);
    CHECK(!strcmp(second, "after") && !strcmp(first + PAGE, "by the child"));
    strcpy(first, "still");
    CHECK(!strcmp(second, "still") && !shmdt(second) && !shmctl(id, IPC_RMID, NULL));
    puts("segment");
}

/* --- another process's memory --- */

static char target[3 * PAGE];

static void other_process(void)
{
    struct turns turns;
    char path[64];
    turns_init(&turns);
    pid_t child = fork();
    if (!child) {
        take(turns.to_child[0]);
        printf("child has %s, %s\n", target + 5, target + 2 * PAGE);
        fflush(stdout);
        _exit(strcmp(target + 5, "by vector") || strcmp(target + 2 * PAGE, "by file"));
    }
    struct iovec local = {"by vector", 10}, remote = {target + 5, 10};
    CHECK_EQUAL(process_vm_writev(child, &local, 1, &remote, 1, 0), 10);
    snprintf(path, sizeof path, "/proc/%d/mem", child);
    int fd = open(path, O_WRONLY);
    CHECK(fd >= 0);
    CHECK_EQUAL(pwrite(fd, "by file", 8, (off_t)(uintptr_t)(target + 2 * PAGE)), 8);
    close(fd);
    give(turns.to_child[1]);
    end_child(child);
}

/* --- forks that leave memory out --- */

static void left_out(void)
{
    int zero = open("/dev/zero", O_RDWR);
    char *wiped = map(PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1);
    char *omitted = map(PROT_READ | PROT_WRITE, MAP_PRIVATE, zero);
    char *shared = map(PROT_READ | PROT_WRITE, MAP_SHARED, zero);
    wiped[0] = wiped[PAGE] = omitted[0] = 1;
    CHECK(!madvise(wiped, PAGE, MADV_WIPEONFORK) && !madvise(omitted, 2 * PAGE, MADV_DONTFORK));
    pid_t child = fork();
    if (!child) {
        unsigned char present;
        CHECK(wiped[0] == 0 && wiped[PAGE] == 1);
        CHECK(mincore(omitted, PAGE, &present) == -1 && errno == ENOMEM);
        strcpy(shared, "by the child");
        _exit(0);
    }
    end_child(child);
    CHECK(wiped[0] == 1 && omitted[0] == 1 && !strcmp(shared, "by the child"));
    puts("left out");
}

int main(void)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    files();
    segment();
    other_process();
    left_out();
    return 0;
}
