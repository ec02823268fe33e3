/* SPDX-License-Identifier: MIT */
/* The program's system calls: who sleeps, and what they change that the engine knows about. */
#include "engine/run/calls.h"

#include "engine/run/clone_flags.h"
#include "engine/run/code_calls.h"
#include "engine/run/cut_calls.h"
#include "engine/run/pi_futex.h"
#include "engine/run/proc_view.h"
#include "engine/run/redirect.h"
#include "engine/run/remote.h"
#include "engine/run/schedule.h"
#include "engine/run/state.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/shm.h>
#include <sys/syscall.h>

enum call_class { CLASS_MAY, CLASS_PASS, CLASS_NEVER, CLASS_HOOK, CLASS_EVENT, CLASS_REFUSE };

struct call {
    struct rrs_session *session;
    struct rrs_task *task;
    struct user_regs_struct *regs; /* at the stop; rdi.. are the arguments */
};

struct call_row {
    uint8_t class;
    uint8_t path_argument; /* 1 or 2: it opens the file that this argument names */
    /* May change the arguments. */
    struct rrs_error *(*enter)(struct call *call);
    /* `result` is the call's, not an error. The arguments are in task->call_regs. */
    struct rrs_error *(*leave)(struct call *call, uint64_t result);
    struct rrs_error *(*answer)(struct rrs_session *session, struct rrs_task *task,
                                const struct user_regs_struct *regs, struct rrs_answer *answer);
};

/* --- hooks --- */

static struct rrs_error *enter_mmap(struct call *call)
{
    call->regs->rdx = rrs_real_protection(call->regs->rdx);
    return NULL;
}

static struct rrs_region region_of(uint64_t prot)
{
    return (struct rrs_region){.writable = prot & PROT_WRITE, .unreadable = !(prot & PROT_READ)};
}

/* From now on other processes may see what calls write. */
static void note_shared(struct rrs_address_space *space, bool writable)
{
    space->maps_shared = true;
    space->shares_memory |= writable;
}

static struct rrs_error *leave_mmap(struct call *call, uint64_t result)
{
    const struct user_regs_struct *asked = &call->task->call_regs;
    rrs_addr end = result + rrs_page_up(asked->rsi);
    struct rrs_region region = region_of(asked->rdx);
    if (asked->r10 & MAP_SHARED)
        note_shared(call->task->space, asked->rdx & PROT_WRITE);
    if (!(asked->rdx & PROT_EXEC)) {
        if (!rrs_space_has_code(call->task->space, result, end))
            return NULL;
        return rrs_space_set_code(call->session, call->task, result, end, NULL);
    }
    region.changes_unseen = asked->r10 & MAP_SHARED; /* MAP_SHARED_VALIDATE has the bit, too */
    if (!(asked->r10 & MAP_ANONYMOUS) && !region.changes_unseen) {
        char path[64];
        snprintf(path, sizeof path, "/proc/%d/fd/%d", call->task->tid, (int)asked->r8);
        rrs_region_set_file(&region, path, asked->r9);
        if (region.from_file && rrs_code_file_has_writer(path)) {
            region.from_file = false;
            region.changes_unseen = true;
        }
    }
    return rrs_space_set_code(call->session, call->task, result, end, &region);
}

static struct rrs_error *enter_none(struct call *call)
{
    (void)call;
    return NULL;
}

static struct rrs_error *leave_none(struct call *call, uint64_t result)
{
    (void)call;
    (void)result;
    return NULL;
}

#define enter_munmap enter_none

static struct rrs_error *leave_munmap(struct call *call, uint64_t result)
{
    const struct user_regs_struct *asked = &call->task->call_regs;
    rrs_addr end = asked->rdi + rrs_page_up(asked->rsi);
    (void)result;
    if (!rrs_space_has_code(call->task->space, asked->rdi, end))
        return NULL;
    return rrs_space_set_code(call->session, call->task, asked->rdi, end, NULL);
}

static struct rrs_error *enter_mprotect(struct call *call)
{
    return enter_mmap(call); /* the protection is the third argument of both */
}

