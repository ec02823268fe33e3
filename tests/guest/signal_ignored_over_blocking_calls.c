/* SPDX-License-Identifier: MIT */
/* Test that SIGCHLD and SIGWINCH, ignored, change nothing in any call that blocks: no EINTR, no
 * short result, no early end. */
#include "tests/guest/guest.h"

#include <fcntl.h>
#include <linux/futex.h>
#include <mqueue.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/select.h>
#include <sys/sem.h>
#include <sys/sendfile.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>

enum { GAP_US = 2500, SLEEP_MS = 12, FOREVER_MS = 60000 };

static int ends[2];
static char big[200000];

static double now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

/* ends[1] -> ends[0]: what the caller reads from (pipe, socket ...) and what the other side writes
 * to. */
static void open_pipe(void)
{
    CHECK(!pipe(ends));
}
static void open_stream(void)
{
    CHECK(!socketpair(AF_UNIX, SOCK_STREAM, 0, ends));
}
static void open_dgram(void)
{
    CHECK(!socketpair(AF_UNIX, SOCK_DGRAM, 0, ends));
}
static void open_eventfd(void)
{
    ends[0] = eventfd(0, 0);
    ends[1] = dup(ends[0]);
}

/* The other side's completing action. */
static void act_nothing(void)
{
}
static void act_write(void)
{
    CHECK(write(ends[1], "12345678", 8) == 8);
}
static void act_drain(void)
{
    static char sink[sizeof big];
    size_t total = 0;
    close(ends[1]);
    ssize_t part;
    while (total < sizeof big && (part = read(ends[0], sink, sizeof sink)) > 0)
        total += (size_t)part;
    CHECK_EQUAL(total, sizeof big);
}

static char buffer[64];

