/* SPDX-License-Identifier: MIT */
/* Crossing between app state and shadow state. */
#include "engine/run/state.h"

#include "engine/run/own_traps.h"
#include "engine/run/remote.h"

#include <signal.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>

void rrs_state_clear_dead_flags(struct rrs_session *session, struct rrs_task *task,
                                struct user_regs_struct *regs)
{
    struct rrs_attachment all_memory = {.base = 0};
    struct rrs_source_context context = {
        .session = session, .task = task, .attachment = &all_memory, .sees_through_breaks = true};
    struct rrs_code_source source = rrs_space_source(&context);
    const struct rrs_region *region = rrs_space_region_at(task->space, regs->rip);
    if (region && (region->writable || region->changes_unseen))
        task->space->fetch_generation++; /* it may have changed since the last look */
    regs->eflags &= ~(uint64_t)rrs_dead_flags(&session->translator, &source, (int64_t)regs->rip);
}

void rrs_state_behind_transfer(const struct rrs_task *task, enum rrs_entry_kind entry_kind,
                               struct user_regs_struct *regs)
{
    const struct rrs_cells *cells = task->space->table->cells;
    if (entry_kind == RRS_ENTRY_CALL) {
        regs->rax = cells->call_rax;
        regs->r10 = cells->call_r10;
        regs->eflags = (regs->eflags & ~(uint64_t)RRS_FLAGS_ARITHMETIC) | RRS_FLAGS_OF_CALLS;
    } else {
        regs->rcx = cells->lookup_rcx;
        regs->r11 = cells->lookup_r11;
    }
}

/* Takes back the registers that shadow code keeps in cells at a place with map state `state`. */
static void take_back(const struct rrs_cells *cells, uint8_t state, struct user_regs_struct *regs)
{
    switch (state) {
    case RRS_MAP_RETURNING:
        regs->r11 = cells->lookup_r11;
        regs->rcx = cells->lookup_rcx;
        break;
    case RRS_MAP_RCX_IN_CELL:
        regs->rcx = cells->lookup_rcx;
        break;
    case RRS_MAP_R10_IN_CELL:
        regs->r10 = cells->call_r10;
        break;
    case RRS_MAP_LENT_RSI:
        regs->rsi = cells->lent;
        break;
    case RRS_MAP_LENT_RDI:
        regs->rdi = cells->lent;
        break;
    case RRS_MAP_LENT_RBX:
        regs->rbx = cells->lent;
        break;
    default:
        break;
    }
}

bool rrs_state_to_app(struct rrs_session *session, struct rrs_task *task,
                      struct user_regs_struct *regs, bool *tick_pending)
{
    *tick_pending = false;
    struct rrs_attachment *attachment = rrs_space_attachment_of_shadow(task->space, regs->rip);
    if (!attachment)
        return false;
    struct rrs_code_cache *cache = &attachment->module->cache;
    uint32_t at = (uint32_t)(regs->rip - attachment->shadow), app_offset = 0;
    uint8_t state = 0;
    if (at >= cache->scratch && at < cache->scratch + RRS_SCRATCH_BYTES) {
        rrs_map_find(cache->scratch_map.entries, cache->scratch_map.bytes, at - cache->scratch,
                     &app_offset, &state);
        take_back(task->space->table->cells, state, regs);
        regs->rip = task->alone_pc + app_offset;
        return true;
    }
    struct rrs_block *block = rrs_code_cache_block_of_shadow(cache, at);
    bool just_behind = !block; /* a trap (int 4, single step) by the last instruction of a block */
    if (just_behind)
        block = rrs_code_cache_block_of_shadow(cache, at - 1);
    if (!block)
        return false;
    rrs_map_find(cache->maps + block->map, block->map_bytes, at - block->shadow, &app_offset,
                 &state);
    *tick_pending = block->ticks && at - block->shadow >= block->pending_from;
    take_back(task->space->table->cells, state, regs);
    regs->rip = attachment->base + block->app + (just_behind ? block->app_bytes : app_offset);
    rrs_state_clear_dead_flags(session, task, regs);
    return true;
}