/* What a file holds is known of code that was mapped from it and never writable since. */
static bool stays_from_file(const struct rrs_region *before, rrs_addr start, rrs_addr end,
                            uint64_t prot)
{
    return before && before->from_file && !(prot & PROT_WRITE) && before->start <= start &&
           before->end >= end;
}

static struct rrs_error *leave_mprotect(struct call *call, uint64_t result)
{
    const struct user_regs_struct *asked = &call->task->call_regs;
    struct rrs_address_space *space = call->task->space;
    rrs_addr start = asked->rdi, end = start + rrs_page_up(asked->rsi);
    (void)result;
    space->shares_memory |= space->maps_shared && (asked->rdx & PROT_WRITE);
    if (!(asked->rdx & PROT_EXEC)) {
        if (!rrs_space_has_code(space, start, end))
            return NULL;
        return rrs_space_set_code(call->session, call->task, start, end, NULL);
    }
    const struct rrs_region *before = rrs_space_region_at(space, start);
    struct rrs_region region = region_of(asked->rdx);
    region.changes_unseen = before && before->changes_unseen;
    if (stays_from_file(before, start, end, asked->rdx)) {
        region = *before;
        region.file_offset += start - before->start;
    }
    return rrs_space_set_code(call->session, call->task, start, end, &region);
}

#define enter_mremap enter_none

static struct rrs_error *leave_mremap(struct call *call, uint64_t result)
{
    const struct user_regs_struct *asked = &call->task->call_regs;
    const struct rrs_region *before = rrs_space_region_at(call->task->space, asked->rdi);
    rrs_addr end = result + rrs_page_up(asked->rdx);
    if (!before)
        return rrs_space_set_code(call->session, call->task, result, end, NULL);
    struct rrs_region region = *before;
    region.file_offset += asked->rdi - before->start;
    RRS_TRY(rrs_space_set_code(call->session, call->task, asked->rdi,
                               asked->rdi + rrs_page_up(asked->rsi), NULL));
    return rrs_space_set_code(call->session, call->task, result, end, &region);
}

static struct rrs_error *enter_shmat(struct call *call)
{
    call->regs->rdx &= ~(uint64_t)SHM_EXEC;
    return NULL;
}

static struct rrs_error *leave_shmat(struct call *call, uint64_t result)
{
    const struct user_regs_struct *asked = &call->task->call_regs;
    struct shmid_ds ds;
    note_shared(call->task->space, !(asked->rdx & SHM_RDONLY));
    if (!(asked->rdx & SHM_EXEC) || shmctl((int)asked->rdi, IPC_STAT, &ds) < 0)
        return NULL;
    struct rrs_region region = {.writable = !(asked->rdx & SHM_RDONLY), .changes_unseen = true};
    return rrs_space_set_code(call->session, call->task, result, result + rrs_page_up(ds.shm_segsz),
                              &region);
}

#define enter_sigaction enter_none

static struct rrs_error *leave_sigaction(struct call *call, uint64_t result)
{
    const struct user_regs_struct *asked = &call->task->call_regs;
    struct rrs_disposition action;
    (void)result;
    if (!asked->rsi || asked->rdi < 1 || asked->rdi > 64)
        return NULL;
    RRS_TRY(rrs_tracee_read_all(call->task->tid, asked->rsi, &action, sizeof action));
    call->task->process->signals[asked->rdi] = action;
    return NULL;
}

#define enter_sigaltstack enter_none

static struct rrs_error *leave_sigaltstack(struct call *call, uint64_t result)
{
    const struct user_regs_struct *asked = &call->task->call_regs;
    stack_t stack;
    (void)result;
    if (!asked->rdi)
        return NULL;
    RRS_TRY(rrs_tracee_read_all(call->task->tid, asked->rdi, &stack, sizeof stack));
    call->task->alternate_stack = (rrs_addr)(uintptr_t)stack.ss_sp;
    call->task->alternate_stack_bytes = stack.ss_flags & SS_DISABLE ? 0 : stack.ss_size;
    return NULL;
}

