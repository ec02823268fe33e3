/* SPDX-License-Identifier: MIT */
/*
 * From one app instruction to its shadow code. Nothing here decides what becomes a block or where a
 * site goes: that is translate/. Functions that leave a 32-bit displacement to be filled in return
 * the place of it (a pointer into the tracer's mapping).
 *
 * While a transfer is under way, app registers stand in cells. rrs_lower_* report
 * such stretches to the PC map through `struct rrs_map_writer`, so that a fault inside one still
 * gives the exact app registers.
 */
#ifndef RRS_ENGINE_ARCH_X86_64_LOWER_H
#define RRS_ENGINE_ARCH_X86_64_LOWER_H

#include "engine/arch/x86_64/decode.h"
#include "engine/arch/x86_64/emit.h"
#include "engine/translate/pc_map.h"

/* The code that every cache begins with; offsets within the cache. */
struct rrs_prologue {
    uint32_t exit_common; /* saves the registers that an exit overwrites, then stops */
    uint32_t exit_stop;   /* behind its system call: the PC of a task that left */
    uint32_t miss_call;   /* where an entry goes that a call for another app PC came to */
    uint32_t bytes;
};

/* Exits that every cache has; all others have higher numbers. The first three are the runtime's. */
enum rrs_fixed_exit {
    RRS_FIXED_EXIT_MISS,        /* a jump by table found nothing */
    RRS_FIXED_EXIT_MISS_RETURN, /* a return found nothing */
    RRS_FIXED_EXIT_MISS_CALL,   /* a call by table found nothing */
    RRS_FIXED_EXIT_STOP,
    RRS_FIXED_EXIT_ALONE,
    RRS_FIXED_EXITS,
};

void rrs_lower_prologue(struct rrs_emitter *e, struct rrs_prologue *prologue);

/**
 * Copies a PLAIN instruction, moving a RIP-relative displacement. Where that does not reach, the
 * operand's address goes into a register that the instruction does not use. False, with nothing
 * written, if it lies further away than the module's own code can refer to.
 */
bool rrs_lower_plain(struct rrs_emitter *e, const struct rrs_insn *insn, int64_t app_next,
                     struct rrs_map_writer *map);

/**
 * A tick site that counts in cell number `cell`. With `flags_dead` it overwrites the arithmetic
 * flags; else it preserves them. Returns the displacement of the jump to the tick's exit stub;
 * `*pending_from` becomes the address from which on one tick is pending.
 */
uint8_t *rrs_lower_tick(struct rrs_emitter *e, bool flags_dead, uint32_t cell,
                        int64_t *pending_from);

/** jmp rel32, jcc rel32, and the loop family; each returns the displacement of its taken side. */
uint8_t *rrs_lower_jmp(struct rrs_emitter *e);
uint8_t *rrs_lower_jcc(struct rrs_emitter *e, uint8_t condition);
uint8_t *rrs_lower_loop(struct rrs_emitter *e, const struct rrs_insn *insn);

/**
 * Whether an access to the stack that ended in front of `code` is one that shadow code makes for
 * itself: it keeps addresses of its own there for the moment, in calls and returns. `in_block`:
 * `code` stands in a block whose map state is RETURNING; else in no block.
 */
bool rrs_lower_amends_stack(const uint8_t *code, bool in_block);

/**
 * A call, whose displacement is to lead to a thunk. It pushes its own end as return address:
 * rrs_lower_return_entry() comes right behind it, and the thunk begins with
 * rrs_lower_app_return_address(), which makes `pushed`, that end, the app's. Flags are dead there.
 */
uint8_t *rrs_lower_call(struct rrs_emitter *e);
void rrs_lower_app_return_address(struct rrs_emitter *e, int64_t pushed, int64_t app_next);

/**
 * An indirect jump. `site` is what cells.site names the transfer by. False, with part of it
 * written, if its operand is out of reach.
 */
bool rrs_lower_indirect_jump(struct rrs_emitter *e, const struct rrs_insn *insn, int64_t app_next,
                             uint32_t site, struct rrs_map_writer *map);

/** An indirect call: what comes in front of rrs_lower_call(), and the end of its thunk. */
bool rrs_lower_call_operand(struct rrs_emitter *e, const struct rrs_insn *insn, int64_t app_next,
                            uint32_t site, struct rrs_map_writer *map);