static void call_read(void)
{
    CHECK_EQUAL(read(ends[0], buffer, sizeof buffer), 8);
}
static void call_readv(void)
{
    struct iovec vector[2] = {{buffer, 3}, {buffer + 3, 20}};
    CHECK_EQUAL(readv(ends[0], vector, 2), 8);
}
static void call_recv(void)
{
    CHECK_EQUAL(recv(ends[0], buffer, sizeof buffer, 0), 8);
}
static void call_recv_waitall(void)
{
    CHECK_EQUAL(recv(ends[0], buffer, 8, MSG_WAITALL), 8);
}
static void call_recvmsg(void)
{
    struct iovec vector = {buffer, sizeof buffer};
    struct msghdr message = {.msg_iov = &vector, .msg_iovlen = 1};
    CHECK_EQUAL(recvmsg(ends[0], &message, 0), 8);
}
static void call_recvmmsg(void)
{
    struct iovec vector = {buffer, sizeof buffer};
    struct mmsghdr message = {.msg_hdr = {.msg_iov = &vector, .msg_iovlen = 1}};
    CHECK_EQUAL(recvmmsg(ends[0], &message, 1, 0, NULL), 1);
    CHECK_EQUAL(message.msg_len, 8);
}
static void call_recv_timeout(void)
{
    struct timeval limit = {60, 0};
    CHECK(!setsockopt(ends[0], SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit));
    CHECK_EQUAL(recv(ends[0], buffer, sizeof buffer, 0), 8);
}
static void call_write(void)
{
    CHECK_EQUAL(write(ends[1], big, sizeof big), sizeof big);
    close(ends[1]);
}
static void call_writev(void)
{
    struct iovec vector[2] = {{big, 1000}, {big + 1000, sizeof big - 1000}};
    CHECK_EQUAL(writev(ends[1], vector, 2), sizeof big);
    close(ends[1]);
}
static void call_send(void)
{
    CHECK_EQUAL(send(ends[1], big, sizeof big, 0), sizeof big);
    close(ends[1]);
}
static void call_sendfile(void)
{
    int file = memfd_create("source", 0);
    CHECK(write(file, big, sizeof big) == sizeof big);
    off_t offset = 0;
    size_t left = sizeof big;
    while (left) {
        ssize_t part = sendfile(ends[1], file, &offset, left);
        CHECK(part > 0);
        left -= (size_t)part;
    }
    close(file);
    close(ends[1]);
}
static void call_splice(void)
{
    int out[2];
    CHECK(!pipe(out));
    CHECK_EQUAL(splice(ends[0], NULL, out[1], NULL, 8, 0), 8);
    close(out[0]);
    close(out[1]);
}
static void call_poll(void)
{
    struct pollfd poller = {.fd = ends[0], .events = POLLIN};
    CHECK_EQUAL(poll(&poller, 1, FOREVER_MS), 1);
}
static void call_ppoll(void)
{
    struct pollfd poller = {.fd = ends[0], .events = POLLIN};
    struct timespec limit = {60, 0};
    sigset_t none;
    sigemptyset(&none);
    CHECK_EQUAL(ppoll(&poller, 1, &limit, &none), 1);
}
static void call_select(void)
{
    fd_set set;
    FD_ZERO(&set);
    FD_SET(ends[0], &set);
    struct timeval limit = {60, 0};
    CHECK_EQUAL(select(ends[0] + 1, &set, NULL, NULL, &limit), 1);
}
static void call_pselect(void)
{
    fd_set set;
    FD_ZERO(&set);
    FD_SET(ends[0], &set);
    sigset_t none;
    sigemptyset(&none);
    CHECK_EQUAL(pselect(ends[0] + 1, &set, NULL, NULL, NULL, &none), 1);
}
static void call_epoll(void)
{
    int epoll = epoll_create1(0);
    struct epoll_event event = {.events = EPOLLIN};
    CHECK(!epoll_ctl(epoll, EPOLL_CTL_ADD, ends[0], &event));
    CHECK_EQUAL(epoll_wait(epoll, &event, 1, FOREVER_MS), 1);
    close(epoll);
}
static void call_epoll_pwait2(void)
{
    int epoll = epoll_create1(0);
    struct epoll_event event = {.events = EPOLLIN};
    struct timespec limit = {60, 0};
    CHECK(!epoll_ctl(epoll, EPOLL_CTL_ADD, ends[0], &event));
    CHECK_EQUAL(syscall(441, epoll, &event, 1, &limit, NULL, 8), 1);
    close(epoll);
}
static void check_slept(double start, double wanted)
{
    CHECK(now_ms() - start >= wanted - 0.1);
}
static void call_poll_timeout(void)
{
    double start = now_ms();
    CHECK_EQUAL(poll(NULL, 0, SLEEP_MS), 0);
    check_slept(start, SLEEP_MS);
}
static void call_select_timeout(void)
{
    double start = now_ms();
    struct timeval limit = {0, SLEEP_MS * 1000};
    CHECK_EQUAL(select(0, NULL, NULL, NULL, &limit), 0);
    check_slept(start, SLEEP_MS);
}
static void call_epoll_timeout(void)
{
    double start = now_ms();
    int epoll = epoll_create1(0);
    struct epoll_event event;
    CHECK_EQUAL(epoll_wait(epoll, &event, 1, SLEEP_MS), 0);
    check_slept(start, SLEEP_MS);
    close(epoll);
}
static void call_recv_timeout_expires(void)
{
    double start = now_ms();
    struct timeval limit = {0, SLEEP_MS * 1000};
    CHECK(!setsockopt(ends[0], SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit));
    CHECK_EQUAL(recv(ends[0], buffer, 1, 0), -1);
    CHECK_EQUAL(errno, EAGAIN);
    check_slept(start, SLEEP_MS - 4);
}
static void call_nanosleep(void)
{
    double start = now_ms();
    struct timespec wanted = {0, SLEEP_MS * 1000000};
    CHECK_EQUAL(nanosleep(&wanted, NULL), 0);
    check_slept(start, SLEEP_MS);
}
static void call_clock_nanosleep(void)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += SLEEP_MS * 1000000;
    until.tv_sec += until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    CHECK_EQUAL(clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL), 0);
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    CHECK(now.tv_sec > until.tv_sec ||
          (now.tv_sec == until.tv_sec && now.tv_nsec >= until.tv_nsec));
}
static int *futex_word;
static void call_futex_timeout(void)
{
    double start = now_ms();
    struct timespec limit = {0, SLEEP_MS * 1000000};
    *futex_word = 1;
    CHECK_EQUAL(syscall(SYS_futex, futex_word, FUTEX_WAIT, 1, &limit, NULL, 0), -1);
    CHECK_EQUAL(errno, ETIMEDOUT);
    check_slept(start, SLEEP_MS);
}
static void call_futex(void)
{
    *futex_word = 1;
    while (__atomic_load_n(futex_word, __ATOMIC_SEQ_CST) == 1)
        if (syscall(SYS_futex, futex_word, FUTEX_WAIT, 1, NULL, NULL, 0))
            CHECK_EQUAL(errno, EAGAIN);
}
static void act_futex(void)
{
    __atomic_store_n(futex_word, 2, __ATOMIC_SEQ_CST);
    CHECK(syscall(SYS_futex, futex_word, FUTEX_WAKE, 1, NULL, NULL, 0) >= 0);
}
static void call_sigtimedwait(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR2);
    struct timespec limit = {60, 0};
    CHECK_EQUAL(sigtimedwait(&set, NULL, &limit), SIGUSR2);
}
static void act_usr2(void)
{
    CHECK(!kill(getppid(), SIGUSR2));
}
static void call_sigtimedwait_expires(void)
{
    double start = now_ms();
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR2);
    struct timespec limit = {0, SLEEP_MS * 1000000};
    CHECK_EQUAL(sigtimedwait(&set, NULL, &limit), -1);
    CHECK_EQUAL(errno, EAGAIN);
    check_slept(start, SLEEP_MS);
}
static void call_signalfd(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR2);
    int fd = signalfd(-1, &set, 0);
    struct signalfd_siginfo info;
    CHECK_EQUAL(read(fd, &info, sizeof info), sizeof info);
    close(fd);
}
static void call_accept(void)
{
    int fd = accept(ends[0], NULL, NULL);
    CHECK(fd >= 0);
    close(fd);
}
static struct sockaddr_in listening;
static void open_listener(void)
{
    socklen_t length = sizeof listening;
    listening = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    ends[0] = socket(AF_INET, SOCK_STREAM, 0);
    ends[1] = dup(ends[0]);
    CHECK(!bind(ends[0], (struct sockaddr *)&listening, sizeof listening));
    CHECK(!listen(ends[0], 1));
    CHECK(!getsockname(ends[0], (struct sockaddr *)&listening, &length));
}
static void act_connect(void)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    CHECK(!connect(fd, (struct sockaddr *)&listening, sizeof listening));
    close(fd);
}
static int queue_id, semaphore_id;
static void open_msgq(void)
{
    open_pipe();
    queue_id = msgget(IPC_PRIVATE, 0600);
    CHECK(queue_id >= 0);
}
static void call_msgrcv(void)
{
    struct {
        long type;
        char text[8];
    } message;
    CHECK_EQUAL(msgrcv(queue_id, &message, 8, 0, 0), 4);
    msgctl(queue_id, IPC_RMID, NULL);
}
static void act_msgsnd(void)
{
    struct {
        long type;
        char text[8];
    } message = {1, "abc"};
    CHECK(!msgsnd(queue_id, &message, 4, 0));
}
static void open_sem(void)
{
    open_pipe();
    semaphore_id = semget(IPC_PRIVATE, 1, 0600);
    CHECK(semaphore_id >= 0);
}
static void call_semop(void)
{
    struct sembuf down = {0, -1, 0};
    CHECK(!semop(semaphore_id, &down, 1));
    semctl(semaphore_id, 0, IPC_RMID);
}
static void call_semtimedop(void)
{
    struct sembuf down = {0, -1, 0};
    struct timespec limit = {60, 0};
    CHECK(!semtimedop(semaphore_id, &down, 1, &limit));
    semctl(semaphore_id, 0, IPC_RMID);
}
static void act_semop(void)
{
    struct sembuf up = {0, 1, 0};
    CHECK(!semop(semaphore_id, &up, 1));
}
static mqd_t message_queue;
static void open_mq(void)
{
    open_pipe();
    char name[64];
    snprintf(name, sizeof name, "/guest-%d", (int)getpid());
    struct mq_attr attributes = {.mq_maxmsg = 2, .mq_msgsize = 16};
    message_queue = mq_open(name, O_RDWR | O_CREAT | O_EXCL, 0600, &attributes);
    CHECK(message_queue != (mqd_t)-1);
    mq_unlink(name);
}
static void call_mq_receive(void)
{
    struct timespec limit = {.tv_sec = time(NULL) + 60};
    CHECK_EQUAL(mq_timedreceive(message_queue, buffer, sizeof buffer, NULL, &limit), 2);
    mq_close(message_queue);
}
static void act_mq_send(void)
{
    CHECK(!mq_send(message_queue, "mq", 2, 0));
}
/* Locks: the other side takes the lock before it says so in its first act, and gives it back in the
 * second. */