/* The block that holds `shadow_pc`, or NULL, and the state of its map there. */
static struct rrs_block *find_block(struct rrs_attachment *attachment, rrs_addr shadow_pc,
                                    uint8_t *state)
{
    struct rrs_code_cache *cache = &attachment->module->cache;
    uint32_t at = (uint32_t)(shadow_pc - attachment->shadow), app_offset = 0;
    struct rrs_block *block = rrs_code_cache_block_of_shadow(cache, at);
    *state = 0;
    if (block)
        rrs_map_find(cache->maps + block->map, block->map_bytes, at - block->shadow, &app_offset,
                     state);
    return block;
}

bool rrs_state_is_returning(struct rrs_task *task, rrs_addr shadow_pc)
{
    struct rrs_attachment *attachment = rrs_space_attachment_of_shadow(task->space, shadow_pc);
    uint8_t state;
    return attachment && find_block(attachment, shadow_pc, &state) && state == RRS_MAP_RETURNING;
}

bool rrs_state_is_amid_transfer(struct rrs_task *task, rrs_addr shadow_pc)
{
    struct rrs_attachment *attachment = rrs_space_attachment_of_shadow(task->space, shadow_pc);
    uint8_t state;
    if (!attachment)
        return false;
    struct rrs_block *block = find_block(attachment, shadow_pc, &state);
    const uint8_t *code = attachment->module->cache.memory + (shadow_pc - attachment->shadow);
    return (!block || state == RRS_MAP_RETURNING) && rrs_lower_amends_stack(code, block);
}

struct rrs_error *rrs_state_rewind_site(struct rrs_task *task)
{
    struct user_regs_struct regs;
    RRS_TRY(rrs_ptrace_get_regs(task->tid, &regs));
    struct rrs_attachment *attachment = rrs_space_attachment_of_shadow(task->space, regs.rip);
    if (!attachment)
        return NULL;
    uint32_t at = (uint32_t)(regs.rip - attachment->shadow);
    struct rrs_block *block = rrs_code_cache_block_of_shadow(&attachment->module->cache, at);
    if (!block || !block->ticks || at <= block->shadow + block->site ||
        at >= block->shadow + block->pending_from)
        return NULL;
    regs.rip = attachment->shadow + block->shadow + block->site;
    regs.rcx = task->space->table->cells->lookup_rcx; /* kept there by the site's first step */
    return rrs_ptrace_set_regs(task->tid, &regs);
}

void rrs_task_ready(struct rrs_session *session, struct rrs_task *task,
                    const struct user_regs_struct *regs)
{
    task->regs = *regs;
    task->regs.orig_rax = (uint64_t)-1;
    task->state = RRS_TASK_READY;
    task->at_safe_point = false;
    task->in_call = false;
    if (session->runner == task)
        session->runner = NULL;
}

bool rrs_task_at_call(const struct rrs_session *session, const struct rrs_task *task,
                      rrs_addr shadow_pc)
{
    if (!task->in_call || shadow_pc != task->call_shadow)
        return false;
    /* Code comes back to a place only by way of a tick. */
    return session->runner != task || rrs_clock_stands_still(&session->clock);
}

/*
 * The vsyscall page has three entries that the kernel emulates: each is a system call and a return
 * (Linux v6.1 arch/x86/entry/vsyscall/vsyscall_64.c). True if the task was at one.
 */