/* Files of /proc that would show the engine: `path` is where the path stands. */
static bool opens_view(const struct call *call, const struct call_row *row)
{
    const struct user_regs_struct *r = call->regs;
    if (!row->path_argument)
        return false;
    return rrs_proc_view_suspected(call->task, row->path_argument == 1 ? r->rdi : r->rsi);
}

static struct rrs_error *leave_open(struct call *call, uint64_t result)
{
    if (!call->task->opens_view)
        return NULL;
    return rrs_proc_view_exchange(call->session, call->task, (int)result);
}

#define enter_sigreturn enter_none
#define leave_sigreturn leave_none

/* --- table --- */

static const struct call_row rows[512] = {
#define PASS(name)           [SYS_##name] = {.class = CLASS_PASS},
#define NEVER(name)          [SYS_##name] = {.class = CLASS_NEVER},
#define HOOK(name, hook)     [SYS_##name] = {CLASS_HOOK, 0, enter_##hook, leave_##hook, NULL},
#define VIRTUAL(name)        [SYS_##name] = {.class = CLASS_NEVER, .answer = rrs_virtual_##name},
#define EVENT(name)          [SYS_##name] = {.class = CLASS_EVENT},
#define EXEC(name)           [SYS_##name] = {.class = CLASS_EVENT, .answer = rrs_virtual_##name},
#define OPEN(name, argument) [SYS_##name] = {CLASS_MAY, argument, NULL, leave_open, NULL},
#define REFUSE(name)         [SYS_##name] = {.class = CLASS_REFUSE},
#include "engine/syscalls/classes.def"
#undef PASS
#undef NEVER
#undef HOOK
#undef VIRTUAL
#undef EVENT
#undef EXEC
#undef OPEN
#undef REFUSE
};

static const struct call_row *row_of(int number)
{
    static const struct call_row other = {.class = CLASS_MAY};
    return (unsigned)number < sizeof rows / sizeof rows[0] ? &rows[number] : &other;
}

void rrs_calls_fill_classes(uint8_t classes[65536], bool some_pass)
{
    for (int i = 0; i < (int)(sizeof rows / sizeof rows[0]); i++)
        classes[i] = some_pass && rows[i].class == CLASS_PASS;
    for (int i = 0; i < 256; i++)
        classes[RRS_RUNTIME_ODD - RRS_RUNTIME_CLASSES + i] = i & 1;
}

struct rrs_error *rrs_calls_mapping_changed(struct rrs_session *session, struct rrs_task *task,
                                            uint64_t result)
{
    struct call call = {session, task, NULL};
    return row_of(task->call)->leave(&call, result);
}

/* --- entry and exit --- */

enum { SYSCALL_BYTES = 2 };

static struct user_regs_struct behind_call(const struct rrs_task *task,
                                           const struct user_regs_struct *regs)
{
    struct user_regs_struct app = *regs;
    app.rip = task->call_regs.rip;
    app.rcx = app.rip;
    app.r11 = app.eflags;
    return app;
}

static struct rrs_error *observe_end(struct rrs_session *session, struct rrs_task *task,
                                     const struct user_regs_struct *after)
{
    const struct rrs_observer *observer = session->observer;
    return observer ? observer->call_ends(observer->context, task, after) : NULL;
}

static struct rrs_error *finish_at_once(struct call *call, int64_t result)
{
    struct user_regs_struct app = behind_call(call->task, call->regs);
    app.rax = (uint64_t)result;
    RRS_TRY(observe_end(call->session, call->task, &app));
    rrs_task_ready_safely(call->session, call->task, &app);
    return rrs_task_resume(call->session, call->task, RRS_ENTRY_DIRECT);
}

/*
 * How many of a call's arguments may name memory that the kernel writes to; the registers behind
 * them hold whatever the program left there. Only calls that code generators often make are told
 * apart: any other may write by each of its six.
 */
