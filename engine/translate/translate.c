/* SPDX-License-Identifier: MIT */
/*
 * The passes from app code to shadow code, in order:
 *
 *   fetch   decode the instructions of one block, up to its transfer or a cut
 *   site    find the last point before a tick instruction where the arithmetic flags are dead
 *   emit    lower each instruction, writing the PC map as it goes
 *   lay out the next block of the trace right behind (fall-through, or the target of a jump)
 *   stubs   exits for the transfers whose target has no shadow code yet
 *
 * A block never depends on what stands before it, so any block can be entered from anywhere.
 */
#include "engine/translate/translate.h"

#include "engine/runtime/layout.h"

#include <assert.h>
#include <string.h>

enum {
    BLOCK_INSNS_MAX = 64,
    TRACE_STUBS_MAX = 2048,
    TRACE_CALLS_MAX = 512,
    QUEUE_MAX = 256,
    MIN_BLOCK_BYTES = 5,           /* a dropped block becomes a jump of 5 bytes */
    ROOM_FOR_REQUEST = 512 * 1024, /* shadow bytes that one request may need, generously */
    STRAIGHT_LINE_MAX = 4096,      /* instructions; beyond, flags count as live */
};

const struct rrs_translate_options rrs_translate_defaults = {
    .block_insns = BLOCK_INSNS_MAX,
    .trace_insns = 200,
    .eager_traces = 12,
    .tick_cells = RRS_TICK_CELLS,
};

/* A displacement that still has to be sent to an exit stub. */
struct open_exit {
    uint8_t *displacement;
    uint32_t exit;
    bool rcx_in_cell;
    bool far; /* the target belongs to another module */
};

/* A call whose thunk is still to be made. */
struct open_call {
    uint8_t *displacement;
    int64_t pushed, app_next;
    int64_t target;
    bool indirect; /* the target is in r10 instead */
};

struct request {
    struct rrs_translator *translator;
    struct rrs_code_cache *cache;
    const struct rrs_code_source *source;
    struct rrs_emitter e, cold;
    struct rrs_map_writer map;
    struct open_exit stubs[TRACE_STUBS_MAX];
    uint32_t stub_count;
    struct open_call calls[TRACE_CALLS_MAX];
    uint32_t call_count;
    int64_t queue[QUEUE_MAX];
    uint32_t queue_count;
    uint32_t insns_left; /* of the trace */
};

struct fetched {
    struct rrs_insn insns[BLOCK_INSNS_MAX];
    uint32_t count;
    bool checked; /* the block is to check its code when entered */
    int64_t app;  /* of insns[0] */
    int64_t next; /* app address behind the last one */
};

/* --- fetch --- */

static uint32_t block_limit(struct rrs_translator *translator)
{
    struct rrs_translate_options *options = &translator->options;
    uint32_t limit = options->block_insns;
    if (options->cut_seed) {
        options->cut_seed = options->cut_seed * 6364136223846793005u + 1442695040888963407u;
        limit = 1 + (uint32_t)(options->cut_seed >> 33) % limit;
    }
    return limit;
}

static bool is_call(const struct rrs_insn *insn)
{
    return insn->kind == RRS_INSN_CALL || insn->kind == RRS_INSN_CALL_INDIRECT;
}

static void fetch(struct request *r, int64_t app, struct fetched *f)
{
    uint8_t bytes[BLOCK_INSNS_MAX * RRS_INSN_MAX_BYTES];
    uint32_t limit = block_limit(r->translator);
    size_t size = r->source->read(r->source->context, app, bytes, limit * RRS_INSN_MAX_BYTES);
    size_t at = 0;
    f->app = app;
    f->count = 0;
    f->checked = size && r->source->changes_unseen(r->source->context, app);
    while (f->count < limit && at < size) {
        struct rrs_insn *insn = &f->insns[f->count];
        if (!rrs_decode(r->translator->decoder, bytes + at, size - at, insn))
            break;
        if (is_call(insn) && f->count)
            break; /* every call has one place: what it pushes predicts the return */
        f->count++;
        at += insn->length;
        if (rrs_insn_ends_block(insn) || (f->checked && insn->may_write))
            break; /* what was written may be the next instruction */
    }
    f->next = app + (int64_t)at;
    r->translator->insns += f->count;
}

/* --- site --- */

static uint16_t dead_before(const struct rrs_insn *insn, uint16_t dead_after)
{
    return (uint16_t)((dead_after | insn->flags_killed) & ~insn->flags_read);
}

