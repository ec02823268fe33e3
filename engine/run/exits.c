/* SPDX-License-Identifier: MIT */
/* The runner left shadow code: why, and how it goes on. */
#include "engine/run/state.h"

#include "engine/arch/x86_64/emulate.h"
#include "engine/run/remote.h"

#include <signal.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>

struct exit_context {
    struct rrs_session *session;
    struct rrs_task *task;
    struct rrs_attachment *attachment;
    struct rrs_exit exit;
    struct user_regs_struct regs; /* app values except rip */
};

/* The exit path of the prologue overwrote three registers and stored them before. */
static void restore_exit_registers(const struct rrs_task *task, struct user_regs_struct *regs)
{
    const struct rrs_cells *cells = task->space->table->cells;
    regs->rax = cells->exit_rax;
    regs->rcx = cells->exit_rcx;
    regs->r11 = cells->exit_r11;
}

static struct rrs_error *enter_at(struct exit_context *x, rrs_addr app_pc,
                                  enum rrs_entry_kind entry_kind)
{
    x->regs.rip = app_pc;
    rrs_task_ready(x->session, x->task, &x->regs);
    return rrs_task_resume(x->session, x->task, entry_kind);
}

static struct rrs_error *go_on_at(struct exit_context *x, rrs_addr app_pc)
{
    return enter_at(x, app_pc, RRS_ENTRY_DIRECT);
}

/* The program's registers are those at `app_pc`; the fault that it meets at `rip` is that one's. */
static struct rrs_error *meet_fault(struct exit_context *x, rrs_addr app_pc, rrs_addr rip)
{
    x->regs.rip = app_pc;
    rrs_task_ready(x->session, x->task, &x->regs);
    x->task->natural = true;
    x->task->natural_pc = app_pc;
    x->regs.rip = rip;
    x->regs.orig_rax = (uint64_t)-1;
    RRS_TRY(rrs_ptrace_set_regs(x->task->tid, &x->regs));
    return rrs_task_resume_raw(x->session, x->task, PTRACE_CONT);
}

static bool is_canonical(rrs_addr address)
{
    return (rrs_addr)((int64_t)(address << 16) >> 16) == address;
}

/* The indirect transfer that the task has just made, at the end of `*block`. */
static struct rrs_attachment *find_last_site(struct exit_context *x, struct rrs_block **block)
{
    struct rrs_address_space *space = x->task->space;
    uint32_t site = (uint32_t)space->table->cells->site;
    for (uint32_t i = 0; i < space->attachment_count; i++) {
        *block = rrs_code_cache_block_of_site(&space->attachments[i].module->cache, site);
        if (*block)
            return &space->attachments[i];
    }
    return NULL;
}

/*
 * A transfer to an address that cannot be one faults by itself: SDM vol. 2, RET, CALL, JMP. It has
 * been made already, so what it moved of rsp and of the count is taken back.
 */
static struct rrs_error *handle_no_address(struct exit_context *x, rrs_addr target, bool *done)
{
    struct rrs_block *block;
    struct rrs_insn insn;
    struct rrs_attachment *attachment = find_last_site(x, &block);
    *done = false;
    if (!attachment)
        return NULL;
    rrs_addr pc = attachment->base + block->app + block->transfer_app;
    if (!rrs_fetch_insn(x->session, x->task, pc, &insn))
        return NULL;
    if (insn.kind == RRS_INSN_RET)
        x->regs.rsp -= 8 + insn.ret_bytes;
    else if (insn.kind == RRS_INSN_CALL_INDIRECT)
        x->regs.rsp += 8;
    *done = true;
    rrs_session_settle(x->session, true);
    return meet_fault(x, pc, target);
}

static struct rrs_error *handle_miss(struct exit_context *x, enum rrs_entry_kind entry_kind)
{
    rrs_addr target = entry_kind == RRS_ENTRY_CALL ? x->regs.r10 : x->regs.rcx;
    x->session->counters.stops_miss++;
    rrs_state_behind_transfer(x->task, entry_kind, &x->regs);
    bool done = false;
    if (!is_canonical(target))
        RRS_TRY(handle_no_address(x, target, &done));
    if (done)
        return NULL;
    rrs_session_settle(x->session, false);
    return enter_at(x, target, entry_kind);
}