static int output_arguments(int number)
{
    switch (number) {
    case SYS_write:
    case SYS_pwrite64:
    case SYS_writev:
    case SYS_mmap:
    case SYS_munmap:
    case SYS_mprotect:
    case SYS_pkey_mprotect:
    case SYS_madvise:
    case SYS_brk:
    case SYS_open:
    case SYS_openat:
    case SYS_close:
    case SYS_getpid:
    case SYS_gettid:
    case SYS_tgkill:
    case SYS_kill:
    case SYS_sched_yield:
    case SYS_rt_sigreturn:
        return 0;
    case SYS_futex:
    case SYS_time:
    case SYS_pipe:
    case SYS_uname:
    case SYS_sysinfo:
        return 1;
    case SYS_clock_gettime:
    case SYS_clock_getres:
    case SYS_gettimeofday:
    case SYS_getrusage:
    case SYS_nanosleep:
    case SYS_fstat:
    case SYS_stat:
    case SYS_lstat:
        return 2;
    case SYS_read:
    case SYS_poll:
    case SYS_getrandom:
    case SYS_getdents64:
    case SYS_fcntl:
    case SYS_rt_sigprocmask:
    case SYS_rt_sigaction:
        return 3;
    default:
        return 6;
    }
}

/* Pages that hold code are read-only while they do: no output of the call may meet one. */
static struct rrs_error *unguard_outputs(struct call *call)
{
    const struct user_regs_struct *r = call->regs;
    const uint64_t values[] = {r->rdi, r->rsi, r->rdx, r->r10, r->r8, r->r9};
    enum { LEAST = 4096, MOST = 1 << 30 };
    bool any, changed = false;
    uint64_t longest = LEAST;
    int count = output_arguments(call->task->call);
    if (!call->task->space->guarded_count || !count)
        return NULL;
    for (int i = 0; i < count; i++)
        if (values[i] > longest && values[i] <= MOST)
            longest = values[i];
    struct user_regs_struct saved = *r;
    call->task->at_call = true;
    for (int i = 0; i < count; i++)
        if (values[i] > MOST || values[i] >= LEAST) {
            RRS_TRY(rrs_space_unguard(call->session, call->task, values[i], values[i] + longest,
                                      false, &any));
            changed |= any;
        }
    if (call->task->at_call || !changed) {
        call->task->at_call = false;
        return NULL;
    }
    /*
     * The stop was used up by injected calls: make the program's call again, to stop there. By the
     * runtime's instruction, since the code that made it may be what was dropped.
     */
    int status;
    struct user_regs_struct again = saved;
    again.rip = call->task->space->call_insn;
    call->task->call_shadow = again.rip + SYSCALL_BYTES;
    again.rax = saved.orig_rax;
    again.orig_rax = (uint64_t)-1;
    RRS_TRY(rrs_ptrace_set_regs(call->task->tid, &again));
    return rrs_task_run_to_stop(call->session, call->task, PTRACE_CONT, &status);
}

/* Whether the call is made at all. */
static struct rrs_error *judge(struct call *call, const struct call_row *row,
                               enum rrs_verdict *verdict, struct rrs_answer *answer)
{
    struct rrs_task *task = call->task;
    task->at_call = true;
    RRS_TRY(rrs_virtual_filter(call->session, task, call->regs, verdict, answer));
    if (*verdict != RRS_VERDICT_PASS)
        return NULL;
    if (row->class == CLASS_REFUSE)
        *answer = (struct rrs_answer){true, -ENOSYS};
    else if (row->answer)
        RRS_TRY(row->answer(call->session, task, call->regs, answer));
    task->at_call = task->at_call && answer->given;
    return NULL;
}

static bool is_alone(const struct rrs_session *session)
{
    return session->tasks && !session->tasks->next;
}

/* Calls whose effects on memory or on other tasks must not fall into another task's run. */
static bool is_alone_affair(int number)
{
    switch (number) {
    case SYS_fork:
    case SYS_vfork:
    case SYS_clone:
    case SYS_clone3:
    case SYS_execve:
    case SYS_execveat:
    case SYS_exit:
        return true;
    default:
        return false;
    }
}