/* Index of the instruction to place the site before; `*flags_dead` says whether they are there. */
static uint32_t place_site(const struct fetched *f, bool *flags_dead)
{
    uint32_t last = f->count - 1;
    uint16_t dead = rrs_insn_ends_flags(&f->insns[last]) ? RRS_FLAGS_ARITHMETIC : 0;
    *flags_dead = true;
    for (uint32_t i = last;; i--) {
        if (dead == RRS_FLAGS_ARITHMETIC)
            return i;
        if (i == 0)
            break;
        dead = dead_before(&f->insns[i - 1], dead);
    }
    *flags_dead = false;
    return last;
}

/* --- emit --- */

static uint32_t cache_offset(const struct request *r, const uint8_t *out)
{
    return (uint32_t)(out - r->cache->memory);
}

static void enqueue(struct request *r, int64_t app)
{
    if (r->queue_count < QUEUE_MAX)
        r->queue[r->queue_count++] = app;
}

static void add_stub(struct request *r, struct open_exit stub)
{
    assert(r->stub_count < TRACE_STUBS_MAX && "a trace outgrew its exits");
    r->stubs[r->stub_count++] = stub;
}

/* Whether a block at `app` would be of this cache. */
static bool is_near(const struct request *r, int64_t app)
{
    return app >= 0 && app < UINT32_MAX && r->source->owns(r->source->context, app);
}

/* Sends a direct transfer to its target, or to an exit until the target has shadow code. */
static void branch_to(struct request *r, uint8_t *displacement, int64_t target)
{
    struct rrs_code_cache *cache = r->cache;
    bool near = is_near(r, target);
    struct rrs_entry *entry = near ? rrs_code_cache_entry(cache, (uint32_t)target) : NULL;
    uint32_t patch = cache_offset(r, displacement);
    if (entry && entry->block) {
        int64_t shadow = cache->shadow_base + cache->blocks[entry->block - 1].shadow;
        rrs_patch_rel32(displacement, cache->shadow_base + patch, shadow);
        return;
    }
    uint32_t id =
        rrs_code_cache_add_exit(cache, (struct rrs_exit){.kind = RRS_EXIT_LINK,
                                                         .app = target,
                                                         .patch = patch,
                                                         .next = entry ? entry->waiting : 0});
    if (entry) {
        entry->waiting = id;
        enqueue(r, target);
    }
    add_stub(r, (struct open_exit){.displacement = displacement, .exit = id, .far = !entry});
}

/* Up to `most` exits from `id` on lead there. */
static void link_exits(struct rrs_code_cache *cache, uint32_t id, uint32_t most, uint32_t shadow)
{
    for (; id && most; id = cache->exits[id].next, most--) {
        uint32_t patch = cache->exits[id].patch;
        rrs_patch_rel32(cache->memory + patch, cache->shadow_base + patch,
                        cache->shadow_base + shadow);
    }
}

/*
 * Blocks dropped before lead to the new one as well, not to each other one after the other: code
 * that is linked to the first goes through all of them. (Only to the last ones, or code that
 * changes for ever would take ever longer; the others come there by a fraction of the jumps.)
 */
static void link_waiting(struct request *r, struct rrs_entry *entry, uint32_t shadow)
{
    enum { DROPPED_MOST = 64 };
    link_exits(r->cache, entry->waiting, UINT32_MAX, shadow);
    link_exits(r->cache, entry->dropped, DROPPED_MOST, shadow);
    entry->waiting = 0;
}

static int64_t exit_common_of(const struct request *r)
{
    return r->cache->shadow_base + r->cache->prologue.exit_common;
}

/* Leaves shadow code for good at this point: the engine goes on from `app`. */
static void emit_exit(struct request *r, enum rrs_exit_kind kind, int64_t app,
                      const struct rrs_insn *insn)
{
    uint32_t id = rrs_code_cache_add_exit(
        r->cache, (struct rrs_exit){.kind = kind,
                                    .app = app,
                                    .trapped_op = insn ? insn->trapped_op : 0,
                                    .insn_bytes = insn ? insn->length : 0});
    rrs_lower_exit(&r->e, id, exit_common_of(r));
}

/* Which cell a site counts in does not matter, only that neighbours count in different ones. */
static uint32_t next_cell(struct request *r)
{
    return r->cache->next_cell++ % r->translator->options.tick_cells;
}

