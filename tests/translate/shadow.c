/* SPDX-License-Identifier: MIT */
#include "tests/translate/shadow.h"

#include "engine/arch/x86_64/emulate.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { TRAP_INT3 = 3, INT_OPCODE = 0xcd };

/* --- the source of code --- */

static size_t read_code(void *context, int64_t app, uint8_t *buffer, size_t size)
{
    const struct shadow *s = context;
    uint64_t from = s->sandbox->base + (uint64_t)app;
    if (from < s->code_start || from >= s->code_end)
        return 0;
    if (size > s->code_end - from)
        size = s->code_end - from;
    memcpy(buffer, (const void *)(uintptr_t)from, size);
    return size;
}

static bool owns(void *context, int64_t app)
{
    const struct shadow *s = context;
    uint64_t at = s->sandbox->base + (uint64_t)app;
    return at >= s->code_start && at < s->code_end;
}

static bool changes_unseen(void *context, int64_t app)
{
    (void)app;
    return ((const struct shadow *)context)->checked;
}

static uint32_t free_l2_slot(const struct sandbox *sandbox, uint64_t key)
{
    uint32_t slot = rrs_lookup_l2_slot(key);
    while (sandbox->l2[slot].key && sandbox->l2[slot].key != key)
        slot = (slot + 1) & ((1 << RRS_L2_BITS) - 1);
    return slot;
}

static void add_entry(void *context, int64_t app, enum rrs_entry_kind entry_kind, uint32_t offset)
{
    enum { MADE_MAX = sizeof((struct shadow *)0)->made / sizeof((struct shadow *)0)->made[0] };
    struct shadow *s = context;
    const struct sandbox *sandbox = s->sandbox;
    uint64_t app_pc = sandbox->base + (uint64_t)app, shadow_pc = s->cache_address + offset;
    if (s->made_count == MADE_MAX)
        return;
    const struct rrs_entry_place *place = &rrs_entry_places[entry_kind];
    uint64_t key = app_pc | place->key_bit;
    uint64_t miss = sandbox->runtime + RRS_RUNTIME_CODE + place->miss;
    uint64_t *direct =
        (uint64_t *)(uintptr_t)(sandbox->runtime + place->table) + rrs_lookup_slot(app_pc);
    uint32_t l2 = free_l2_slot(sandbox, key);
    if (s->use_direct)
        *direct = shadow_pc - miss;
    if (s->use_l2)
        sandbox->l2[l2] = (struct rrs_lookup_entry){key, shadow_pc};
    s->made[s->made_count].direct = direct;
    s->made[s->made_count++].l2 = l2;
}

void shadow_forget_lookups(struct shadow *s)
{
    for (uint32_t i = 0; i < s->made_count; i++) {
        *s->made[i].direct = 0;
        s->sandbox->l2[s->made[i].l2] = (struct rrs_lookup_entry){0};
    }
    s->made_count = 0;
}

