/* SPDX-License-Identifier: MIT */
#include "engine/run/cut_calls.h"

#include "engine/run/redirect.h"
#include "lmdb-store/clock.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>

enum kind {
    NONE,
    SAME,        /* made again as it was */
    LIMIT_MS,    /* r10: milliseconds */
    LIMIT_NS,    /* r10: a timespec, and epoll_pwait would do */
    LIMIT_R10,   /* r10: a timespec */
    LIMIT_RDX,   /* rdx: a timespec */
    BYTES,       /* rsi, rdx: a buffer that is written out */
    BYTES_IOV,   /* rsi, rdx: a vector */
    BYTES_MSG,   /* rsi: a msghdr */
    BYTES_COUNT, /* r10: a count; the kernel keeps the offset */
    BYTES_ALL,   /* rsi, rdx: a buffer to be filled, if r10 has MSG_WAITALL */
};

static enum kind kind_of(const struct rrs_task *task)
{
    static const uint8_t kinds[512] = {
        [SYS_read] = SAME,
        [SYS_readv] = SAME,
        [SYS_recvmsg] = SAME,
        [SYS_recvmmsg] = SAME,
        [SYS_sendmmsg] = SAME,
        [SYS_accept] = SAME,
        [SYS_accept4] = SAME,
        [SYS_connect] = SAME,
        [SYS_semop] = SAME,
        [SYS_epoll_wait] = LIMIT_MS,
        [SYS_epoll_pwait] = LIMIT_MS,
        [441] = LIMIT_NS, /* epoll_pwait2 */
        [SYS_semtimedop] = LIMIT_R10,
        [SYS_rt_sigtimedwait] = LIMIT_RDX,
        [SYS_write] = BYTES,
        [SYS_sendto] = BYTES,
        [SYS_writev] = BYTES_IOV,
        [SYS_sendmsg] = BYTES_MSG,
        [SYS_sendfile] = BYTES_COUNT,
        [SYS_recvfrom] = BYTES_ALL,
    };
    return (unsigned)task->call < sizeof kinds ? kinds[task->call] : NONE;
}

void rrs_cut_call_begin(struct rrs_task *task)
{
    enum kind kind = kind_of(task);
    task->cut = (struct rrs_cut_call){0};
    if (kind >= LIMIT_MS && kind <= LIMIT_RDX)
        task->cut.started_ns = rrs_clock_ns(CLOCK_MONOTONIC);
}

/* --- was it cut short? --- */

static struct rrs_error *add_pending(const struct rrs_task *task, uint32_t flags, uint64_t blocked,
                                     bool *ignored, bool *other)
{
    enum { MOST = 32 };
    struct __ptrace_peeksiginfo_args which = {.flags = flags, .nr = MOST};
    siginfo_t pending[MOST];
    long count = ptrace(PTRACE_PEEKSIGINFO, task->tid, &which, pending);
    for (long i = 0; i < count; i++) {
        if (blocked >> (pending[i].si_signo - 1) & 1)
            continue;
        if (rrs_signal_is_ignored(task, pending[i].si_signo))
            *ignored = true;
        else
            *other = true;
    }
    return NULL;
}

static struct rrs_error *only_ignored_pending(const struct rrs_task *task, bool ignored_here,
                                              bool *only)
{
    bool ignored = ignored_here, other = false;
    uint64_t blocked;
    RRS_TRY(rrs_ptrace_get_sigmask(task->tid, &blocked));
    RRS_TRY(add_pending(task, 0, blocked, &ignored, &other));
    RRS_TRY(add_pending(task, PTRACE_PEEKSIGINFO_SHARED, blocked, &ignored, &other));
    *only = ignored && !other;
    return NULL;
}

/* --- the bytes that are left --- */

/* The part of a vector that byte `done` lies in, from there on. */
struct piece {
    uint64_t total; /* of the vector */
    rrs_addr address;
    uint64_t bytes;
};

static struct rrs_error *find_piece(const struct rrs_task *task, rrs_addr vector, uint64_t count,
                                    uint64_t done, struct piece *piece)
{
    enum { MOST = 1024 }; /* UIO_MAXIOV */
    struct {
        uint64_t address, bytes;
    } parts[MOST];
    *piece = (struct piece){0};
    if (count > MOST)
        return NULL;
    RRS_TRY(rrs_tracee_read_all(task->tid, vector, parts, count * sizeof parts[0]));
    for (uint64_t i = 0; i < count; i++) {
        uint64_t skipped = done - piece->total;
        if (!piece->bytes && done >= piece->total && skipped < parts[i].bytes) {
            piece->address = parts[i].address + skipped;
            piece->bytes = parts[i].bytes - skipped;
        }
        piece->total += parts[i].bytes;
    }
    return NULL;
}

static struct rrs_error *rest_of(const struct rrs_task *task, enum kind kind, uint64_t done,
                                 struct piece *piece)
{
    const struct user_regs_struct made = rrs_redirect_arguments(task), *asked = &made;
    struct msghdr message;
    *piece = (struct piece){0};
    switch (kind) {
    case BYTES_ALL:
        if (!(asked->r10 & MSG_WAITALL))
            return NULL;
        __attribute__((fallthrough));
    case BYTES:
        *piece = (struct piece){asked->rdx, asked->rsi + done, asked->rdx - done};
        return NULL;
    case BYTES_COUNT:
        *piece = (struct piece){.total = asked->r10, .bytes = asked->r10 - done};
        return NULL;
    case BYTES_IOV:
        return find_piece(task, asked->rsi, asked->rdx, done, piece);
    case BYTES_MSG:
        RRS_TRY(rrs_tracee_read_all(task->tid, asked->rsi, &message, sizeof message));
        return find_piece(task, (rrs_addr)(uintptr_t)message.msg_iov, message.msg_iovlen, done,
                          piece);
    default:
        return NULL;
    }
}