static void emit_site(struct request *r, struct rrs_block *block, bool flags_dead)
{
    int64_t pending_from;
    int64_t start = r->cache->shadow_base + block->shadow;
    uint16_t site = (uint16_t)(r->e.here - start);
    uint8_t *displacement = rrs_lower_tick(&r->e, flags_dead, next_cell(r), &pending_from);
    block->ticks = true;
    block->site = site;
    block->pending_from = (uint16_t)(pending_from - start);
    block->site_end = (uint16_t)(r->e.here - start);
    uint32_t index = (uint32_t)(block - r->cache->blocks);
    uint32_t id = rrs_code_cache_add_exit(
        r->cache, (struct rrs_exit){.kind = RRS_EXIT_TICK, .block = index, .app = block->app});
    add_stub(r, (struct open_exit){
                    .displacement = displacement, .exit = id, .rcx_in_cell = !flags_dead});
}

static uint32_t site_of(const struct request *r, const struct rrs_block *block)
{
    return rrs_code_cache_site(r->cache, (uint32_t)(block - r->cache->blocks));
}

/* The call itself; what it pushes is where the emitter stands then. */
static void emit_call(struct request *r, int64_t app_next, int64_t target, bool indirect)
{
    uint8_t *displacement = rrs_lower_call(&r->e);
    assert(r->call_count < TRACE_CALLS_MAX && "a trace outgrew its calls");
    r->calls[r->call_count++] = (struct open_call){
        .displacement = displacement,
        .pushed = r->e.here,
        .app_next = app_next,
        .target = target,
        .indirect = indirect,
    };
}

static void emit_indirect(struct request *r, const struct rrs_insn *insn,
                          const struct rrs_block *block, int64_t app)
{
    int64_t next = app + insn->length;
    bool calls = insn->kind == RRS_INSN_CALL_INDIRECT;
    bool reached = calls ? rrs_lower_call_operand(&r->e, insn, next, site_of(r, block), &r->map)
                         : rrs_lower_indirect_jump(&r->e, insn, next, site_of(r, block), &r->map);
    if (!reached)
        emit_exit(r, RRS_EXIT_REFUSED, app, insn);
    else if (calls)
        emit_call(r, next, 0, true);
}

static void emit_xsave(struct request *r, const struct rrs_insn *insn, int64_t app)
{
    uint8_t *displacement = rrs_lower_xsave_check(&r->e);
    uint32_t id =
        rrs_code_cache_add_exit(r->cache, (struct rrs_exit){.kind = RRS_EXIT_INSN,
                                                            .app = app,
                                                            .trapped_op = RRS_TRAPPED_X87_POINTERS,
                                                            .insn_bytes = insn->length});
    add_stub(r, (struct open_exit){.displacement = displacement, .exit = id});
    bool reached = rrs_lower_plain(&r->e, insn, app + insn->length, &r->map);
    assert(reached && "an xsave operand out of reach");
    (void)reached;
}

/* The exit's `patch` is where the call goes on. */
static void emit_syscall(struct request *r, const struct rrs_insn *insn, int64_t app)
{
    uint32_t id = rrs_code_cache_add_exit(
        r->cache,
        (struct rrs_exit){.kind = RRS_EXIT_SYSCALL, .app = app, .insn_bytes = insn->length});
    int64_t after = rrs_lower_syscall(&r->e, id, app + insn->length);
    r->cache->exits[id].patch = (uint32_t)(after - r->cache->shadow_base);
}

/* Lowers the last instruction of a block as far as the transfer itself, which emit_trace() ends. */
static void emit_last(struct request *r, const struct rrs_insn *insn, const struct rrs_block *block,
                      int64_t app)
{
    int64_t next = app + insn->length;
    switch ((enum rrs_insn_kind)insn->kind) {
    case RRS_INSN_PLAIN:
        if (!rrs_lower_plain(&r->e, insn, next, &r->map))
            emit_exit(r, RRS_EXIT_INSN, app, insn);
        break;
    case RRS_INSN_JCC:
        branch_to(r, rrs_lower_jcc(&r->e, insn->condition), next + insn->branch);
        break;
    case RRS_INSN_LOOP:
        branch_to(r, rrs_lower_loop(&r->e, insn), next + insn->branch);
        break;
    case RRS_INSN_CALL:
        emit_call(r, next, next + insn->branch, false);
        break;
    case RRS_INSN_RET:
        rrs_lower_ret(&r->e, insn, site_of(r, block), &r->map);
        break;
    case RRS_INSN_JMP_INDIRECT:
    case RRS_INSN_CALL_INDIRECT:
        emit_indirect(r, insn, block, app);
        break;
    case RRS_INSN_SYSCALL:
        emit_syscall(r, insn, app);
        break;
    case RRS_INSN_XSAVE:
        emit_xsave(r, insn, app);
        break;
    case RRS_INSN_JMP:
        break; /* nothing: the trace goes on at the target, or jumps there */
    case RRS_INSN_XBEGIN:
        EMIT(&r->e, 0xb8, 0, 0, 0, 0); /* mov eax, 0: aborted, no reason given */
        break;
    case RRS_INSN_TRAPPED:
    case RRS_INSN_IRET:
    case RRS_INSN_UNKNOWN:
        emit_exit(r, RRS_EXIT_INSN, app, insn);
        break;
    case RRS_INSN_REFUSED:
        emit_exit(r, RRS_EXIT_REFUSED, app, insn);
        break;
    }
}

