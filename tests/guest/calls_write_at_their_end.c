/* SPDX-License-Identifier: MIT */
/*
 * Test that what a sleeping call writes is whole as soon as another thread sees any of it, and that
 * nobody sees it in a replay at another time than in the recording: a thread watches the memory of
 * calls of each kind while others are under way, counts how often it has looked, and tells.
 */
#include "tests/guest/guest.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>

enum { PAGE = 4096, LARGE = 3 << 20 };

/* --- the thread that watches --- */

static _Atomic(volatile uint8_t *) watched;
static atomic_int done, all_done;
static uint64_t looks, seen_at[64];
static int seen_count;

/* The sum of its counts is part of the program's output: it has to be the same in each replay. */
static void *watch(void *unused)
{
    (void)unused;
    while (!all_done) {
        volatile uint8_t *at = watched;
        if (!at)
            continue;
        uint8_t before = *at;
        while (!done && *at == before)
            looks++;
        if (seen_count < 64)
            seen_at[seen_count++] = looks;
        watched = NULL;
    }
    return NULL;
}

static void begin_watch(volatile void *at)
{
    done = 0;
    watched = (volatile uint8_t *)at;
}

static void end_watch(void)
{
    done = 1;
    while (watched)
        ;
}

/* Is done a little later, by another process: what the call waits for. */
static pid_t later(void (*act)(int), int argument)
{
    pid_t child = fork();
    if (child)
        return child;
    struct timespec pause = {.tv_nsec = 3000000};
    nanosleep(&pause, NULL);
    act(argument);
    _exit(0);
}

static void reap(pid_t child)
{
    int status;
    CHECK_EQUAL(waitpid(child, &status, 0), child);
    CHECK_EQUAL(status, 0);
}

static void write_hello(int fd)
{
    CHECK_EQUAL(write(fd, "hello", 5), 5);
}

static void nothing(int unused)
{
    (void)unused;
}

/* --- calls --- */

static int ends[2]; /* of a pipe or a pair of sockets */

static void reads_a_pipe(void)
{
    char buffer[64];
    memset(buffer, '.', sizeof buffer);
    CHECK(!pipe(ends));
    pid_t child = later(write_hello, ends[1]);
    begin_watch(buffer);
    CHECK_EQUAL(read(ends[0], buffer, sizeof buffer), 5);
    end_watch();
    CHECK(!memcmp(buffer, "hello.", 6));
    reap(child);
}

static void reads_into_pieces(void)
{
    char first[2] = "..", second[64];
    struct iovec pieces[3] = {{first, 2}, {NULL, 0}, {second, sizeof second}};
    memset(second, '.', sizeof second);
    pid_t child = later(write_hello, ends[1]);
    begin_watch(second);
    CHECK_EQUAL(readv(ends[0], pieces, 3), 5);
    end_watch();
    CHECK(!memcmp(first, "he", 2) && !memcmp(second, "llo.", 4));
    CHECK(pieces[0].iov_base == first && pieces[2].iov_base == second);
    reap(child);
}

