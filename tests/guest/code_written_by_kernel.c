/* SPDX-License-Identifier: MIT */
/* Test that code that the kernel writes (read, recv, getrandom and others, into a page that holds
 * code) runs as written. */
#include "tests/guest/guest.h"

#include "tests/guest/jit.h"
#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <time.h>

static unsigned char *page, *data;
static uint32_t next_value = 1;
static int fds[2];

/* Runs what the page holds, so that it is code in the eyes of whoever translates. */
static void make_code(void)
{
    jit_emit(page, next_value);
    CHECK_EQUAL(jit_call(page), next_value);
    next_value++;
}

static void expect_code(uint32_t value)
{
    CHECK_EQUAL(jit_call(page), value);
}

static unsigned char *fresh(uint32_t value)
{
    static unsigned char code[JIT_FUNCTION_BYTES];
    jit_emit(code, value);
    return code;
}

static void by_read(void)
{
    CHECK(!pipe(fds));
    for (uint32_t i = 0; i < 20; i++) {
        make_code();
        CHECK_EQUAL(write(fds[1], fresh(1000 + i), JIT_FUNCTION_BYTES), JIT_FUNCTION_BYTES);
        CHECK_EQUAL(read(fds[0], page, JIT_PAGE_BYTES), JIT_FUNCTION_BYTES);
        expect_code(1000 + i);
    }
    CHECK_EQUAL(write(fds[1], fresh(1100), JIT_FUNCTION_BYTES), JIT_FUNCTION_BYTES);
    struct iovec vector[2] = {{page, 2}, {page + 2, 100}};
    CHECK_EQUAL(readv(fds[0], vector, 2), JIT_FUNCTION_BYTES);
    expect_code(1100);
    int file = memfd_create("code", 0);
    CHECK(write(file, fresh(1200), JIT_FUNCTION_BYTES) == JIT_FUNCTION_BYTES);
    CHECK_EQUAL(pread(file, page, JIT_PAGE_BYTES, 0), JIT_FUNCTION_BYTES);
    expect_code(1200);
    close(file);
    /* A read that blocks until a child writes. */
    make_code();
    pid_t child = fork();
    if (!child) {
        usleep(3000);
        _exit(write(fds[1], fresh(1300), JIT_FUNCTION_BYTES) != JIT_FUNCTION_BYTES);
    }
    CHECK_EQUAL(read(fds[0], page, JIT_PAGE_BYTES), JIT_FUNCTION_BYTES);
    expect_code(1300);
    CHECK(waitpid(child, NULL, 0) == child);
    close(fds[0]);
    close(fds[1]);
    puts("read, readv, pread");
}

/* A datagram is lost if the kernel's copy meets a page it cannot write: each must arrive, in order.
 */
static void by_datagrams(void)
{
    CHECK(!socketpair(AF_UNIX, SOCK_DGRAM, 0, fds));
    for (uint32_t i = 0; i < 8; i++)
        CHECK_EQUAL(send(fds[1], fresh(2000 + i), JIT_FUNCTION_BYTES, 0), JIT_FUNCTION_BYTES);
    for (uint32_t i = 0; i < 8; i++) {
        make_code();
        if (i % 2)
            CHECK_EQUAL(recv(fds[0], page, JIT_PAGE_BYTES, 0), JIT_FUNCTION_BYTES);
        else {
            struct iovec vector = {page, JIT_PAGE_BYTES};
            struct msghdr message = {.msg_iov = &vector, .msg_iovlen = 1};
            CHECK_EQUAL(recvmsg(fds[0], &message, 0), JIT_FUNCTION_BYTES);
        }
        expect_code(2000 + i);
    }
    CHECK_EQUAL(recv(fds[0], page, JIT_PAGE_BYTES, MSG_DONTWAIT), -1);
    CHECK_EQUAL(errno, EAGAIN);
    close(fds[0]);
    close(fds[1]);
    puts("datagrams");
}

static void by_eventfd(void)
{
    int fd = eventfd(0, 0);
    for (uint64_t i = 0; i < 10; i++) {
        uint64_t code = 0x0090c300000000b8ul | (3000 + i) << 8; /* fits the 64-bit counter */
        make_code();
        CHECK(write(fd, &code, sizeof code) == sizeof code);
        CHECK_EQUAL(read(fd, page, 8), 8);
        expect_code((uint32_t)(3000 + i));
    }
    close(fd);
    puts("eventfd");
}