static int lock_fd;
static char lock_path[] = "/tmp/guest-lock-XXXXXX";
static void open_lock(void)
{
    open_pipe();
    memcpy(lock_path + sizeof lock_path - 7, "XXXXXX", 6);
    lock_fd = mkstemp(lock_path);
    CHECK(lock_fd >= 0);
}
static void prepare_flock(void)
{
    lock_fd = open(lock_path, O_RDWR);
    CHECK(!flock(lock_fd, LOCK_EX));
}
static void call_flock(void)
{
    CHECK(!flock(lock_fd, LOCK_EX));
    unlink(lock_path);
    close(lock_fd);
}
static void act_unflock(void)
{
    CHECK(!flock(lock_fd, LOCK_UN));
}
static void prepare_fcntl(void)
{
    struct flock lock = {.l_type = F_WRLCK};
    CHECK(!fcntl(lock_fd, F_SETLK, &lock));
}
static void call_fcntl(void)
{
    struct flock lock = {.l_type = F_WRLCK};
    CHECK(!fcntl(lock_fd, F_SETLKW, &lock));
    unlink(lock_path);
    close(lock_fd);
}
static void act_unfcntl(void)
{
    struct flock lock = {.l_type = F_UNLCK};
    CHECK(!fcntl(lock_fd, F_SETLK, &lock));
}
static void call_timerfd(void)
{
    int timer = timerfd_create(CLOCK_MONOTONIC, 0);
    struct itimerspec once = {{0, 0}, {0, SLEEP_MS * 1000000}};
    uint64_t expired;
    CHECK(!timerfd_settime(timer, 0, &once, NULL));
    CHECK_EQUAL(read(timer, &expired, sizeof expired), 8);
    CHECK_EQUAL(expired, 1);
    close(timer);
}
static void open_inotify(void)
{
    open_lock();
    close(ends[0]);
    ends[0] = inotify_init();
    CHECK(inotify_add_watch(ends[0], lock_path, IN_ATTRIB) > 0);
}
static void call_inotify(void)
{
    CHECK(read(ends[0], big, sizeof big) >= 16);
    memset(big, 0, sizeof big);
    unlink(lock_path);
    close(lock_fd);
}
static void act_chmod(void)
{
    CHECK(!fchmod(lock_fd, 0640));
}
static char fifo_path[64];
static void open_fifo(void)
{
    open_pipe();
    snprintf(fifo_path, sizeof fifo_path, "/tmp/guest-fifo-%d", (int)getpid());
    CHECK(!mkfifo(fifo_path, 0600));
}
static void call_open_fifo(void)
{
    int fd = open(fifo_path, O_RDONLY);
    CHECK(fd >= 0);
    close(fd);
    unlink(fifo_path);
}
static void act_open_fifo(void)
{
    int fd = open(fifo_path, O_WRONLY);
    CHECK(fd >= 0);
    close(fd);
}