/*
 * Runs a task from the site to the tick instruction, a few instructions of straight-line code, with
 * a stop in the place of the latter. `*arrived` is false if a fault came first: the task then
 * stands at its signal's stop.
 */
static struct rrs_error *run_to_transfer(struct exit_context *x, const struct rrs_block *block,
                                         bool *arrived)
{
    struct rrs_code_cache *cache = &x->attachment->module->cache;
    uint32_t stop_at = block->shadow + block->transfer;
    uint8_t saved[5];
    int status;
    x->regs.rip = x->attachment->shadow + block->shadow + block->site_end;
    x->regs.orig_rax = (uint64_t)-1;
    RRS_TRY(rrs_ptrace_set_regs(x->task->tid, &x->regs));
    x->task->at_call = false; /* a fault on the way is no place to inject a call */
    rrs_code_cache_arm_stop(cache, stop_at, saved);
    struct rrs_error *error;
    do {
        *arrived = true;
        error = rrs_ptrace_resume(x->task->tid, PTRACE_CONT, 0);
        if (!error)
            error = rrs_task_wait(x->task, &status);
        if (error || rrs_status_event(status) == PTRACE_EVENT_SECCOMP)
            break;
        if (rrs_status_event(status))
            continue;
        siginfo_t info;
        error = rrs_ptrace_get_siginfo(x->task->tid, &info);
        if (!error && rrs_signal_is_raised(&info)) {
            *arrived = false;
            break;
        }
        if (!error)
            rrs_task_hold_signal(x->task, &info);
    } while (!error);
    rrs_code_cache_disarm_stop(cache, stop_at, saved);
    if (error || !*arrived)
        return error;
    RRS_TRY(rrs_ptrace_get_regs(x->task->tid, &x->regs));
    restore_exit_registers(x->task, &x->regs);
    return NULL;
}

static struct rrs_error *handle_tick(struct exit_context *x)
{
    struct rrs_code_cache *cache = &x->attachment->module->cache;
    struct rrs_block block = cache->blocks[x->exit.block];
    x->session->counters.stops_tick++;
    if (block.site_end != block.transfer) {
        bool arrived;
        RRS_TRY(run_to_transfer(x, &block, &arrived));
        if (!arrived)
            return rrs_handle_signal(x->session, x->task);
    }
    rrs_session_settle(x->session, true);
    x->task->at_call = true;
    x->regs.rip = x->attachment->base + block.app + block.transfer_app;
    rrs_state_clear_dead_flags(x->session, x->task, &x->regs);
    rrs_task_ready_safely(x->session, x->task, &x->regs);
    return NULL;
}

struct rrs_error *rrs_clear_x87_pointers(struct rrs_task *task, const struct rrs_insn *insn,
                                         const struct user_regs_struct *before)
{
    static const uint8_t zeros[16];
    struct rrs_x87_pointer_field fields[2];
    rrs_addr image = rrs_operand_address(insn, before);
    int count = rrs_x87_pointer_fields(insn, fields);
    for (int i = 0; i < count; i++)
        RRS_TRY(rrs_tracee_write(task->tid, image + fields[i].offset, zeros, fields[i].bytes));
    return NULL;
}

/* Whether its result is anything but a function of the program's state. */
static bool is_answered(const struct rrs_insn *insn)
{
    return insn->kind == RRS_INSN_UNKNOWN ||
           (insn->trapped_op != RRS_TRAPPED_NONE && insn->trapped_op != RRS_TRAPPED_X87_POINTERS);
}

static struct rrs_error *observe_insn(const struct exit_context *x, const struct rrs_insn *insn,
                                      const struct user_regs_struct *before,
                                      const struct user_regs_struct *after)
{
    const struct rrs_observer *observer = x->session->observer;
    if (!observer || !is_answered(insn))
        return NULL;
    return observer->insn(observer->context, x->task, before, after);
}