static void reads_into_much(void)
{
    char *large = mmap(NULL, LARGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    pid_t child = later(write_hello, ends[1]);
    begin_watch(large);
    CHECK_EQUAL(read(ends[0], large, LARGE), 5);
    end_watch();
    CHECK(!memcmp(large, "hello\0", 6));
    reap(child);
    munmap(large, LARGE);
}

static void polls(void)
{
    struct pollfd polled[2] = {{.fd = ends[0], .events = POLLIN}, {.fd = -1, .revents = 77}};
    pid_t child = later(write_hello, ends[1]);
    begin_watch(&polled[0].revents);
    CHECK_EQUAL(poll(polled, 2, -1), 1);
    end_watch();
    CHECK_EQUAL(polled[0].revents, POLLIN);
    CHECK_EQUAL(polled[1].revents, 0);
    CHECK_EQUAL(polled[0].fd, ends[0]);
    reap(child);
}

static void selects(void)
{
    fd_set readable, others;
    struct timeval limit = {.tv_sec = 50};
    char buffer[8];
    CHECK_EQUAL(read(ends[0], buffer, sizeof buffer), 5);
    FD_ZERO(&readable);
    FD_ZERO(&others);
    FD_SET(ends[0], &readable);
    FD_SET(ends[0], &others);
    pid_t child = later(write_hello, ends[1]);
    begin_watch(&limit);
    CHECK_EQUAL(select(ends[0] + 1, &readable, NULL, &others, &limit), 1);
    end_watch();
    CHECK(FD_ISSET(ends[0], &readable) && !FD_ISSET(ends[0], &others));
    CHECK(limit.tv_sec >= 0 && limit.tv_sec < 50);
    CHECK_EQUAL(read(ends[0], buffer, sizeof buffer), 5);
    reap(child);
}

static void waits_for_events(void)
{
    struct epoll_event event = {.events = EPOLLIN, .data.u64 = 0x1122334455667788}, found[4];
    int epoll = epoll_create1(0);
    memset(found, 7, sizeof found);
    CHECK(!epoll_ctl(epoll, EPOLL_CTL_ADD, ends[0], &event));
    pid_t child = later(write_hello, ends[1]);
    begin_watch(found);
    CHECK_EQUAL(epoll_wait(epoll, found, 4, -1), 1);
    end_watch();
    CHECK_EQUAL(found[0].data.u64, event.data.u64);
    CHECK_EQUAL(((char *)&found[1])[0], 7);
    close(epoll);
    reap(child);
}

static void waits_for_a_child(void)
{
    int status = 0x77777777;
    struct rusage usage;
    memset(&usage, 0xff, sizeof usage);
    pid_t child = later(_exit, 3);
    begin_watch(&status);
    CHECK_EQUAL(wait4(child, &status, 0, &usage), child);
    end_watch();
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 3 && usage.ru_utime.tv_sec == 0);
    siginfo_t info = {.si_signo = 1};
    child = later(_exit, 4);
    begin_watch(&info.si_status);
    CHECK(!waitid(P_PID, (id_t)child, &info, WEXITED));
    end_watch();
    CHECK_EQUAL(info.si_status, 4);
}

static void send_signal(int signal)
{
    CHECK(!kill(getppid(), signal));
}

static void takes_a_signal(void)
{
    sigset_t set;
    siginfo_t info = {0};
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    pid_t child = later(send_signal, SIGUSR1);
    begin_watch(&info);
    CHECK_EQUAL(sigtimedwait(&set, &info, &(struct timespec){.tv_sec = 60}), SIGUSR1);
    end_watch();
    CHECK(info.si_signo == SIGUSR1 && info.si_pid == child);
    reap(child);
}

static void handler(int signal)
{
    (void)signal;
}

/* The rest of the time is written because a signal comes. */
static void sleeps_in_part(void)
{
    struct timespec rest = {.tv_sec = 77};
    signal(SIGUSR2, handler);
    pid_t child = later(send_signal, SIGUSR2);
    begin_watch(&rest);
    CHECK_EQUAL(nanosleep(&(struct timespec){.tv_sec = 60}, &rest), -1);
    end_watch();
    CHECK(errno == EINTR && rest.tv_sec > 0 && rest.tv_sec < 60);
    reap(child);
    struct pollfd polled = {.fd = ends[0], .events = POLLOUT, .revents = 77};
    child = later(send_signal, SIGUSR2);
    begin_watch(&polled.revents);
    CHECK_EQUAL(poll(&polled, 1, -1), -1);
    end_watch();
    CHECK(errno == EINTR && polled.revents == 0);
    reap(child);
}

static void reads_on_after_a_signal(int restart)
{
    char buffer[8] = ".......";
    struct sigaction action = {.sa_handler = handler, .sa_flags = restart};
    int to_parent[2];
    CHECK(!pipe(to_parent) && !sigaction(SIGUSR2, &action, NULL));
    pid_t child = fork();
    if (!child) {
        struct timespec pause = {.tv_nsec = 3000000};
        nanosleep(&pause, NULL);
        send_signal(SIGUSR2);
        nanosleep(&pause, NULL);
        write_hello(to_parent[1]);
        _exit(0);
    }
    begin_watch(buffer);
    ssize_t count = read(to_parent[0], buffer, sizeof buffer);
    end_watch();
    CHECK_EQUAL(count, restart ? 5 : -1);
    CHECK(!memcmp(buffer, restart ? "hello.." : "....", 4));
    reap(child);
    close(to_parent[0]);
    close(to_parent[1]);
}