/* A child to wait for: it ends when the pipe is closed or written. */
static pid_t waited;
static void open_child(void)
{
    open_pipe();
    waited = fork();
    CHECK(waited >= 0);
    if (!waited) {
        char byte;
        CHECK(read(ends[0], &byte, 1) == 1);
        _exit(5);
    }
}
static void call_waitpid(void)
{
    int status;
    CHECK_EQUAL(waitpid(waited, &status, 0), waited);
    CHECK_EQUAL(WEXITSTATUS(status), 5);
}
static void call_waitid(void)
{
    siginfo_t info;
    CHECK_EQUAL(waitid(P_PID, (id_t)waited, &info, WEXITED), 0);
    CHECK_EQUAL(info.si_status, 5);
}

static const struct row {
    const char *name;
    void (*open)(void), (*call)(void), (*act)(void), (*prepare)(void);
} rows[] = {
    {"read pipe", open_pipe, call_read, act_write, NULL},
    {"readv pipe", open_pipe, call_readv, act_write, NULL},
    {"read stream", open_stream, call_read, act_write, NULL},
    {"read eventfd", open_eventfd, call_read, act_write, NULL},
    {"recv stream", open_stream, call_recv, act_write, NULL},
    {"recv waitall", open_stream, call_recv_waitall, act_write, NULL},
    {"recv dgram", open_dgram, call_recv, act_write, NULL},
    {"recvmsg", open_dgram, call_recvmsg, act_write, NULL},
    {"recvmmsg", open_dgram, call_recvmmsg, act_write, NULL},
    {"recv with limit", open_dgram, call_recv_timeout, act_write, NULL},
    {"recv limit ends", open_dgram, call_recv_timeout_expires, act_nothing, NULL},
    {"write pipe", open_pipe, call_write, act_drain, NULL},
    {"writev pipe", open_pipe, call_writev, act_drain, NULL},
    {"send stream", open_stream, call_send, act_drain, NULL},
    {"sendfile", open_stream, call_sendfile, act_drain, NULL},
    {"splice", open_pipe, call_splice, act_write, NULL},
    {"poll", open_pipe, call_poll, act_write, NULL},
    {"ppoll", open_pipe, call_ppoll, act_write, NULL},
    {"select", open_pipe, call_select, act_write, NULL},
    {"pselect", open_pipe, call_pselect, act_write, NULL},
    {"epoll_wait", open_pipe, call_epoll, act_write, NULL},
    {"epoll_pwait2", open_pipe, call_epoll_pwait2, act_write, NULL},
    {"poll timeout", open_pipe, call_poll_timeout, act_nothing, NULL},
    {"select timeout", open_pipe, call_select_timeout, act_nothing, NULL},
    {"epoll timeout", open_pipe, call_epoll_timeout, act_nothing, NULL},
    {"nanosleep", open_pipe, call_nanosleep, act_nothing, NULL},
    {"clock_nanosleep", open_pipe, call_clock_nanosleep, act_nothing, NULL},
    {"futex", open_pipe, call_futex, act_futex, NULL},
    {"futex timeout", open_pipe, call_futex_timeout, act_nothing, NULL},
    {"sigtimedwait", open_pipe, call_sigtimedwait, act_usr2, NULL},
    {"sigtimedwait ends", open_pipe, call_sigtimedwait_expires, act_nothing, NULL},
    {"signalfd", open_pipe, call_signalfd, act_usr2, NULL},
    {"accept", open_listener, call_accept, act_connect, NULL},
    {"msgrcv", open_msgq, call_msgrcv, act_msgsnd, NULL},
    {"semop", open_sem, call_semop, act_semop, NULL},
    {"semtimedop", open_sem, call_semtimedop, act_semop, NULL},
    {"mq_timedreceive", open_mq, call_mq_receive, act_mq_send, NULL},
    {"flock", open_lock, call_flock, act_unflock, prepare_flock},
    {"fcntl lock", open_lock, call_fcntl, act_unfcntl, prepare_fcntl},
    {"timerfd", open_pipe, call_timerfd, act_nothing, NULL},
    {"inotify", open_inotify, call_inotify, act_chmod, NULL},
    {"open fifo", open_fifo, call_open_fifo, act_open_fifo, NULL},
    {"waitpid", open_child, call_waitpid, act_write, NULL},
    {"waitid", open_child, call_waitid, act_write, NULL},
};