/* Two views, as in a session: the one that runs cannot be written by a stray store. */
static uint8_t *map_cache(uint64_t address)
{
    void *wanted = (void *)(uintptr_t)address;
    int fd = memfd_create("code cache", MFD_CLOEXEC);
    if (fd < 0 || ftruncate(fd, SHADOW_CACHE_BYTES) < 0)
        return NULL;
    void *run_view = mmap(wanted, SHADOW_CACHE_BYTES, PROT_READ | PROT_EXEC,
                          MAP_SHARED | MAP_FIXED_NOREPLACE, fd, 0);
    void *view = mmap(NULL, SHADOW_CACHE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    if (run_view == wanted && view != MAP_FAILED)
        return view;
    printf("cannot map a cache at %#llx\n", (unsigned long long)address);
    return NULL;
}

bool shadow_init(struct shadow *s, const struct sandbox *sandbox, uint64_t cache_address,
                 const struct rrs_translate_options *options)
{
    *s = (struct shadow){.sandbox = sandbox, .cache_address = cache_address};
    uint8_t *memory = map_cache(cache_address);
    if (!memory)
        return false;
    s->code_start = sandbox->base;
    s->code_end = sandbox->base + SANDBOX_CODE_BYTES;
    s->source = (struct rrs_code_source){read_code, owns, changes_unseen, add_entry, s};
    s->translator.options = *options;
    s->translator.decoder = rrs_decoder_create();
    s->use_direct = s->use_l2 = true;
    s->clock.page = sandbox->session;
    snprintf(s->name, sizeof s->name, "block-insns %u, eager %u, cut-seed %llu, cache at %+lld",
             options->block_insns, options->eager_traces, (unsigned long long)options->cut_seed,
             (long long)(cache_address - sandbox->base));
    struct rrs_error *error =
        rrs_code_cache_init(&s->cache, memory, SHADOW_CACHE_BYTES,
                            (int64_t)(cache_address - sandbox->base), sandbox->runtime);
    rrs_error_destroy(error);
    return !error && s->translator.decoder;
}

void shadow_drop(struct shadow *s, uint64_t from, uint64_t to)
{
    if (!rrs_translate_has_room(&s->cache)) {
        shadow_forget_lookups(s);
        rrs_code_cache_flush(&s->cache);
    }
    bool at_end = to > s->code_end; /* an exit for want of bytes does not check them */
    if (s->checked && !at_end)
        return;
    rrs_code_cache_drop(&s->cache, (int64_t)(from - s->sandbox->base),
                        (int64_t)(to - s->sandbox->base));
}

void shadow_hide(const struct shadow *s, bool hide)
{
    const uint64_t high = 1ull << 40; /* no random address comes by there */
    if (s->cache_address < high)
        mprotect((void *)(uintptr_t)s->cache_address, SHADOW_CACHE_BYTES,
                 hide ? PROT_NONE : PROT_READ | PROT_EXEC);
}

uint64_t shadow_dead_flags(const struct shadow *s, uint64_t app_pc)
{
    return rrs_dead_flags(&s->translator, &s->source, (int64_t)(app_pc - s->sandbox->base));
}

/* --- a run --- */

struct shadow_run {
    struct shadow *s;
    struct machine_state *state;
    struct shadow_end *end;
    struct run_end signal;
    uint64_t app_pc;
    enum rrs_entry_kind entry_kind;
    uint64_t left; /* ticks until the stop */
};

static uint64_t shadow_of_app(struct shadow_run *run)
{
    struct shadow *s = run->s;
    int64_t app = (int64_t)(run->app_pc - s->sandbox->base);
    struct rrs_block *block = rrs_code_cache_block_at(&s->cache, app);
    bool entered = !run->entry_kind || rrs_code_cache_entry_at(&s->cache, app, run->entry_kind);
    if (!block || !entered) {
        if (!rrs_translate_has_room(&s->cache)) {
            shadow_forget_lookups(s);
            rrs_code_cache_flush(&s->cache);
        }
        rrs_translate(&s->translator, &s->cache, &s->source, app, run->entry_kind);
        block = rrs_code_cache_block_at(&s->cache, app);
    }
    return s->cache_address + block->shadow;
}

static void end_run(struct shadow_run *run, enum shadow_end_kind kind, uint64_t app_pc)
{
    run->end->kind = kind;
    run->end->signal = run->signal;
    run->state->rip = app_pc;
}

static void lose(struct shadow_run *run, const char *why)
{
    end_run(run, SHADOW_LOST, run->state->rip);
    run->end->lost = why;
}

static void restore_exit_registers(struct shadow_run *run)
{
    const struct rrs_cells *cells = run->s->sandbox->cells;
    run->state->gpr[RAX] = cells->exit_rax;
    run->state->gpr[RCX] = cells->exit_rcx;
    run->state->gpr[R11] = cells->exit_r11;
}

static void take_transfer_registers(struct shadow_run *run, enum rrs_entry_kind entry_kind)
{
    const struct rrs_cells *cells = run->s->sandbox->cells;
    uint64_t *gpr = run->state->gpr;
    bool calls = entry_kind == RRS_ENTRY_CALL;
    gpr[calls ? RAX : RCX] = calls ? cells->call_rax : cells->lookup_rcx;
    gpr[calls ? R10 : R11] = calls ? cells->call_r10 : cells->lookup_r11;
}

static enum rrs_entry_kind kind_of_miss(const struct shadow_run *run)
{
    uint64_t id = run->s->sandbox->cells->exit_id;
    return id == RRS_FIXED_EXIT_MISS_RETURN ? RRS_ENTRY_RETURN
           : id == RRS_FIXED_EXIT_MISS_CALL ? RRS_ENTRY_CALL
                                            : RRS_ENTRY_JUMP;
}

static uint64_t target_of_miss(const struct shadow_run *run)
{
    return run->state->gpr[kind_of_miss(run) == RRS_ENTRY_CALL ? R10 : RCX];
}

static bool at_miss(const struct shadow_run *run)
{
    return run->state->rip == run->s->sandbox->runtime + RRS_RUNTIME_CODE + RRS_CODE_MISS_STOP;
}

static bool at_exit(const struct shadow_run *run)
{
    return run->signal.signal == SIGILL &&
           (at_miss(run) ||
            run->state->rip == run->s->cache_address + run->s->cache.prologue.exit_stop);
}

static void settle(struct shadow_run *run, bool tick_pending)
{
    run->left -= (uint64_t)rrs_clock_settle(&run->s->clock, tick_pending);
}

/* Registers that stand in cells at a place with map state `where`. */
static void take_back(struct shadow_run *run, uint8_t where)
{
    const struct rrs_cells *cells = run->s->sandbox->cells;
    uint64_t *gpr = run->state->gpr;
    if (where == RRS_MAP_RCX_IN_CELL || where == RRS_MAP_RETURNING)
        gpr[RCX] = cells->lookup_rcx;
    if (where == RRS_MAP_RETURNING)
        gpr[R11] = cells->lookup_r11;
    if (where == RRS_MAP_R10_IN_CELL)
        gpr[R10] = cells->call_r10;
    if (where == RRS_MAP_LENT_RSI)
        gpr[RSI] = cells->lent;
    if (where == RRS_MAP_LENT_RDI)
        gpr[RDI] = cells->lent;
    if (where == RRS_MAP_LENT_RBX)
        gpr[RBX] = cells->lent;
}

/* A return wrote to a stack that can only be read: it is done here. */
static void finish_return(struct shadow_run *run)
{
    run->app_pc = run->state->gpr[RCX];
    run->state->gpr[RSP] += 8;
    take_transfer_registers(run, RRS_ENTRY_RETURN);
    settle(run, false);
    run->entry_kind = RRS_ENTRY_DIRECT;
}

/* A signal in shadow code: the app state there. True if it is none of the program's. */
static bool map_back(struct shadow_run *run)
{
    struct shadow *s = run->s;
    struct machine_state *state = run->state;
    uint64_t behind = run->signal.signal == SIGTRAP && run->signal.trap == TRAP_INT3;
    uint32_t at = (uint32_t)(state->rip - behind - s->cache_address);
    struct rrs_block *block = rrs_code_cache_block_of_shadow(&s->cache, at);
    bool just_behind = !block;
    if (just_behind) /* a trap (int 4) by the last instruction of a block that was cut */
        block = rrs_code_cache_block_of_shadow(&s->cache, at - 1);
    if (!block) {
        lose(run, "a signal outside of every block");
        return false;
    }
    uint32_t app_offset = 0;
    uint8_t where = 0;
    rrs_map_find(s->cache.maps + block->map, block->map_bytes, at - block->shadow, &app_offset,
                 &where);
    if (where == RRS_MAP_RETURNING) {
        finish_return(run);
        return true;
    }
    take_back(run, where);
    settle(run, block->ticks && at - block->shadow >= block->pending_from);
    uint64_t shadow_pc = state->rip;
    uint64_t app_pc = s->sandbox->base + block->app + app_offset;
    if (just_behind)
        app_pc = s->sandbox->base + block->app + block->app_bytes;
    if (behind && *(const uint8_t *)(uintptr_t)app_pc == INT_OPCODE) /* cd 03 */
        behind = 2;
    end_run(run, SHADOW_SIGNAL, app_pc + behind);
    if (run->signal.address == shadow_pc) /* siginfo that names the code */
        run->end->signal.address = state->rip;
    return false;
}

static void run_shadow_from(struct shadow_run *run, uint64_t shadow_pc)
{
    run->state->rip = shadow_pc;
    sandbox_run(run->s->sandbox, run->state, run->state, &run->signal);
}

/* A site fired, maybe some instructions before its transfer: runs up to that. True: goes on. */
static bool finish_tick(struct shadow_run *run, const struct rrs_block *block)
{
    struct shadow *s = run->s;
    if (block->site_end != block->transfer) {
        uint8_t saved[5];
        uint32_t stop_at = block->shadow + block->transfer;
        rrs_code_cache_arm_stop(&s->cache, stop_at, saved);
        run_shadow_from(run, s->cache_address + block->shadow + block->site_end);
        rrs_code_cache_disarm_stop(&s->cache, stop_at, saved);
        if (!at_exit(run)) {
            return map_back(run);
        }
        if (s->sandbox->cells->exit_id != RRS_FIXED_EXIT_STOP) {
            lose(run, "not the stop's exit on the way from a site to its transfer");
            return false;
        }
        restore_exit_registers(run);
    }
    settle(run, true);
    run->app_pc = s->sandbox->base + block->app + block->transfer_app;
    run->state->flags &= ~shadow_dead_flags(s, run->app_pc);
    if (run->left) /* only one of the cells had run out */
        return true;
    end_run(run, SHADOW_TICK, run->app_pc);
    return false;
}

static void clear_pointers(struct shadow_run *run, const struct rrs_insn *insn, uint64_t app_pc,
                           const struct machine_state *before)
{
    struct rrs_x87_pointer_field fields[2];
    const uint64_t *g = before->gpr;
    struct user_regs_struct regs = {.rax = g[0],
                                    .rcx = g[1],
                                    .rdx = g[2],
                                    .rbx = g[3],
                                    .rsp = g[4],
                                    .rbp = g[5],
                                    .rsi = g[6],
                                    .rdi = g[7],
                                    .r8 = g[8],
                                    .r9 = g[9],
                                    .r10 = g[10],
                                    .r11 = g[11],
                                    .r12 = g[12],
                                    .r13 = g[13],
                                    .r14 = g[14],
                                    .r15 = g[15],
                                    .rip = app_pc};
    regs.gs_base = run->s->sandbox->base + SANDBOX_DATA;
    uint64_t image = rrs_operand_address(insn, &regs);
    int count = rrs_x87_pointer_fields(insn, fields);
    for (int i = 0; i < count; i++)
        memset((void *)(uintptr_t)(image + fields[i].offset), 0, fields[i].bytes);
}

/*
 * The engine's way with an instruction that the CPU executes alone, if it is one with a result to
 * compare: one that stores x87 pointers, or that the decoder does not know.
 */
static bool run_alone(struct shadow_run *run, uint64_t app_pc, bool *goes_on)
{
    struct shadow *s = run->s;
    struct rrs_insn insn;
    uint8_t bytes[RRS_INSN_MAX_BYTES];
    int64_t app = (int64_t)(app_pc - s->sandbox->base);
    size_t size = read_code(s, app, bytes, sizeof bytes);
    struct machine_state before = *run->state;
    *goes_on = false;
    if (!rrs_decode(s->translator.decoder, bytes, size, &insn)) {
        lose(run, "an exit for an instruction that is none");
        return true;
    }
    bool stores_pointers = run->end->exit.trapped_op == RRS_TRAPPED_X87_POINTERS;
    if (!stores_pointers && insn.kind != RRS_INSN_UNKNOWN)
        return false;
    if (!rrs_code_cache_load_scratch(&s->cache, &insn, app)) {
        lose(run, "an instruction that could not be put into the scratch slot");
        return true;
    }
    run_shadow_from(run, s->cache_address + s->cache.scratch);
    if (!at_exit(run)) {
        uint64_t scratch = s->cache_address + s->cache.scratch, shadow_pc = run->state->rip;
        uint32_t app_offset = 0;
        uint8_t where = 0;
        rrs_map_find(s->cache.scratch_map.entries, s->cache.scratch_map.bytes,
                     (uint32_t)(shadow_pc - scratch), &app_offset, &where);
        take_back(run, where);
        end_run(run, SHADOW_SIGNAL, app_pc + app_offset);
        if (run->signal.address == shadow_pc)
            run->end->signal.address = app_pc;
        return true;
    }
    restore_exit_registers(run);
    if (stores_pointers)
        clear_pointers(run, &insn, app_pc, &before);
    run->app_pc = app_pc + insn.length;
    run->entry_kind = RRS_ENTRY_DIRECT;
    *goes_on = true;
    return true;
}

static bool is_canonical(uint64_t address)
{
    return (uint64_t)((int64_t)(address << 16) >> 16) == address;
}

/* An indirect transfer to what can be no address faults by itself: it is taken back. */
static bool take_transfer_back(struct shadow_run *run)
{
    enum { GENERAL_PROTECTION = 13 };
    struct shadow *s = run->s;
    struct rrs_insn insn;
    uint8_t bytes[RRS_INSN_MAX_BYTES];
    const struct rrs_block *block =
        rrs_code_cache_block_of_site(&s->cache, (uint32_t)s->sandbox->cells->site);
    int64_t app = block ? (int64_t)block->app + block->transfer_app : -1;
    size_t size = read_code(s, app, bytes, sizeof bytes);
    if (!block || !rrs_decode(s->translator.decoder, bytes, size, &insn)) {
        lose(run, "a transfer to no address from nowhere");
        return false;
    }
    take_transfer_registers(run, kind_of_miss(run));
    if (insn.kind == RRS_INSN_RET)
        run->state->gpr[RSP] -= 8 + insn.ret_bytes;
    else if (insn.kind == RRS_INSN_CALL_INDIRECT)
        run->state->gpr[RSP] += 8;
    settle(run, true);
    run->signal =
        (struct run_end){.signal = SIGSEGV, .code = SI_KERNEL, .trap = GENERAL_PROTECTION};
    end_run(run, SHADOW_SIGNAL, s->sandbox->base + (uint64_t)app);
    return false;
}

static bool dispatch(struct shadow_run *run)
{
    struct shadow *s = run->s;
    uint64_t id = s->sandbox->cells->exit_id;
    if (id >= s->cache.exit_count) {
        lose(run, "an exit that does not exist");
        return false;
    }
    struct rrs_exit exit = s->cache.exits[id];
    bool goes_on;
    uint64_t app_pc = s->sandbox->base + (uint64_t)exit.app;
    restore_exit_registers(run);
    if (id >= RRS_FIXED_EXITS && exit.kind == RRS_EXIT_TICK) {
        struct rrs_block block = s->cache.blocks[exit.block];
        return finish_tick(run, &block);
    }
    if (at_miss(run) && !is_canonical(target_of_miss(run)))
        return take_transfer_back(run);
    settle(run, false);
    run->entry_kind = RRS_ENTRY_DIRECT;
    if (at_miss(run)) {
        run->app_pc = target_of_miss(run);
        run->entry_kind = kind_of_miss(run);
        take_transfer_registers(run, run->entry_kind);
        return true;
    }
    run->end->exit = exit;
    switch ((enum rrs_exit_kind)exit.kind) {
    case RRS_EXIT_LINK:
        run->app_pc = app_pc;
        return true;
    case RRS_EXIT_STALE:
        rrs_code_cache_drop(&s->cache, exit.app, exit.app + exit.insn_bytes);
        run->app_pc = app_pc;
        return true;
    case RRS_EXIT_FETCH:
        end_run(run, SHADOW_FETCH, app_pc);
        return false;
    case RRS_EXIT_INSN:
        if (run_alone(run, app_pc, &goes_on))
            return goes_on;
        /* fall through */
    case RRS_EXIT_REFUSED:
        end_run(run, SHADOW_EXIT, app_pc);
        return false;
    default:
        lose(run, "an exit of a kind that does not belong here");
        return false;
    }
}

void shadow_run(struct shadow *s, struct machine_state *state, uint64_t ticks,
                struct shadow_end *end)
{
    struct shadow_run run = {.s = s, .state = state, .end = end, .left = ticks};
    run.app_pc = state->rip;
    *end = (struct shadow_end){0};
    bool goes_on = true;
    while (goes_on) {
        if (!owns(s, (int64_t)(run.app_pc - s->sandbox->base))) {
            end_run(&run, SHADOW_FETCH, run.app_pc);
            break;
        }
        uint64_t shadow_pc = shadow_of_app(&run);
        rrs_clock_arm(&s->clock, run.left);
        run_shadow_from(&run, shadow_pc);
        goes_on = at_exit(&run) ? dispatch(&run) : map_back(&run);
    }
    end->ticks = ticks - run.left;
}