/* None sleeps, and who is killed by one shall not be running. */
static bool sends_signal(int number)
{
    switch (number) {
    case SYS_kill:
    case SYS_tkill:
    case SYS_tgkill:
    case SYS_rt_sigqueueinfo:
    case SYS_rt_tgsigqueueinfo:
    case SYS_pidfd_send_signal:
        return true;
    default:
        return false;
    }
}

/* What the kernel does with such pages, and when, is its secret: it is told to drop them now. */
static struct rrs_error *make_definite(struct call *call)
{
    if (!call->session->observer || call->task->call != SYS_madvise || call->regs->rdx != MADV_FREE)
        return NULL;
    call->regs->rdx = MADV_DONTNEED;
    return rrs_ptrace_set_regs(call->task->tid, call->regs);
}

/* Waits for the end of a call that cannot sleep, before anything else is looked at. */
static struct rrs_error *finish_hook(struct rrs_session *session, struct rrs_task *task)
{
    int status;
    RRS_TRY(rrs_ptrace_resume(task->tid, PTRACE_SYSCALL, 0));
    RRS_TRY(rrs_task_wait(task, &status));
    assert(status >> 8 == RRS_STATUS_SYSCALL_STOP && "a call that cannot sleep was interrupted");
    return rrs_handle_call_exit(session, task);
}

/* The call goes on while others run; an observer learns of it before they do. */
static struct rrs_error *begin_observed(const struct call *call)
{
    struct rrs_session *session = call->session;
    struct rrs_task *task = call->task;
    const struct rrs_observer *observer = session->observer;
    if (is_alone_affair(task->call)) {
        bool execs = task->call == SYS_execve || task->call == SYS_execveat;
        if (execs && task->tid != task->process->tgid) /* who comes back is the leader */
            RRS_TRY(observer->call_begins(observer->context, task));
        return rrs_session_finish_call(session, task);
    }
    if (!rrs_pi_futex_word(task)) {
        RRS_TRY(rrs_redirect_begin(session, task, call->regs));
        if (rrs_redirect_must_wait(session, task))
            return rrs_session_finish_call(session, task);
        RRS_TRY(observer->call_begins(observer->context, task));
        return rrs_ptrace_resume(task->tid, PTRACE_SYSCALL, 0);
    }
    RRS_TRY(rrs_ptrace_resume(task->tid, PTRACE_SYSCALL, 0));
    rrs_pi_futex_await_sleep(session, task);
    return observer->call_begins(observer->context, task);
}

struct rrs_error *rrs_handle_call(struct rrs_session *session, struct rrs_task *task,
                                  struct user_regs_struct *regs)
{
    struct call call = {session, task, regs};
    bool again = task->in_call;
    enum rrs_code_concern concern = RRS_CODE_BY_CLASS;
    if (!again)
        task->call = (int)regs->orig_rax;
    const struct call_row *row = row_of(task->call);
    session->counters.stops_syscall++;
    if (session->runner == task)
        rrs_session_settle(session, false);
    if (session->last_runner == task)
        rrs_schedule_charge_call(session, task->call);
    if (!again) {
        enum rrs_verdict verdict;
        struct rrs_answer answer = {0};
        RRS_TRY(judge(&call, row, &verdict, &answer));
        if (verdict == RRS_VERDICT_HANDLED)
            return NULL;
        if (answer.given)
            return finish_at_once(&call, answer.result);
    }
    if (!again) {
        rrs_cut_call_begin(task);
        rrs_writable_note_call(task, task->call);
    }
    task->in_call = true;
    struct user_regs_struct before = *regs;
    if (row->enter && !again)
        RRS_TRY(row->enter(&call));
    rrs_clone_keep_traced(session, task, regs);
    if (memcmp(&before, regs, sizeof before))
        RRS_TRY(rrs_ptrace_set_regs(task->tid, regs));
    RRS_TRY(make_definite(&call));
    RRS_TRY(unguard_outputs(&call));
    if (!again)
        concern = rrs_code_concern(session, task, &task->call_regs);
    task->call_watched = again ? task->call_watched : concern == RRS_CODE_WATCHED;
    task->opens_view = opens_view(&call, row);
    /* The tracee goes on in shadow code by itself where nobody needs to know the result. */
    bool comes_back = task->call_shadow != task->space->call_insn + SYSCALL_BYTES;
    bool one_stop = !again && !task->call_watched && comes_back && !task->opens_view &&
                    !session->observer && !rrs_schedule_is_due(session) &&
                    (row->class == CLASS_NEVER || row->class == CLASS_PASS ||
                     concern == RRS_CODE_SPARED || (row->class == CLASS_MAY && is_alone(session)));
    if (one_stop)
        return rrs_ptrace_resume(task->tid, PTRACE_CONT, 0);
    bool ends = task->call == SYS_exit || task->call == SYS_exit_group || sends_signal(task->call);
    if (session->observer && ends)
        RRS_TRY(session->observer->call_may_end(session->observer->context, task));
    bool is_short =
        row->class == CLASS_NEVER || row->class == CLASS_PASS || sends_signal(task->call);
    if (row->class == CLASS_HOOK || (session->observer && is_short))
        return finish_hook(session, task);
    task->state = RRS_TASK_IN_SYSCALL;
    if (session->runner == task)
        session->runner = NULL;
    if (session->observer && !again)
        return begin_observed(&call);
    return rrs_ptrace_resume(task->tid, PTRACE_SYSCALL, 0);
}

