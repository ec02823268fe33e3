/* SPDX-License-Identifier: MIT */
/*
 * What the calls of syscall_outputs_cases.def are made on: descriptors with fixed numbers, messages
 * that wait in sockets and queues, a dead child, a pending signal.
 */
#ifndef RRS_TESTS_UNIT_SYSCALL_STAGE_H
#define RRS_TESTS_UNIT_SYSCALL_STAGE_H

#include "tests/unit/test.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <mqueue.h>
#include <netinet/in.h>
#include <pty.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <sys/xattr.h>

enum stage_descriptor {
    FILE_FD = 100, /* 10,000 bytes */
    PIPE_FD,       /* read end, with "hello" in it */
    PIPE_WRITE_FD,
    DIRECTORY_FD,
    UDP_FD, /* three datagrams wait, with time stamps and credentials */
    UDP_SENDER_FD,
    STREAM_FD, /* "stream" waits */
    STREAM_PEER_FD,
    LISTENER_FD, /* a connection waits */
    CONNECTING_FD,
    EPOLL_FD, /* has PIPE_FD */
    TIMER_FD, /* armed */
    TERMINAL_FD,
    TERMINAL_MASTER_FD,
    QUEUE_FD, /* a message waits */
    OTHER_FILE_FD,
    EMPTY_FD, /* a pipe that nothing comes out of */
    RANDOM_FD,
    NAMESPACE_FD,
};

enum stage_value {
    STAGE_SHM,
    STAGE_MSG,
    STAGE_SEM,
    STAGE_KEY,
    STAGE_TIMER,
    STAGE_PID,
    STAGE_CODE,       /* two pages that are mapped, then a hole */
    STAGE_SHORT_READ, /* vector of another process: own memory */
    STAGE_MOUNT,      /* statmount's request: everything about "/" */
    STAGE_VALUES
};

struct stage {
    uint64_t values[STAGE_VALUES];
    struct iovec remote;
    uint64_t mount[3];
    char directory[64];
};

static inline void stage_place(int fd, int number)
{
    if (fd < 0)
        return; /* the calls on it say EBADF */
    CHECK(dup2(fd, number) == number);
    close(fd);
}

static inline void stage_files(struct stage *stage)
{
    char bytes[10000];
    int pipes[2];
    memset(bytes, 'x', sizeof bytes);
    strcpy(stage->directory, "/tmp/rrs-outputs-XXXXXX");
    CHECK(mkdtemp(stage->directory) && !chdir(stage->directory));
    stage_place(open("file", O_RDWR | O_CREAT, 0600), FILE_FD);
    stage_place(open("other", O_RDWR | O_CREAT, 0600), OTHER_FILE_FD);
    CHECK(write(FILE_FD, bytes, sizeof bytes) == sizeof bytes);
    CHECK(lseek(FILE_FD, 0, SEEK_SET) == 0 && !symlink("where/it/points", "link"));
    setxattr("file", "user.name", "attribute", 9, 0);
    stage_place(open(".", O_RDONLY | O_DIRECTORY), DIRECTORY_FD);
    CHECK(!pipe(pipes));
    CHECK(write(pipes[1], "hello", 5) == 5);
    stage_place(pipes[0], PIPE_FD);
    stage_place(pipes[1], PIPE_WRITE_FD);
    CHECK(!pipe(pipes));
    stage_place(pipes[0], EMPTY_FD);
    stage_place(open("/dev/urandom", O_RDONLY), RANDOM_FD);
    stage_place(open("/proc/self/ns/user", O_RDONLY), NAMESPACE_FD);
}