/* --- sockets --- */

static int passed; /* a descriptor */

static void send_message(int fd)
{
    char text[] = "message";
    union {
        struct cmsghdr header;
        char bytes[CMSG_SPACE(sizeof(int))];
    } control = {.header = {CMSG_LEN(sizeof(int)), SOL_SOCKET, SCM_RIGHTS}};
    struct iovec piece = {text, sizeof text};
    struct msghdr message = {.msg_iov = &piece, .msg_iovlen = 1};
    memcpy(CMSG_DATA(&control.header), &passed, sizeof passed);
    message.msg_control = &control;
    message.msg_controllen = sizeof control;
    CHECK_EQUAL(sendmsg(fd, &message, 0), (ssize_t)sizeof text);
}

static void receives_messages(void)
{
    int pair[2];
    struct sockaddr_un name;
    char text[2][16];
    char control[64];
    struct iovec pieces[2] = {{text[0], 4}, {text[1], sizeof text[1]}};
    CHECK(!socketpair(AF_UNIX, SOCK_DGRAM, 0, pair));
    passed = pair[0];
    for (int i = 0; i < 2; i++) {
        struct mmsghdr messages[2] = {{.msg_hdr = {.msg_name = &name,
                                                   .msg_namelen = sizeof name,
                                                   .msg_iov = pieces,
                                                   .msg_iovlen = 2,
                                                   .msg_control = control,
                                                   .msg_controllen = sizeof control}}};
        struct msghdr *header = &messages[0].msg_hdr;
        memset(text, '.', sizeof text);
        pid_t child = later(send_message, pair[0]);
        begin_watch(text[1]);
        if (i)
            CHECK_EQUAL(recvmmsg(pair[1], messages, 1, MSG_WAITFORONE, NULL), 1);
        else
            messages[0].msg_len = (unsigned)recvmsg(pair[1], header, 0);
        end_watch();
        CHECK_EQUAL(messages[0].msg_len, 8);
        CHECK(!memcmp(text[0], "mess", 4) && !memcmp(text[1], "age", 4) && text[1][4] == '.');
        CHECK(header->msg_name == &name && header->msg_iov == pieces &&
              header->msg_control == control && header->msg_controllen == CMSG_SPACE(4));
        struct cmsghdr *received = CMSG_FIRSTHDR(header);
        CHECK(received->cmsg_type == SCM_RIGHTS);
        int got;
        memcpy(&got, CMSG_DATA(received), sizeof got);
        CHECK(!close(got));
        reap(child);
    }
    close(pair[0]);
    close(pair[1]);
}

static void connect_to(int listener)
{
    struct sockaddr_un address;
    socklen_t length = sizeof address;
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    CHECK(!getsockname(listener, (struct sockaddr *)&address, &length));
    CHECK(!connect(fd, (struct sockaddr *)&address, length));
    CHECK_EQUAL(write(fd, "one ", 4), 4);
    struct timespec pause = {.tv_nsec = 3000000};
    nanosleep(&pause, NULL);
    CHECK_EQUAL(write(fd, "two ", 4), 4);
}

static void accepts(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    socklen_t length = sizeof address;
    char buffer[9] = "........";
    int listener = socket(AF_UNIX, SOCK_STREAM, 0);
    CHECK(!bind(listener, (struct sockaddr *)&address, sizeof(sa_family_t)));
    CHECK(!listen(listener, 1));
    pid_t child = later(connect_to, listener);
    memset(&address, 0x77, sizeof address);
    begin_watch(&length);
    int fd = accept(listener, (struct sockaddr *)&address, &length);
    end_watch();
    CHECK(fd >= 0 && length == sizeof(sa_family_t) && address.sun_family == AF_UNIX);
    CHECK_EQUAL(address.sun_path[0], 0x77);
    length = sizeof address;
    begin_watch(buffer);
    CHECK_EQUAL(recvfrom(fd, buffer, 8, MSG_WAITALL, (struct sockaddr *)&address, &length), 8);
    end_watch();
    CHECK(!strcmp(buffer, "one two "));
    close(fd);
    close(listener);
    reap(child);
}

