/* SPDX-License-Identifier: MIT */
/*
 * Two ways for a tracer's file into a tracee. Opening /proc/TRACER/fd/N takes one injected call,
 * but not every task may do that, or finds the tracer there: it may have other credentials, another
 * root, other namespaces. The second way asks for nothing: the task makes a pair of sockets, the
 * tracer takes one of them and sends the file through it.
 */
#include "engine/run/descriptors.h"

#include "engine/run/address_space.h"
#include "engine/run/remote.h"
#include "lmdb-store/scope.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* --- by name --- */

static bool is_same_file(pid_t tid, int64_t in_task, int fd)
{
    char path[64];
    struct stat theirs, ours;
    snprintf(path, sizeof path, "/proc/%d/fd/%d", tid, (int)in_task);
    return stat(path, &theirs) == 0 && fstat(fd, &ours) == 0 && theirs.st_dev == ours.st_dev &&
           theirs.st_ino == ours.st_ino;
}

/* `*result`: as of open, or -ESTALE where the name leads to something else. */
static struct rrs_error *open_by_name(struct rrs_session *session, struct rrs_task *task, int fd,
                                      int access, rrs_addr scratch, int64_t *result)
{
    char path[64];
    int64_t ignored;
    snprintf(path, sizeof path, "/proc/%d/fd/%d", getpid(), fd);
    RRS_TRY(rrs_tracee_write(task->tid, scratch, path, strlen(path) + 1));
    /* O_NONBLOCK: should it be a FIFO of somebody else's, it must not sleep. */
    uint64_t flags = (uint64_t)(access | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    RRS_TRY(rrs_remote_call(session, task, SYS_open, RRS_ARGUMENTS(scratch, flags), result));
    if (*result < 0 || is_same_file(task->tid, *result, fd))
        return NULL;
    RRS_TRY(rrs_remote_call(session, task, SYS_close, RRS_ARGUMENTS((uint64_t)*result), &ignored));
    *result = -ESTALE;
    return NULL;
}

/* --- by socket --- */

/* What is in the scratch memory. */
struct parcel {
    int32_t sockets[2];
    uint64_t byte;
    struct iovec data;
    struct msghdr message;
    uint64_t head[2]; /* struct cmsghdr */
    int32_t fd, padding;
};
_Static_assert(sizeof(struct parcel) <= RRS_GIVE_SCRATCH_BYTES, "scratch memory is too small");

/* Takes a copy of the task's descriptor `number`; -1 and errno on failure. */
static int take(const struct rrs_task *task, int number)
{
    enum { OF_THREAD = O_EXCL }; /* PIDFD_THREAD: Linux 6.9 */
    _cleanup_close_ int pidfd = (int)syscall(SYS_pidfd_open, task->tid, OF_THREAD);
    if (pidfd < 0) /* threads that do not share their leader's table are rare */
        pidfd = (int)syscall(SYS_pidfd_open, task->process->tgid, 0);
    return pidfd < 0 ? -1 : (int)syscall(SYS_pidfd_getfd, pidfd, number, 0);
}

static bool send_file(int socket, int fd)
{
    union {
        struct cmsghdr head;
        char bytes[CMSG_SPACE(sizeof fd)];
    } control = {.head = {CMSG_LEN(sizeof fd), SOL_SOCKET, SCM_RIGHTS}};
    char byte = 0;
    struct iovec data = {&byte, 1};
    struct msghdr message = {.msg_iov = &data,
                             .msg_iovlen = 1,
                             .msg_control = &control,
                             .msg_controllen = sizeof control};
    memcpy(CMSG_DATA(&control.head), &fd, sizeof fd);
    return sendmsg(socket, &message, MSG_DONTWAIT | MSG_NOSIGNAL) == 1;
}

static struct rrs_error *receive_file(struct rrs_session *session, struct rrs_task *task,
                                      int socket, rrs_addr scratch, int64_t *in_task)
{
    enum { FLAGS = MSG_DONTWAIT | MSG_CMSG_CLOEXEC };
    struct parcel parcel = {
        .data = {(void *)(uintptr_t)(scratch + offsetof(struct parcel, byte)), 1},
        .message = {.msg_iov = (void *)(uintptr_t)(scratch + offsetof(struct parcel, data)),
                    .msg_iovlen = 1,
                    .msg_control = (void *)(uintptr_t)(scratch + offsetof(struct parcel, head)),
                    .msg_controllen = CMSG_SPACE(sizeof parcel.fd)}};
    RRS_TRY(rrs_tracee_write(task->tid, scratch, &parcel, sizeof parcel));
    RRS_TRY(rrs_remote_call_ok(
        session, task, "receiving the shared memory", SYS_recvmsg,
        RRS_ARGUMENTS((uint64_t)socket, scratch + offsetof(struct parcel, message), FLAGS), NULL));
    RRS_TRY(rrs_tracee_read_all(task->tid, scratch, &parcel, sizeof parcel));
    if (parcel.message.msg_controllen < CMSG_LEN(sizeof parcel.fd))
        return rrs_error_os(EMFILE, NULL, "receiving the shared memory in task %d", task->tid);
    *in_task = parcel.fd;
    return NULL;
}

static struct rrs_error *send_by_socket(struct rrs_session *session, struct rrs_task *task, int fd,
                                        rrs_addr scratch, int64_t *in_task)
{
    int32_t pair[2];
    RRS_TRY(rrs_remote_call_ok(session, task, "making a pair of sockets", SYS_socketpair,
                               RRS_ARGUMENTS(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, scratch),
                               NULL));
    RRS_TRY(rrs_tracee_read_all(task->tid, scratch, pair, sizeof pair));
    _cleanup_close_ int socket = take(task, pair[0]);
    if (socket < 0)
        return rrs_error_os(errno, NULL, "taking a socket of task %d", task->tid);
    if (!send_file(socket, fd))
        return rrs_error_os(errno, NULL, "sending the shared memory to task %d", task->tid);
    struct rrs_error *error = receive_file(session, task, pair[1], scratch, in_task);
    if (error && error->os_errno != EMFILE)
        return error;
    for (int i = 0; i < 2; i++) {
        struct rrs_error *unclosed = rrs_remote_call_ok(
            session, task, "closing a socket", SYS_close, RRS_ARGUMENTS((uint64_t)pair[i]), NULL);
        if (unclosed) {
            rrs_error_destroy(error);
            return unclosed;
        }
    }
    return error;
}

/* --- either --- */

static struct rrs_error *give(struct rrs_session *session, struct rrs_task *task, int fd,
                              int access, rrs_addr scratch, int64_t *in_task)
{
    int64_t result;
    RRS_TRY(open_by_name(session, task, fd, access, scratch, &result));
    if (result == -EMFILE)
        return rrs_error_os(EMFILE, NULL, "opening the shared memory in task %d", task->tid);
    if (result < 0)
        return send_by_socket(session, task, fd, scratch, in_task);
    *in_task = result;
    return NULL;
}

/* By the task itself: the tracer may not be allowed to where credentials differ. */
static struct rrs_error *exchange_limit(struct rrs_session *session, struct rrs_task *task,
                                        rrs_addr scratch, const struct rlimit *limit,
                                        struct rlimit *before)
{
    enum { BEFORE_AT = sizeof *limit };
    if (limit)
        RRS_TRY(rrs_tracee_write(task->tid, scratch, limit, sizeof *limit));
    RRS_TRY(rrs_remote_call_ok(
        session, task, "lifting the limit of descriptors", SYS_prlimit64,
        RRS_ARGUMENTS(0, RLIMIT_NOFILE, limit ? scratch : 0, scratch + BEFORE_AT), NULL));
    return rrs_tracee_read_all(task->tid, scratch + BEFORE_AT, before, sizeof *before);
}

static struct rrs_error *give_beyond_limit(struct rrs_session *session, struct rrs_task *task,
                                           int fd, int access, rrs_addr scratch, int64_t *in_task)
{
    enum { MORE = 16 };
    struct rlimit before, now;
    RRS_TRY(exchange_limit(session, task, scratch, NULL, &before));
    struct rlimit more = {before.rlim_cur + MORE, before.rlim_max};
    if (more.rlim_max < more.rlim_cur)
        more.rlim_max = more.rlim_cur;
    RRS_TRY(exchange_limit(session, task, scratch, &more, &now));
    RRS_TRY(give(session, task, fd, access, scratch, in_task));
    return exchange_limit(session, task, scratch, &before, &now);
}

struct rrs_error *rrs_give_descriptor(struct rrs_session *session, struct rrs_task *task, int fd,
                                      int access, rrs_addr scratch, int64_t *in_task)
{
    struct rrs_error *error = give(session, task, fd, access, scratch, in_task);
    if (!error || error->os_errno != EMFILE)
        return error;
    rrs_error_destroy(error);
    return give_beyond_limit(session, task, fd, access, scratch, in_task);
}

struct rrs_error *rrs_map_file(struct rrs_session *session, struct rrs_task *task, int fd,
                               const struct rrs_file_mapping *mapping)
{
    int64_t in_task;
    uint64_t flags = MAP_FIXED | (uint64_t)(mapping->shared ? MAP_SHARED : MAP_PRIVATE);
    RRS_TRY(rrs_give_descriptor(session, task, fd, O_RDWR,
                                task->space->runtime + RRS_RUNTIME_SCRATCH, &in_task));
    RRS_TRY(rrs_remote_call_ok(session, task, "mapping a file", SYS_mmap,
                               RRS_ARGUMENTS(mapping->start, mapping->size_bytes,
                                             rrs_real_protection(mapping->prot), flags,
                                             (uint64_t)in_task, mapping->offset_bytes),
                               NULL));
    return rrs_remote_call_ok(session, task, "closing a file", SYS_close,
                              RRS_ARGUMENTS((uint64_t)in_task), NULL);
}