static struct rrs_error *run_vsyscall(struct rrs_session *session, struct rrs_task *task,
                                      bool *done)
{
    static const int calls[] = {SYS_gettimeofday, SYS_time, SYS_getcpu};
    struct user_regs_struct *regs = &task->regs;
    uint64_t entry = (regs->rip - 0xffffffffff600000) >> 10;
    *done = regs->rip >= 0xffffffffff600000 && !(regs->rip & 1023) && entry < 3;
    if (!*done)
        return NULL;
    int64_t result;
    task->call = calls[entry];
    task->call_pc = regs->rip;
    task->call_regs = *regs;
    if (session->oracle)
        return session->oracle->call(session->oracle->context, task);
    RRS_TRY(rrs_remote_call(session, task, calls[entry],
                            RRS_ARGUMENTS(regs->rdi, regs->rsi, regs->rdx), &result));
    regs->rax = (uint64_t)result;
    RRS_TRY(rrs_tracee_read_all(task->tid, regs->rsp, &regs->rip, 8));
    regs->rsp += 8;
    const struct rrs_observer *observer = session->observer;
    return observer ? observer->call_ends(observer->context, task, regs) : NULL;
}

struct rrs_error *rrs_task_wrote_to_engine(const struct rrs_task *task, uint32_t where)
{
    return rrs_error_create(RRS_ERROR_FAULT, "task %d wrote into the engine's memory, at %#lx",
                            task->tid, (unsigned long)(task->space->runtime + where));
}

struct rrs_error *rrs_task_resume_raw(struct rrs_session *session, struct rrs_task *task,
                                      int request)
{
    if (task->stop_owed) /* it is reported anew, if it has not ended meanwhile */
        ptrace(PTRACE_INTERRUPT, task->tid, 0, 0);
    task->stop_owed = false;
    task->state = RRS_TASK_RUNNING;
    session->runner = task;
    return rrs_ptrace_resume(task->tid, request, 0);
}

void rrs_task_ready_safely(struct rrs_session *session, struct rrs_task *task,
                           const struct user_regs_struct *regs)
{
    rrs_task_ready(session, task, regs);
    task->at_safe_point = true;
}

/*
 * The engine's own code is none of the program's: who jumps there is sent to where there is nothing
 * at all.
 */
static rrs_addr natural_place(struct rrs_address_space *space, rrs_addr app_pc)
{
    bool ours = app_pc - space->runtime < RRS_RUNTIME_BYTES + RRS_OUTPUTS_BYTES ||
                rrs_space_attachment_of_shadow(space, app_pc);
    return ours ? RRS_NOWHERE : app_pc;
}

struct rrs_error *rrs_task_resume(struct rrs_session *session, struct rrs_task *task,
                                  enum rrs_entry_kind entry_kind)
{
    if (task->held && task->at_safe_point) {
        RRS_TRY(rrs_deliver_held(session, task));
        if (task->state != RRS_TASK_READY)
            return NULL;
    }
    rrs_addr shadow;
    if (session->clock.written)
        return rrs_task_wrote_to_engine(task, RRS_RUNTIME_SESSION);
    RRS_TRY(rrs_space_enter(session, task, task->regs.rip, entry_kind, &shadow));
    while (!shadow) {
        bool was_vsyscall;
        RRS_TRY(run_vsyscall(session, task, &was_vsyscall));
        if (!was_vsyscall)
            break;
        if (session->oracle)
            return NULL;
        RRS_TRY(rrs_space_enter(session, task, task->regs.rip, RRS_ENTRY_DIRECT, &shadow));
    }
    struct user_regs_struct regs = task->regs;
    regs.orig_rax = (uint64_t)-1;
    task->natural = !shadow;
    task->natural_pc = regs.rip;
    task->at_call = false;
    regs.rip = shadow ? shadow : natural_place(task->space, regs.rip);
    RRS_TRY(rrs_ptrace_set_regs(task->tid, &regs));
    if (task->space->guarded_count)
        RRS_TRY(rrs_own_traps_expect(task));
    rrs_clock_arm(&session->clock, session->slice_left);
    if (task->held && !task->at_safe_point)
        rrs_clock_expire(&session->clock);
    task->entered = task->at_safe_point ? shadow : 0;
    return rrs_task_resume_raw(session, task, PTRACE_CONT);
}