static struct rrs_error *run_insn_alone(struct exit_context *x, const struct rrs_insn *insn)
{
    struct user_regs_struct before = x->task->regs;
    bool faulted;
    RRS_TRY(rrs_run_alone(x->session, x->task, insn, &faulted));
    if (faulted)
        return rrs_handle_signal(x->session, x->task);
    if (x->exit.trapped_op == RRS_TRAPPED_X87_POINTERS)
        RRS_TRY(rrs_clear_x87_pointers(x->task, insn, &before));
    RRS_TRY(observe_insn(x, insn, &before, &x->task->regs));
    return rrs_task_resume(x->session, x->task, RRS_ENTRY_DIRECT);
}

static struct rrs_error *handle_iret(struct exit_context *x)
{
    enum { RIP, CS, FLAGS, STACK, SS, WORDS, USER_CS = 0x33, USER_SS = 0x2b };
    uint64_t frame[WORDS];
    RRS_TRY(rrs_tracee_read_all(x->task->tid, x->regs.rsp, frame, sizeof frame));
    if (frame[CS] != USER_CS || frame[SS] != USER_SS) {
        siginfo_t info = {.si_signo = SIGSEGV, .si_code = SI_KERNEL};
        x->task->regs = x->regs;
        return rrs_raise_signal(x->session, x->task, &info);
    }
    x->regs.rsp = frame[STACK];
    x->regs.eflags = rrs_loaded_flags(x->regs.eflags, frame[FLAGS]);
    return go_on_at(x, frame[RIP]);
}

static struct rrs_error *handle_insn(struct exit_context *x)
{
    rrs_addr pc = x->attachment->base + (uint64_t)x->exit.app;
    struct rrs_insn insn;
    x->session->counters.stops_insn++;
    rrs_session_settle(x->session, false);
    if (!rrs_fetch_insn(x->session, x->task, pc, &insn))
        return rrs_error_create(RRS_ERROR_FAULT, "no instruction at %#lx", (unsigned long)pc);
    x->regs.rip = pc;
    x->task->at_call = true;
    if (insn.kind == RRS_INSN_IRET)
        return handle_iret(x);
    const struct rrs_oracle *oracle = x->session->oracle;
    if (oracle && is_answered(&insn))
        return oracle->insn(oracle->context, x->task, &insn, &x->regs);
    struct user_regs_struct before = x->regs;
    if (rrs_emulate_trapped(insn.trapped_op, x->session->options.cpu_level, &x->regs)) {
        x->regs.rip = pc + insn.length;
        RRS_TRY(observe_insn(x, &insn, &before, &x->regs));
        return go_on_at(x, pc + insn.length);
    }
    rrs_task_ready(x->session, x->task, &x->regs);
    RRS_TRY(rrs_run_alone_prepare(x->session, x->task));
    return run_insn_alone(x, &insn);
}

static struct rrs_error *handle_refused(struct exit_context *x)
{
    rrs_addr pc = x->attachment->base + (uint64_t)x->exit.app;
    rrs_session_settle(x->session, false);
    rrs_session_warn(
        x->session,
        "task %d: the instruction at %#lx (a far or 16-bit transfer, int 0x80 or sysenter) is "
        "not supported; it gets SIGILL",
        x->task->tid, (unsigned long)pc);
    x->regs.rip = pc;
    x->task->at_call = true;
    rrs_task_ready(x->session, x->task, &x->regs);
    siginfo_t info = {.si_signo = SIGILL, .si_code = ILL_ILLOPC};
    info.si_addr = (void *)(uintptr_t)pc;
    return rrs_raise_signal(x->session, x->task, &info);
}

/* Bytes of code that can be had at `pc`, up to the longest instruction's. */
static size_t fetch_bytes(struct rrs_task *task, rrs_addr pc, uint8_t bytes[RRS_INSN_MAX_BYTES])
{
    size_t size = 0;
    while (size < RRS_INSN_MAX_BYTES && rrs_space_region_at(task->space, pc + size))
        size++;
    return rrs_tracee_read(task->tid, pc, bytes, size);
}

static struct rrs_error *handle_break(struct exit_context *x, rrs_addr pc)
{
    const struct rrs_oracle *oracle = x->session->oracle;
    rrs_session_settle(x->session, false);
    x->regs.rip = pc;
    x->task->at_call = true;
    rrs_state_clear_dead_flags(x->session, x->task, &x->regs);
    rrs_task_ready(x->session, x->task, &x->regs);
    return oracle->at_break(oracle->context, x->task);
}