static void disturb(const struct row *row, int ready)
{
    if (row->prepare)
        row->prepare();
    CHECK(write(ready, "r", 1) == 1);
    for (int i = 0; i < 2; i++) {
        usleep(GAP_US);
        kill(getppid(), i ? SIGWINCH : SIGCHLD);
    }
    usleep(GAP_US);
    row->act();
    _exit(0);
}

static void run(const struct row *row)
{
    int ready[2];
    char byte;
    row->open();
    CHECK(!pipe(ready));
    pid_t child = fork();
    CHECK(child >= 0);
    if (!child)
        disturb(row, ready[1]);
    CHECK(read(ready[0], &byte, 1) == 1);
    row->call();
    int status;
    CHECK_EQUAL(waitpid(child, &status, 0), child);
    CHECK_EQUAL(status, 0);
    close(ends[0]);
    close(ends[1]);
    close(ready[0]);
    close(ready[1]);
    printf("%s\n", row->name);
}

int main(void)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    futex_word = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CHECK(futex_word != MAP_FAILED);
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR2);
    CHECK(!sigprocmask(SIG_BLOCK, &set, NULL));
    signal(SIGWINCH,
           SIG_IGN); /* SIGCHLD stays ignored by default: ignoring it on purpose reaps children */
    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++)
        run(&rows[i]);
    return 0;
}