static void emit_check(struct request *r, const struct fetched *f)
{
    uint8_t bytes[BLOCK_INSNS_MAX * RRS_INSN_MAX_BYTES];
    uint8_t *failures[RRS_CHECK_MAX_FAILURES];
    uint32_t count = 0;
    for (uint32_t i = 0; i < f->count; count += f->insns[i++].length)
        memcpy(bytes + count, f->insns[i].bytes, f->insns[i].length);
    uint32_t id = rrs_code_cache_add_exit(
        r->cache, (struct rrs_exit){.kind = RRS_EXIT_STALE, .app = f->app, .insn_bytes = 1});
    uint32_t pieces = rrs_lower_check(&r->e, f->app, bytes, count, &r->map, failures);
    for (uint32_t i = 0; i < pieces; i++)
        add_stub(r,
                 (struct open_exit){.displacement = failures[i], .exit = id, .rcx_in_cell = true});
}

/* A transfer that its site can be one with. */
static bool can_fuse(const struct request *r, const struct rrs_insn *insn, int64_t app)
{
    return insn->kind == RRS_INSN_RET || (insn->kind == RRS_INSN_JMP_INDIRECT &&
                                          rrs_operand_is_near(&r->e, insn, app + insn->length));
}

/* Such a transfer, where there is no place for a site with dead flags. */
static void emit_fused(struct request *r, const struct rrs_insn *insn, struct rrs_block *block,
                       int64_t app)
{
    int64_t start = r->cache->shadow_base + block->shadow;
    uint32_t index = (uint32_t)(block - r->cache->blocks);
    struct rrs_fused_site tick = {
        .cell = next_cell(r),
        .exit_id = rrs_code_cache_add_exit(
            r->cache, (struct rrs_exit){.kind = RRS_EXIT_TICK, .block = index, .app = block->app}),
        .exit_common = exit_common_of(r),
    };
    block->ticks = true;
    block->site = block->site_end = block->transfer;
    if (insn->kind == RRS_INSN_RET)
        rrs_lower_ticking_ret(&r->e, insn, site_of(r, block), &tick, &r->map);
    else
        rrs_lower_ticking_jump(&r->e, insn, app + insn->length, site_of(r, block), &tick, &r->map);
    block->pending_from = (uint16_t)(tick.pending_from - start);
}

static void emit_body(struct request *r, const struct fetched *f, struct rrs_block *block)
{
    const struct rrs_insn *last = &f->insns[f->count - 1];
    bool flags_dead = false;
    uint32_t site = rrs_insn_ticks(last) ? place_site(f, &flags_dead) : UINT32_MAX;
    int64_t app = f->app;
    if (f->checked)
        emit_check(r, f);
    for (uint32_t i = 0; i < f->count; i++) {
        const struct rrs_insn *insn = &f->insns[i];
        bool fused = insn == last && i == site && !flags_dead && can_fuse(r, insn, app);
        if (i == site && !fused)
            emit_site(r, block, flags_dead);
        if (insn == last) {
            block->transfer = (uint16_t)(cache_offset(r, r->e.out) - block->shadow);
            block->transfer_app = (uint16_t)(app - f->app);
            if (fused)
                emit_fused(r, insn, block, app);
            else
                emit_last(r, insn, block, app);
        } else if (!rrs_lower_plain(&r->e, insn, app + insn->length, &r->map)) {
            emit_exit(r, RRS_EXIT_INSN, app, insn);
        }
        rrs_map_instruction(&r->map, r->e.out, insn->length);
        app += insn->length;
    }
}