/*
 * No instruction can be had at `pc`, or only its beginning: the task is sent to the first byte that
 * is missing, where it meets the very fault that the instruction would.
 */
static struct rrs_error *handle_fetch(struct exit_context *x, rrs_addr pc)
{
    uint8_t bytes[RRS_INSN_MAX_BYTES];
    struct rrs_insn insn;
    if (x->session->break_count && rrs_fetch_insn(x->session, x->task, pc, &insn) &&
        rrs_session_next_break(x->session, pc) < pc + insn.length)
        return handle_break(x, pc);
    /* Code may have come to be there since: the block that says otherwise is not kept. */
    rrs_code_cache_drop(&x->attachment->module->cache, x->exit.app, x->exit.app + 1);
    rrs_session_settle(x->session, false);
    if (rrs_fetch_insn(x->session, x->task, pc, &insn))
        return go_on_at(x, pc);
    return meet_fault(x, pc, pc + fetch_bytes(x->task, pc, bytes));
}

static struct rrs_error *dispatch(struct exit_context *x)
{
    rrs_addr target = x->attachment->base + (uint64_t)x->exit.app;
    switch ((enum rrs_exit_kind)x->exit.kind) {
    case RRS_EXIT_LINK:
        x->session->counters.stops_link++;
        rrs_session_settle(x->session, false);
        return go_on_at(x, target);
    case RRS_EXIT_STALE:
        x->session->counters.invalidations += rrs_code_cache_drop(
            &x->attachment->module->cache, x->exit.app, x->exit.app + x->exit.insn_bytes);
        rrs_session_settle(x->session, false);
        return go_on_at(x, target);
    case RRS_EXIT_TICK:
        return handle_tick(x);
    case RRS_EXIT_INSN:
        return handle_insn(x);
    case RRS_EXIT_REFUSED:
        return handle_refused(x);
    case RRS_EXIT_FETCH:
        return handle_fetch(x, target);
    default:
        return rrs_error_create(RRS_ERROR_UNSUPPORTED, "task %d: exit of unknown kind %d",
                                x->task->tid, x->exit.kind);
    }
}

/*
 * A system call is a safe point: signals that are held come before it. `*delivered`: the task is
 * READY to take them, at the instruction.
 */
static struct rrs_error *deliver_before_call(struct exit_context *x, bool *delivered)
{
    uint64_t blocked;
    *delivered = false;
    if (!x->task->held)
        return NULL;
    RRS_TRY(rrs_ptrace_get_sigmask(x->task->tid, &blocked));
    *delivered = rrs_task_has_signal(x->task, blocked);
    if (!*delivered)
        return NULL;
    x->regs.rcx = x->task->call_regs.rip; /* as it will be behind the call */
    x->regs.r11 = x->regs.eflags;
    x->regs.rax = x->regs.orig_rax;
    x->regs.rip = x->task->call_regs.rip - x->exit.insn_bytes;
    rrs_session_settle(x->session, false);
    x->task->at_call = true;
    rrs_task_ready_safely(x->session, x->task, &x->regs);
    return NULL;
}

static enum rrs_entry_kind kind_of_miss(uint64_t exit_id)
{
    switch (exit_id) {
    case RRS_FIXED_EXIT_MISS_RETURN:
        return RRS_ENTRY_RETURN;
    case RRS_FIXED_EXIT_MISS_CALL:
        return RRS_ENTRY_CALL;
    default:
        return RRS_ENTRY_JUMP;
    }
}