static void set_bytes(struct rrs_task *task, enum kind kind, const struct piece *piece,
                      struct user_regs_struct *regs)
{
    task->cut.piece_bytes = piece->bytes;
    if (kind == BYTES_COUNT) {
        regs->r10 = piece->bytes;
        return;
    }
    regs->rsi = piece->address;
    regs->rdx = piece->bytes;
    if (kind == BYTES_IOV)
        regs->rax = SYS_write;
    if (kind == BYTES_MSG) {
        regs->rax = SYS_sendto;
        regs->r10 = task->call_regs.rdx; /* flags */
        regs->r8 = regs->r9 = 0;
    }
}

/* --- the time that is left --- */

static struct rrs_error *put_timespec(struct rrs_session *session, const struct rrs_task *task,
                                      rrs_addr asked, uint64_t elapsed_ns,
                                      unsigned long long *argument)
{
    enum { SLOTS = 64, AT = RRS_RUNTIME_SESSION + 4096 - SLOTS * sizeof(struct timespec) };
    struct timespec limit;
    if (!asked)
        return NULL;
    RRS_TRY(rrs_tracee_read_all(task->tid, asked, &limit, sizeof limit));
    int64_t left = limit.tv_sec * 1000000000 + limit.tv_nsec - (int64_t)elapsed_ns;
    left = left > 0 ? left : 0;
    limit = (struct timespec){left / 1000000000, left % 1000000000};
    size_t at = AT + (size_t)task->tid % SLOTS * sizeof limit;
    memcpy(session->common.memory + at, &limit, sizeof limit);
    *argument = task->space->runtime + at;
    return NULL;
}

static uint64_t milliseconds_left(int64_t limit_ns, uint64_t elapsed_ns)
{
    int64_t left = limit_ns - (int64_t)elapsed_ns;
    return left > 0 ? (uint64_t)(left + 999999) / 1000000 : 0;
}

static struct rrs_error *set_limit(struct rrs_session *session, const struct rrs_task *task,
                                   enum kind kind, struct user_regs_struct *regs)
{
    const struct user_regs_struct *asked = &task->call_regs;
    uint64_t elapsed = rrs_clock_ns(CLOCK_MONOTONIC) - task->cut.started_ns;
    struct timespec limit;
    switch (kind) {
    case LIMIT_MS:
        if ((int)asked->r10 >= 0)
            regs->r10 = milliseconds_left((int64_t)(int)asked->r10 * 1000000, elapsed);
        return NULL;
    case LIMIT_NS:
        if (!asked->r10)
            return NULL;
        RRS_TRY(rrs_tracee_read_all(task->tid, asked->r10, &limit, sizeof limit));
        regs->rax = SYS_epoll_pwait;
        regs->r10 = milliseconds_left(limit.tv_sec * 1000000000 + limit.tv_nsec, elapsed);
        return NULL;
    case LIMIT_R10:
        return put_timespec(session, task, asked->r10, elapsed, &regs->r10);
    case LIMIT_RDX:
        return put_timespec(session, task, asked->rdx, elapsed, &regs->rdx);
    default:
        return NULL;
    }
}

/* --- again --- */

/* Whether something is left to do; `*by_signal`: only if a signal is why. */
static struct rrs_error *look(const struct rrs_task *task, enum kind kind, int64_t result,
                              struct piece *rest, bool *cut, bool *by_signal)
{
    *cut = *by_signal = result == -EINTR;
    if (kind < BYTES || result == 0 || (result < 0 && result != -EINTR))
        return NULL;
    bool short_plain = kind != BYTES || (uint64_t)result < task->call_regs.rdx;
    if (result > 0 && !task->cut.made_again && !short_plain)
        return NULL; /* the usual case, without a look at vectors */
    uint64_t done = task->cut.done + (result > 0 ? (uint64_t)result : 0);
    RRS_TRY(rest_of(task, kind, done, rest));
    *cut = (*cut && !rest->total) || done < rest->total;
    *by_signal = !(task->cut.made_again && (uint64_t)result == task->cut.piece_bytes);
    return NULL;
}

struct rrs_error *rrs_cut_call_again(struct rrs_session *session, struct rrs_task *task,
                                     struct user_regs_struct *regs, bool ignored_here, bool *again)
{
    enum kind kind = kind_of(task);
    int64_t result = (int64_t)regs->rax;
    struct piece rest = {0};
    bool by_signal;
    *again = false;
    if (kind == NONE)
        return NULL;
    RRS_TRY(look(task, kind, result, &rest, again, &by_signal));
    if (*again && by_signal)
        RRS_TRY(only_ignored_pending(task, ignored_here, again));
    if (!*again)
        return NULL;
    const struct user_regs_struct made = rrs_redirect_arguments(task);
    rrs_copy_arguments(regs, &made);
    regs->rax = (uint64_t)task->call;
    task->cut.made_again = true;
    task->cut.done += result > 0 ? (uint64_t)result : 0;
    if (task->cut.done)
        set_bytes(task, kind, &rest, regs);
    else
        RRS_TRY(set_limit(session, task, kind, regs));
    regs->orig_rax = (uint64_t)-1;
    regs->rip = task->space->call_insn;
    task->call_shadow = regs->rip + 2;
    return rrs_ptrace_set_regs(task->tid, regs);
}

void rrs_cut_call_finish(const struct rrs_task *task, struct user_regs_struct *app)
{
    if (task->cut.made_again || task->arguments_replaced)
        rrs_copy_arguments(app, &task->call_regs);
    if (task->cut.made_again && task->cut.done)
        app->rax = task->cut.done + ((int64_t)app->rax > 0 ? app->rax : 0);
}
