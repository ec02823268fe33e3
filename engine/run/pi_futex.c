/* SPDX-License-Identifier: MIT */
#include "engine/run/pi_futex.h"

#include "engine/run/remote.h"

#include <linux/futex.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

rrs_addr rrs_pi_futex_word(const struct rrs_task *task)
{
    const struct user_regs_struct *r = &task->call_regs;
    enum { LOCK_PI2 = 13 }; /* FUTEX_LOCK_PI2, since Linux 5.14 */
    if (task->call != SYS_futex)
        return 0;
    switch ((int)r->rsi & FUTEX_CMD_MASK) {
    case FUTEX_LOCK_PI:
    case LOCK_PI2:
        return r->rdi;
    case FUTEX_WAIT_REQUEUE_PI:
        return r->r8;
    default:
        return 0;
    }
}

static bool sleeps(pid_t tid)
{
    char state = rrs_tracee_state(tid);
    return state != 'R' && state != 'D';
}

void rrs_pi_futex_await_sleep(struct rrs_session *session, struct rrs_task *task)
{
    enum { PAUSE_US = 20 };
    for (;;) {
        int status;
        if (waitpid(task->tid, &status, __WALL | WNOHANG) > 0) {
            rrs_task_keep_report(session, task->tid, status);
            return;
        }
        if (sleeps(task->tid)) {
            /* A stop looks like sleep: it is to be seen as one. */
            if (waitpid(task->tid, &status, __WALL | WNOHANG) > 0)
                rrs_task_keep_report(session, task->tid, status);
            return;
        }
        usleep(PAUSE_US);
    }
}