struct rrs_error *rrs_handle_seccomp_stop(struct rrs_session *session, struct rrs_task *task)
{
    struct exit_context x = {.session = session, .task = task};
    RRS_TRY(rrs_ptrace_get_regs(task->tid, &x.regs));
    if (session->oracle)
        RRS_TRY(rrs_ptrace_skip_call(task->tid)); /* however it goes on from here */
    else if (rrs_task_at_call(session, task,
                              x.regs.rip)) /* interrupted, made again by the kernel */
        return rrs_handle_call(session, task, &x.regs);
    task->in_call = false;
    if (x.regs.rip == task->space->runtime + RRS_RUNTIME_CODE + RRS_CODE_MISS_STOP) {
        restore_exit_registers(task, &x.regs);
        x.task->at_call = true;
        return handle_miss(&x, kind_of_miss(task->space->table->cells->exit_id));
    }
    x.attachment = rrs_space_attachment_of_shadow(task->space, x.regs.rip);
    if (!x.attachment)
        return rrs_error_create(RRS_ERROR_UNSUPPORTED,
                                "task %d made a system call outside of shadow code, at %#lx",
                                task->tid, (unsigned long)x.regs.rip);
    struct rrs_code_cache *cache = &x.attachment->module->cache;
    uint32_t at = (uint32_t)(x.regs.rip - x.attachment->shadow);
    uint64_t id = task->space->table->cells->exit_id;
    if (id >= cache->exit_count)
        return rrs_task_wrote_to_engine(task, RRS_RUNTIME_CELLS);
    x.exit = cache->exits[id];
    if (at != cache->prologue.exit_stop) {
        task->call_shadow = x.regs.rip;
        task->call_regs = x.regs;
        task->call_pc = x.attachment->base + (uint64_t)x.exit.app;
        task->call_regs.rip = task->call_pc + x.exit.insn_bytes;
        if (session->oracle)
            return session->oracle->call(session->oracle->context, task);
        bool delivered;
        RRS_TRY(deliver_before_call(&x, &delivered));
        return delivered ? NULL : rrs_handle_call(session, task, &x.regs);
    }
    restore_exit_registers(task, &x.regs);
    x.task->at_call = true;
    return dispatch(&x);
}

bool rrs_fetch_insn(struct rrs_session *session, struct rrs_task *task, rrs_addr pc,
                    struct rrs_insn *insn)
{
    uint8_t bytes[RRS_INSN_MAX_BYTES];
    size_t size = fetch_bytes(task, pc, bytes);
    return size && rrs_decode(session->translator.decoder, bytes, size, insn);
}

/* Shadow code for the instruction is not wanted, but the cache that its slot is in. */
struct rrs_error *rrs_run_alone_prepare(struct rrs_session *session, struct rrs_task *task)
{
    rrs_addr shadow;
    return rrs_space_enter(session, task, task->regs.rip, RRS_ENTRY_DIRECT, &shadow);
}

struct rrs_error *rrs_run_alone(struct rrs_session *session, struct rrs_task *task,
                                const struct rrs_insn *insn, bool *faulted)
{
    rrs_addr pc = task->regs.rip;
    int status;
    session->counters.executed_alone++;
    struct rrs_attachment *attachment = rrs_space_attachment_at(task->space, pc);
    if (!attachment || !rrs_code_cache_load_scratch(&attachment->module->cache, insn,
                                                    (int64_t)(pc - attachment->base)))
        return rrs_error_create(RRS_ERROR_UNSUPPORTED,
                                "the operand of the instruction at %#lx is out of reach",
                                (unsigned long)pc);
    task->alone_pc = pc;
    struct user_regs_struct regs = task->regs;
    regs.rip = attachment->shadow + attachment->module->cache.scratch;
    regs.orig_rax = (uint64_t)-1;
    RRS_TRY(rrs_ptrace_set_regs(task->tid, &regs));
    task->at_call = false;
    for (;;) {
        RRS_TRY(rrs_ptrace_resume(task->tid, PTRACE_CONT, 0));
        RRS_TRY(rrs_task_wait(task, &status));
        if (rrs_status_event(status) == PTRACE_EVENT_SECCOMP)
            break;
        if (rrs_status_event(status))
            continue;
        siginfo_t info;
        RRS_TRY(rrs_ptrace_get_siginfo(task->tid, &info));
        *faulted = rrs_signal_is_raised(&info);
        if (*faulted)
            return NULL;
        rrs_task_hold_signal(task, &info);
    }
    *faulted = false;
    RRS_TRY(rrs_ptrace_get_regs(task->tid, &regs));
    restore_exit_registers(task, &regs);
    regs.rip = pc + insn->length;
    task->at_call = true;
    rrs_task_ready(session, task, &regs);
    return NULL;
}