/* An entry for a table, in front of the block at `app` or of a jump to it. */
static void emit_entry(struct request *r, int64_t app, enum rrs_entry_kind entry_kind)
{
    uint32_t at = cache_offset(r, r->e.out);
    rrs_code_cache_entry(r->cache, (uint32_t)app)->table_entry[entry_kind - 1] = at;
    if (entry_kind == RRS_ENTRY_RETURN)
        rrs_lower_return_entry(&r->e, app);
    else if (entry_kind == RRS_ENTRY_CALL)
        rrs_lower_call_entry(&r->e, app, r->cache->shadow_base + r->cache->prologue.miss_call);
    else
        rrs_lower_jump_entry(&r->e, app);
    r->source->add_entry(r->source->context, app, entry_kind, at);
}

/* Emits the block at `app` where the emitter stands. Returns false if nothing can be fetched. */
static bool emit_block(struct request *r, int64_t app, struct fetched *f)
{
    struct rrs_code_cache *cache = r->cache;
    fetch(r, app, f);
    uint32_t shadow = cache_offset(r, r->e.out);
    struct rrs_block *block = rrs_code_cache_add_block(cache, (uint32_t)app, shadow);
    uint32_t index = cache->block_count - 1;
    block->app_bytes = (uint16_t)(f->next - app);
    struct rrs_entry *entry = rrs_code_cache_entry(cache, (uint32_t)app);
    entry->block = index + 1;
    link_waiting(r, entry, shadow);
    rrs_map_begin(&r->map, r->e.out);
    if (f->count)
        emit_body(r, f, block);
    else
        emit_exit(r, RRS_EXIT_FETCH, app, NULL);
    while (cache_offset(r, r->e.out) - shadow < MIN_BLOCK_BYTES)
        EMIT(&r->e, 0x90);
    rrs_map_instruction(&r->map, r->e.out, 0);
    block->shadow_bytes = (uint16_t)(cache_offset(r, r->e.out) - shadow);
    rrs_code_cache_add_map(cache, block, &r->map);
    rrs_code_cache_index_page(cache, index);
    r->translator->blocks++;
    return f->count != 0;
}

/* --- lay out --- */

/* Where control goes from a block when it is not taken elsewhere; false if nowhere. */
static bool successor(struct request *r, const struct fetched *f, int64_t *next)
{
    const struct rrs_insn *last = &f->insns[f->count - 1];
    *next = f->next;
    switch ((enum rrs_insn_kind)last->kind) {
    case RRS_INSN_PLAIN:
    case RRS_INSN_JCC:
    case RRS_INSN_LOOP:
    case RRS_INSN_SYSCALL:
    case RRS_INSN_XSAVE:
        return true;
    case RRS_INSN_JMP:
    case RRS_INSN_XBEGIN:
        *next = f->next + last->branch;
        return true;
    case RRS_INSN_CALL:
    case RRS_INSN_CALL_INDIRECT:
        return true; /* by the entry that is emitted right behind it */
    case RRS_INSN_TRAPPED:
    case RRS_INSN_UNKNOWN:
        enqueue(r, f->next);
        return false;
    default:
        return false;
    }
}

static bool can_lay_out(struct request *r, int64_t app)
{
    return r->insns_left > 0 && is_near(r, app) && !rrs_code_cache_block_at(r->cache, app);
}

/* The code that the calls of a trace lead to, which has to know where each of them stands. */
static void emit_thunks(struct request *r)
{
    for (uint32_t i = 0; i < r->call_count; i++) {
        const struct open_call *call = &r->calls[i];
        int64_t at = r->cache->shadow_base + cache_offset(r, call->displacement);
        rrs_patch_rel32(call->displacement, at, r->e.here);
        rrs_lower_app_return_address(&r->e, call->pushed, call->app_next);
        if (call->indirect)
            rrs_lower_call_by_table(&r->e);
        else
            branch_to(r, rrs_lower_jmp(&r->e), call->target);
    }
    r->call_count = 0;
}