/* Results of other calls beside live code on the same page: the code must still run, the results be
 * right. */
static void results_beside_code(void)
{
    make_code();
    struct stat *status = (struct stat *)data;
    CHECK(!stat("/", status) && S_ISDIR(status->st_mode));
    expect_code(next_value - 1);
    struct utsname *name = (struct utsname *)data;
    CHECK(!uname(name) && !strcmp(name->sysname, "Linux"));
    CHECK(!syscall(SYS_clock_gettime, CLOCK_REALTIME, data) && *(time_t *)data > 1000000);
    memset(data, 0, 64);
    CHECK_EQUAL(syscall(SYS_getrandom, data, 32, 0), 32);
    CHECK(pipe((int *)(void *)data) == 0);
    int *pair = (int *)(void *)data;
    struct pollfd *poller = (struct pollfd *)(data + 64);
    *poller = (struct pollfd){.fd = pair[1], .events = POLLOUT, .revents = 0};
    expect_code(next_value - 1);
    CHECK_EQUAL(poll(poller, 1, 1000), 1);
    CHECK_EQUAL(poller->revents, POLLOUT);
    close(pair[0]);
    close(pair[1]);
    int *wait_status = (int *)(void *)data;
    pid_t child = fork();
    if (!child)
        _exit(jit_call(page) == next_value - 1 ? 9 : 1);
    expect_code(next_value - 1);
    CHECK_EQUAL(waitpid(child, wait_status, 0), child);
    CHECK_EQUAL(*wait_status, 9 << 8);
    CHECK(getcwd((char *)data, 512) == (char *)data && data[0] == '/');
    expect_code(next_value - 1);
    puts("results beside code");
}

/* The signal frame itself lands on a page with code. */
static volatile sig_atomic_t handled;
static void on_signal(int signal_number)
{
    handled += signal_number == SIGUSR1;
}

static void frame_beside_code(void)
{
    unsigned char *area = mmap(NULL, 16 * JIT_PAGE_BYTES, PROT_READ | PROT_WRITE | PROT_EXEC,
                               MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(area != MAP_FAILED);
    stack_t stack = {.ss_sp = area, .ss_size = 16 * JIT_PAGE_BYTES};
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_ONSTACK};
    CHECK(!sigaltstack(&stack, NULL) && !sigaction(SIGUSR1, &action, NULL));
    for (uint32_t i = 0; i < 5; i++) {
        unsigned char *top = area + 16 * JIT_PAGE_BYTES - 64 * (i + 1);
        jit_emit(top, 5000 + i);
        CHECK_EQUAL(jit_call(top), 5000 + i);
        raise(SIGUSR1);
        CHECK_EQUAL(handled, i + 1);
        jit_emit(top, 6000 + i);
        CHECK_EQUAL(jit_call(top), 6000 + i);
    }
    puts("frames beside code");
}

/* Code that the program may not write: EFAULT as natively. */
static void faults(void)
{
    CHECK(!pipe(fds));
    CHECK_EQUAL(write(fds[1], fresh(1), JIT_FUNCTION_BYTES), JIT_FUNCTION_BYTES);
    CHECK(!mprotect(page, JIT_PAGE_BYTES, PROT_READ | PROT_EXEC));
    CHECK_EQUAL(read(fds[0], page, JIT_FUNCTION_BYTES), -1);
    CHECK_EQUAL(errno, EFAULT);
    CHECK(!mprotect(page, JIT_PAGE_BYTES, PROT_READ | PROT_WRITE | PROT_EXEC));
    close(fds[0]);
    close(fds[1]);
    puts("faults");
}

int main(void)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    page = mmap(NULL, JIT_PAGE_BYTES, PROT_READ | PROT_WRITE | PROT_EXEC,
                MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(page != MAP_FAILED);
    data = page + 2048;
    by_read();
    by_datagrams();
    by_eventfd();
    results_beside_code();
    frame_beside_code();
    faults();
    return 0;
}