static inline void stage_sockets(void)
{
    struct sockaddr_in any = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct sockaddr *address = (struct sockaddr *)&any;
    socklen_t length = sizeof any;
    int on = 1, pair[2];
    stage_place(socket(AF_INET, SOCK_DGRAM, 0), UDP_FD);
    stage_place(socket(AF_INET, SOCK_DGRAM, 0), UDP_SENDER_FD);
    CHECK(!bind(UDP_FD, address, sizeof any) && !getsockname(UDP_FD, address, &length));
    setsockopt(UDP_FD, SOL_SOCKET, SO_TIMESTAMP, &on, sizeof on);
    setsockopt(UDP_FD, IPPROTO_IP, IP_PKTINFO, &on, sizeof on);
    CHECK(!connect(UDP_SENDER_FD, address, sizeof any));
    for (int i = 0; i < 3; i++)
        CHECK(send(UDP_SENDER_FD, "a datagram of some bytes", 24, 0) == 24);
    CHECK(!socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
    setsockopt(pair[0], SOL_SOCKET, SO_PASSCRED, &on, sizeof on);
    stage_place(pair[0], STREAM_FD);
    stage_place(pair[1], STREAM_PEER_FD);
    CHECK(send(STREAM_PEER_FD, "stream", 6, 0) == 6);
    any.sin_port = 0;
    stage_place(socket(AF_INET, SOCK_STREAM, 0), LISTENER_FD);
    CHECK(!bind(LISTENER_FD, address, sizeof any) && !listen(LISTENER_FD, 4));
    CHECK(!getsockname(LISTENER_FD, address, &length));
    stage_place(socket(AF_INET, SOCK_STREAM, 0), CONNECTING_FD);
    CHECK(!connect(CONNECTING_FD, address, sizeof any));
}

static inline void stage_queues(struct stage *stage)
{
    struct {
        long kind;
        char text[16];
    } message = {7, "queued message"};
    struct mq_attr attributes = {.mq_maxmsg = 2, .mq_msgsize = 64};
    char name[32];
    stage->values[STAGE_SHM] = (uint64_t)shmget(IPC_PRIVATE, 4096, 0600);
    stage->values[STAGE_MSG] = (uint64_t)msgget(IPC_PRIVATE, 0600);
    stage->values[STAGE_SEM] = (uint64_t)semget(IPC_PRIVATE, 5, 0600);
    CHECK(!msgsnd((int)stage->values[STAGE_MSG], &message, sizeof message.text, 0));
    snprintf(name, sizeof name, "/rrs-%d", getpid());
    stage_place(mq_open(name, O_RDWR | O_CREAT, 0600, &attributes), QUEUE_FD);
    mq_unlink(name);
    mq_send(QUEUE_FD, "posix message", 13, 3);
    stage->values[STAGE_KEY] =
        (uint64_t)syscall(SYS_add_key, "user", "rrs", "payload", 7, -2 /* process keyring */);
}

static inline void stage_on_alarm(int signal)
{
    (void)signal;
}

static inline void stage_processes(struct stage *stage)
{
    struct sigevent nothing = {.sigev_notify = SIGEV_NONE};
    struct itimerspec soon = {{100, 5}, {1000, 7}};
    sigset_t blocked;
    int timer = -1;
    siginfo_t info;
    sigemptyset(&blocked);
    sigaddset(&blocked, SIGUSR1);
    CHECK(!sigprocmask(SIG_BLOCK, &blocked, NULL));
    raise(SIGUSR1);
    sigaction(SIGALRM, &(struct sigaction){.sa_handler = stage_on_alarm}, NULL);
    pid_t child = fork();
    CHECK(child >= 0);
    if (!child)
        _exit(3);
    CHECK(!waitid(P_PID, (id_t)child, &info, WEXITED | WNOWAIT));
    syscall(SYS_timer_create, CLOCK_MONOTONIC, &nothing, &timer);
    syscall(SYS_timer_settime, timer, 0, &soon, NULL);
    stage->values[STAGE_TIMER] = (uint64_t)timer;
    stage->values[STAGE_PID] = (uint64_t)getpid();
    stage_place(timerfd_create(CLOCK_MONOTONIC, 0), TIMER_FD);
    timerfd_settime(TIMER_FD, 0, &soon, NULL);
}

/* Signals end a wait only if nothing else does: the cases that want it wait for long. */
static inline void stage_alarm(void)
{
    struct itimerval often = {{0, 20000}, {0, 20000}};
    setitimer(ITIMER_REAL, &often, NULL);
}

static inline void stage_set(struct stage *stage)
{
    struct epoll_event event = {.events = EPOLLIN, .data.u64 = 0x1122334455667788};
    int master, slave;
    memset(stage, 0, sizeof *stage);
    stage_files(stage);
    stage_sockets();
    stage_queues(stage);
    stage_processes(stage);
    stage_place(epoll_create1(0), EPOLL_FD);
    CHECK(!epoll_ctl(EPOLL_FD, EPOLL_CTL_ADD, PIPE_FD, &event));
    CHECK(!openpty(&master, &slave, NULL, NULL, NULL));
    stage_place(master, TERMINAL_MASTER_FD);
    stage_place(slave, TERMINAL_FD);
    uint8_t *pages =
        mmap(NULL, 3 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(pages != MAP_FAILED && !munmap(pages + 2 * 4096, 4096));
    memset(pages, 'p', 2 * 4096);
    stage->values[STAGE_CODE] = (uintptr_t)pages;
    stage->remote = (struct iovec){pages, 48};
    stage->values[STAGE_SHORT_READ] = (uintptr_t)&stage->remote;
    struct statx root = {0};
    statx(AT_FDCWD, "/", 0, 0x4000 /* STATX_MNT_ID_UNIQUE */, &root);
    stage->mount[0] = sizeof stage->mount;
    stage->mount[1] = root.stx_mnt_id;
    stage->mount[2] = 0x3f;
    stage->values[STAGE_MOUNT] = (uintptr_t)stage->mount;
    stage_alarm();
}

static inline void stage_strike(const struct stage *stage)
{
    shmctl((int)stage->values[STAGE_SHM], IPC_RMID, NULL);
    msgctl((int)stage->values[STAGE_MSG], IPC_RMID, NULL);
    semctl((int)stage->values[STAGE_SEM], 0, IPC_RMID);
    unlink("file");
    unlink("other");
    unlink("link");
    rmdir(stage->directory);
}

#endif