static int queue;

static void send_to_queue(int unused)
{
    struct {
        long type;
        char text[8];
    } message = {5, "queued"};
    (void)unused;
    CHECK(!msgsnd(queue, &message, 7, 0));
}

static void receives_from_queue(void)
{
    struct {
        long type;
        char text[64];
    } message = {.type = 0};
    queue = msgget(IPC_PRIVATE, 0600);
    if (queue < 0)
        return;
    memset(message.text, '.', sizeof message.text);
    pid_t child = later(send_to_queue, 0);
    begin_watch(&message.type);
    CHECK_EQUAL(msgrcv(queue, &message, sizeof message.text, 0, 0), 7);
    end_watch();
    CHECK(message.type == 5 && !strcmp(message.text, "queued") && message.text[7] == '.');
    reap(child);
    CHECK(!msgctl(queue, IPC_RMID, NULL));
}

/* --- memory that cannot take it --- */

static void bad_buffers(void)
{
    char *pages = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(!mprotect(pages + PAGE, PAGE, PROT_READ));
    write_hello(ends[1]);
    CHECK_EQUAL(read(ends[0], pages + PAGE, 5), -1);
    CHECK_EQUAL(errno, EFAULT);
    void *volatile nowhere = (void *)8;
    CHECK_EQUAL(read(ends[0], nowhere, 5), -1);
    CHECK_EQUAL(errno, EFAULT);
    pid_t child = later(nothing, 0);
    CHECK_EQUAL(syscall(SYS_wait4, child, pages + PAGE, 0, NULL), -1);
    CHECK_EQUAL(errno, EFAULT);
    struct iovec pieces[2] = {{pages, 2}, {pages + PAGE, 8}};
    write_hello(ends[1]);
    ssize_t count = readv(ends[0], pieces, 2);
    CHECK(count == 2 || (count == -1 && errno == EFAULT));
    struct pollfd *polled = (struct pollfd *)(pages + PAGE);
    CHECK_EQUAL(poll(polled, 1, 0), -1);
    CHECK_EQUAL(errno, EFAULT);
    CHECK_EQUAL(poll(NULL, 0, 1), 0);
    munmap(pages, 2 * PAGE);
}

/* Two processes that share memory and nothing else. */
static void shared_with_a_process(void)
{
    char *shared = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    int both[2];
    CHECK(shared != MAP_FAILED && !pipe(both));
    pid_t child = fork();
    if (!child) {
        long count = 0;
        write_hello(both[1]);
        while (!((volatile char *)shared)[4])
            count++;
        printf("child: %s %s\n", shared, count >= 0 ? "seen" : "");
        fflush(stdout);
        _exit(0);
    }
    CHECK_EQUAL(read(both[0], shared, 64), 5);
    reap(child);
}

int main(void)
{
    pthread_t thread;
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    sigaddset(&set, SIGUSR2);
    CHECK(!sigprocmask(SIG_BLOCK, &set, NULL));
    CHECK(!pthread_create(&thread, NULL, watch, NULL));
    sigdelset(&set, SIGUSR1);
    CHECK(!sigprocmask(SIG_UNBLOCK, &set, NULL));
    reads_a_pipe();
    reads_into_pieces();
    reads_into_much();
    polls();
    selects();
    waits_for_events();
    waits_for_a_child();
    takes_a_signal();
    sleeps_in_part();
    reads_on_after_a_signal(SA_RESTART);
    reads_on_after_a_signal(0);
    receives_messages();
    accepts();
    receives_from_queue();
    bad_buffers();
    shared_with_a_process();
    all_done = 1;
    CHECK(!pthread_join(thread, NULL));
    for (int i = 0; i < seen_count; i++)
        fprintf(stderr, "seen after %lu looks\n", (unsigned long)seen_at[i]);
    puts("done");
    return 0;
}