void rrs_lower_call_by_table(struct rrs_emitter *e);

/** A direct jump to another cache, flags kept. False if the target is out of reach. */
bool rrs_lower_far_jump(struct rrs_emitter *e, int64_t app_target);

/** A return. */
void rrs_lower_ret(struct rrs_emitter *e, const struct rrs_insn *insn, uint32_t site,
                   struct rrs_map_writer *map);

/* What a tick site is made of that is one with its transfer. */
struct rrs_fused_site {
    uint32_t cell;    /* counts in this one */
    uint32_t exit_id; /* where it leaves shadow code */
    int64_t exit_common;
    int64_t pending_from; /* out: from here on one tick is pending */
};

/** A tick site that keeps the flags and the return behind it, which share their handling of rcx. */
void rrs_lower_ticking_ret(struct rrs_emitter *e, const struct rrs_insn *insn, uint32_t site,
                           struct rrs_fused_site *tick, struct rrs_map_writer *map);

/**
 * The same for an indirect jump whose operand is memory near the code, as in procedure linkage
 * tables: rrs_operand_is_near() says so of what would be emitted here.
 */
bool rrs_operand_is_near(const struct rrs_emitter *e, const struct rrs_insn *insn,
                         int64_t app_next);
void rrs_lower_ticking_jump(struct rrs_emitter *e, const struct rrs_insn *insn, int64_t app_next,
                            uint32_t site, struct rrs_fused_site *tick, struct rrs_map_writer *map);

/** Where jumps, returns and calls by table come in, in front of the block at `app`. */
void rrs_lower_jump_entry(struct rrs_emitter *e, int64_t app);
void rrs_lower_call_entry(struct rrs_emitter *e, int64_t app, int64_t miss_call);
void rrs_lower_return_entry(struct rrs_emitter *e, int64_t app);

/**
 * A system call: untraced if its class says so, else by a traced instruction, with `exit_id` in its
 * cell. Returns the address where either goes on: what a traced call's stop shows as its PC.
 */
int64_t rrs_lower_syscall(struct rrs_emitter *e, uint32_t exit_id, int64_t app_next);

/**
 * Compares the `count` app bytes at `app` with `bytes`, all flags and registers kept, and goes to
 * the displacements in `failures` (room for RRS_CHECK_MAX_FAILURES; returns how many) if one
 * differs: rcx is in its cell there.
 */
enum { RRS_CHECK_MAX_FAILURES = 256 };
uint32_t rrs_lower_check(struct rrs_emitter *e, int64_t app, const uint8_t *bytes, uint32_t count,
                         struct rrs_map_writer *map, uint8_t *failures[RRS_CHECK_MAX_FAILURES]);

/** Leaves shadow code: stores `exit_id` and goes to the prologue's exit. */
void rrs_lower_exit(struct rrs_emitter *e, uint32_t exit_id, int64_t exit_common);

/** As rrs_lower_exit(), from where rcx is in its cell: a site that preserved the flags, a check. */
void rrs_lower_exit_with_rcx(struct rrs_emitter *e, uint32_t exit_id, int64_t exit_common);

/**
 * Goes to the returned displacement if an XSAVE that follows would store the x87 state (bit 0 of
 * eax asks for it), else on. glibc's lazy binding does not ask.
 */
uint8_t *rrs_lower_xsave_check(struct rrs_emitter *e);

/** Fills in a displacement so that the jump goes to `target`. `displacement` has address `at`. */
void rrs_patch_rel32(uint8_t *displacement, int64_t at, int64_t target);

/** The runtime's code page, 4096 bytes, for a runtime at `runtime`. */
void rrs_lower_runtime_page(uint8_t *page, uint32_t runtime);

/** Slot of `app_pc` in the tables of jumps, returns and calls: its bits in the mask, together. */
uint32_t rrs_lookup_slot_mask(void);
uint32_t rrs_lookup_slot(uint64_t app_pc);

/** Slot in the complete table where the search for `key` begins: an app PC, maybe with its bit. */
uint32_t rrs_lookup_l2_slot(uint64_t key);

#endif