static bool was_interrupted(uint64_t result)
{
    /* ERESTARTSYS, ERESTARTNOINTR, ERESTARTNOHAND, ERESTART_RESTARTBLOCK: include/linux/errno.h */
    return result == (uint64_t)-512 || result == (uint64_t)-513 || result == (uint64_t)-514 ||
           result == (uint64_t)-516;
}

/*
 * The kernel will make the call again, by the instruction in front of the task's PC: the runtime's,
 * which stays, and not the one in a code cache, which may be gone by then.
 */
static struct rrs_error *restart_from_runtime(struct rrs_task *task, struct user_regs_struct *regs)
{
    task->call_shadow = task->space->call_insn + SYSCALL_BYTES;
    regs->rip = task->call_shadow;
    return rrs_ptrace_set_regs(task->tid, regs);
}

struct rrs_error *rrs_handle_call_exit(struct rrs_session *session, struct rrs_task *task)
{
    struct user_regs_struct regs;
    RRS_TRY(rrs_ptrace_get_regs(task->tid, &regs));
    struct call call = {session, task, &regs};
    const struct call_row *row = row_of(task->call);
    if (task->call == SYS_rt_sigreturn && (long)regs.orig_rax == -1) {
        RRS_TRY(observe_end(session, task, &regs));
        rrs_task_ready_safely(session, task, &regs);
        return NULL;
    }
    if (was_interrupted(regs.rax)) {
        /* A signal's stop comes next, or the call's seccomp stop again. */
        RRS_TRY(restart_from_runtime(task, &regs));
        return rrs_ptrace_resume(task->tid, PTRACE_CONT, 0);
    }
    bool again;
    RRS_TRY(rrs_cut_call_again(session, task, &regs, false, &again));
    if (again)
        return rrs_ptrace_resume(task->tid, PTRACE_CONT, 0);
    if (task->call_watched) {
        uint64_t result = regs.rax;
        RRS_TRY(rrs_code_call_done(session, task, &result));
        regs.rax = result;
    }
    struct user_regs_struct app = behind_call(task, &regs);
    rrs_cut_call_finish(task, &app);
    RRS_TRY(rrs_redirect_finish(session, task, (int64_t)app.rax, &app));
    if (row->leave && regs.rax < (uint64_t)-4095)
        RRS_TRY(row->leave(&call, regs.rax));
    if (row->enter == enter_mmap || row->enter == enter_mprotect || row->enter == enter_shmat)
        app.rdx = task->call_regs.rdx;
    if (task->call == SYS_madvise)
        app.rdx = task->call_regs.rdx;
    RRS_TRY(observe_end(session, task, &app));
    rrs_task_ready_safely(session, task, &app);
    return NULL;
}