static void emit_stubs(struct request *r)
{
    for (uint32_t i = 0; i < r->stub_count; i++) {
        struct open_exit *stub = &r->stubs[i];
        int64_t at = r->cache->shadow_base + cache_offset(r, stub->displacement);
        int32_t filled;
        memcpy(&filled, stub->displacement, sizeof filled);
        if (filled)
            continue; /* the target got its shadow code within this trace */
        rrs_patch_rel32(stub->displacement, at, r->cold.here);
        if (stub->far && rrs_lower_far_jump(&r->cold, r->cache->exits[stub->exit].app))
            continue;
        if (stub->rcx_in_cell)
            rrs_lower_exit_with_rcx(&r->cold, stub->exit, exit_common_of(r));
        else
            rrs_lower_exit(&r->cold, stub->exit, exit_common_of(r));
    }
    r->stub_count = 0;
    r->cache->cold_used = cache_offset(r, r->cold.out);
}

static void emit_trace(struct request *r, int64_t app, enum rrs_entry_kind entry_kind)
{
    struct fetched f;
    r->insns_left = r->translator->options.trace_insns;
    while (cache_offset(r, r->e.out) & 15)
        EMIT(&r->e, 0xcc);
    if (entry_kind)
        emit_entry(r, app, entry_kind);
    for (;;) {
        if (!emit_block(r, app, &f))
            break;
        r->insns_left -= f.count < r->insns_left ? f.count : r->insns_left;
        if (!successor(r, &f, &app))
            break;
        if (is_call(&f.insns[f.count - 1]) && is_near(r, app))
            emit_entry(r, app, RRS_ENTRY_RETURN);
        if (!can_lay_out(r, app)) {
            branch_to(r, rrs_lower_jmp(&r->e), app);
            break;
        }
    }
    emit_thunks(r);
    emit_stubs(r);
    r->cache->used = cache_offset(r, r->e.out);
    r->translator->traces++;
}

/* An entry for a block that has none of this kind. */
static void add_entry(struct request *r, struct rrs_block *block, enum rrs_entry_kind entry_kind)
{
    if (rrs_code_cache_entry_at(r->cache, block->app, entry_kind))
        return;
    emit_entry(r, block->app, entry_kind);
    rrs_emit_jmp(&r->e, r->cache->shadow_base + block->shadow);
    r->cache->used = cache_offset(r, r->e.out);
}

static bool translate_one(struct request *r, int64_t app, enum rrs_entry_kind entry_kind)
{
    struct rrs_block *block = rrs_code_cache_block_at(r->cache, app);
    if (!block) {
        emit_trace(r, app, entry_kind);
        return true;
    }
    if (entry_kind)
        add_entry(r, block, entry_kind);
    return false;
}

bool rrs_translate_has_room(const struct rrs_code_cache *cache)
{
    return cache->used + ROOM_FOR_REQUEST <= cache->cold_start &&
           cache->cold_used + ROOM_FOR_REQUEST <= cache->size;
}

void rrs_translate(struct rrs_translator *translator, struct rrs_code_cache *cache,
                   const struct rrs_code_source *source, int64_t app,
                   enum rrs_entry_kind entry_kind)
{
    struct request r; /* large: only its beginning is set */
    r.translator = translator;
    r.cache = cache;
    r.source = source;
    r.e = rrs_code_cache_emitter(cache);
    r.cold = rrs_code_cache_cold_emitter(cache);
    r.stub_count = r.call_count = r.queue_count = 0;
    translate_one(&r, app, entry_kind);
    uint32_t done = 0;
    for (uint32_t i = 0; i < r.queue_count && done < translator->options.eager_traces; i++) {
        uint8_t probe;
        if (!source->owns(source->context, r.queue[i]) ||
            !source->read(source->context, r.queue[i], &probe, 1))
            continue;
        done += translate_one(&r, r.queue[i], RRS_ENTRY_DIRECT);
    }
}

uint16_t rrs_dead_flags(const struct rrs_translator *translator,
                        const struct rrs_code_source *source, int64_t app)
{
    uint16_t dead = 0, read = 0;
    for (int i = 0; i < STRAIGHT_LINE_MAX; i++) {
        uint8_t bytes[RRS_INSN_MAX_BYTES];
        struct rrs_insn insn;
        size_t size = source->read(source->context, app, bytes, sizeof bytes);
        if (!size || !rrs_decode(translator->decoder, bytes, size, &insn))
            return dead;
        read |= insn.flags_read & ~dead;
        if (rrs_insn_ends_block(&insn)) {
            if (rrs_insn_ends_flags(&insn))
                dead |= RRS_FLAGS_ARITHMETIC & ~read;
            return dead;
        }
        dead |= insn.flags_killed & ~read;
        if ((dead | read) == RRS_FLAGS_ARITHMETIC)
            return dead;
        app += insn.length;
    }
    return dead;
}
