/* SPDX-License-Identifier: MIT */
/*
 * The runtime's code page: system calls that the filter lets pass, and where shadow code searches
 * when the tables do not lead to the entry that it wants. It has no stack: what it needs goes
 * through cells.
 */
#include "engine/arch/x86_64/lower_internal.h"

#include <assert.h>

enum {
    PAGE_BYTES = 4096,
    L2_ENTRY_SHIFT = 4,
    L2_SHIFT = 2, /* neighbours share lines and pages, and few addresses are closer than 4 bytes */
    L2_MASK = ((1 << RRS_L2_BITS) - 1) << L2_ENTRY_SHIFT,
    USER_BITS = 47, /* an app PC has no others: those of other addresses are not searched */
};

uint32_t rrs_lookup_l2_slot(uint64_t key)
{
    return key >> L2_SHIFT & ((1 << RRS_L2_BITS) - 1);
}

static void emit_save_flags(struct rrs_emitter *e)
{
    rrs_emit_store_cell(e, RAX, CELL(lookup_rax));
    EMIT(e, 0x9f, 0x0f, 0x90, 0xc0); /* lahf; seto al */
    rrs_emit_store_cell(e, RAX, CELL(lookup_flags));
}

static void emit_restore_flags(struct rrs_emitter *e)
{
    rrs_emit_load_cell(e, RAX, CELL(lookup_flags));
    EMIT(e, 0x04, 0x7f, 0x9e); /* add al, 127; sahf */
    rrs_emit_load_cell(e, RAX, CELL(lookup_rax));
}

static uint8_t *emit_short_jump(struct rrs_emitter *e, uint8_t opcode)
{
    EMIT(e, opcode, 0);
    return e->out - 1;
}

static void land_here(struct rrs_emitter *e, uint8_t *jump)
{
    *jump = (uint8_t)(e->out - jump - 1);
}

/* Next time, the table of jumps or returns leads from app PC rcx to r11. */
static void emit_note_in_table(struct rrs_emitter *e, bool returns)
{
    uint32_t code = e->runtime + RRS_RUNTIME_CODE;
    uint32_t miss = code + (returns ? RRS_CODE_MISS_RETURN : RRS_CODE_MISS_JUMP);
    EMIT(e, 0x89, 0xc8); /* mov eax, ecx */
    rrs_emit_slot(e, RAX);
    EMIT(e, 0x49, 0x81, 0xeb); /* sub r11, miss */
    rrs_emit_u32(e, miss);
    EMIT(e, 0x4c, 0x89, 0x1c, 0xc5); /* mov [rax * 8 + table], r11 */
    rrs_emit_u32(e, e->runtime + (returns ? RRS_RUNTIME_RETURNS : RRS_RUNTIME_JUMPS));
    EMIT(e, 0x49, 0x81, 0xc3); /* add r11, miss */
    rrs_emit_u32(e, miss);
}

/* rcx = app PC; rcx and r11 stand in their cells. Goes to the entry, or leaves by `exit_id`. */
static void emit_search(struct rrs_emitter *e, bool returns, uint32_t exit_id)
{
    enum { JNZ = 0x75, JE = 0x74 };
    if (returns)
        EMIT(e, 0x48, 0x89, 0x4c, 0x24, 0xf8); /* mov [rsp - 8], rcx */
    emit_save_flags(e);
    EMIT(e, 0x48, 0x89, 0xc8, 0x48, 0xc1, 0xe8, USER_BITS); /* mov rax, rcx; shr rax, 47 */
    uint8_t *no_app_pc = emit_short_jump(e, JNZ);
    EMIT(e, 0x49, 0x89, 0xcb); /* mov r11, rcx */
    if (returns)
        EMIT(e, 0x49, 0x0f, 0xba, 0xeb, RRS_L2_RETURN_BIT); /* bts r11, 63 */
    EMIT(e, 0x89, 0xc8);                                    /* mov eax, ecx */
    EMIT(e, 0xc1, 0xe0, L2_ENTRY_SHIFT - L2_SHIFT);         /* shl eax, 2 */
    int64_t loop = e->here;
    EMIT(e, 0x25); /* and eax, mask */
    rrs_emit_u32(e, L2_MASK);
    EMIT(e, 0x48, 0x83, 0xb8); /* cmp qword [rax + L2], 0: before the key, which may be 0 */
    rrs_emit_u32(e, e->runtime + RRS_RUNTIME_L2);
    EMIT(e, 0);
    uint8_t *missed = emit_short_jump(e, JE);
    EMIT(e, 0x4c, 0x3b, 0x98); /* cmp r11, [rax + L2] */
    rrs_emit_u32(e, e->runtime + RRS_RUNTIME_L2);
    uint8_t *found = emit_short_jump(e, JE);
    EMIT(e, 0x83, 0xc0, 0x10); /* add eax, 16 */
    rrs_emit_jmp(e, loop);
    land_here(e, found);
    EMIT(e, 0x4c, 0x8b, 0x98); /* mov r11, [rax + L2 + 8] */
    rrs_emit_u32(e, e->runtime + RRS_RUNTIME_L2 + 8);
    emit_note_in_table(e, returns);
    emit_restore_flags(e);
    EMIT(e, 0x41, 0xff, 0xe3); /* jmp r11 */
    land_here(e, missed);
    land_here(e, no_app_pc);
    emit_restore_flags(e);
    rrs_lower_exit(e, exit_id, (int64_t)e->runtime + RRS_RUNTIME_CODE + RRS_CODE_MISS_EXIT);
}

/* The same for an indirect call: r10 = app PC; rax and r10 stand in their cells, flags are dead. */
static void emit_search_for_call(struct rrs_emitter *e)
{
    enum { JNZ = 0x75, JE = 0x74 };
    uint32_t miss = e->runtime + RRS_RUNTIME_CODE + RRS_CODE_MISS_CALL;
    EMIT(e, 0x4c, 0x89, 0xd0, 0x48, 0xc1, 0xe8, USER_BITS); /* mov rax, r10; shr rax, 47 */
    uint8_t *no_app_pc = emit_short_jump(e, JNZ);
    EMIT(e, 0x44, 0x89, 0xd0);                        /* mov eax, r10d */
    EMIT(e, 0xc1, 0xe0, L2_ENTRY_SHIFT - L2_SHIFT);   /* shl eax, 2 */
    EMIT(e, 0x49, 0x0f, 0xba, 0xea, RRS_L2_CALL_BIT); /* bts r10, 62 */
    int64_t loop = e->here;
    EMIT(e, 0x25); /* and eax, mask */
    rrs_emit_u32(e, L2_MASK);
    EMIT(e, 0x48, 0x83, 0xb8); /* cmp qword [rax + L2], 0 */
    rrs_emit_u32(e, e->runtime + RRS_RUNTIME_L2);
    EMIT(e, 0);
    uint8_t *missed = emit_short_jump(e, JE);
    EMIT(e, 0x4c, 0x3b, 0x90); /* cmp r10, [rax + L2] */
    rrs_emit_u32(e, e->runtime + RRS_RUNTIME_L2);
    uint8_t *found = emit_short_jump(e, JE);
    EMIT(e, 0x83, 0xc0, 0x10); /* add eax, 16 */
    rrs_emit_jmp(e, loop);
    land_here(e, found);
    EMIT(e, 0x49, 0x0f, 0xba, 0xf2, RRS_L2_CALL_BIT); /* btr r10, 62 */
    EMIT(e, 0x48, 0x8b, 0x80);                        /* mov rax, [rax + L2 + 8] */
    rrs_emit_u32(e, e->runtime + RRS_RUNTIME_L2 + 8);
    rrs_emit_store_cell(e, RCX, CELL(lookup_rcx));
    EMIT(e, 0x44, 0x89, 0xd1); /* mov ecx, r10d */
    rrs_emit_slot(e, RCX);
    EMIT(e, 0x48, 0x2d); /* sub rax, miss */
    rrs_emit_u32(e, miss);
    EMIT(e, 0x48, 0x89, 0x04, 0xcd); /* mov [rcx * 8 + table], rax */
    rrs_emit_u32(e, e->runtime + RRS_RUNTIME_CALLS);
    EMIT(e, 0x48, 0x05); /* add rax, miss */
    rrs_emit_u32(e, miss);
    rrs_emit_load_cell(e, RCX, CELL(lookup_rcx));
    EMIT(e, 0xff, 0xe0); /* jmp rax */
    land_here(e, missed);
    EMIT(e, 0x49, 0x0f, 0xba, 0xf2, RRS_L2_CALL_BIT); /* btr r10, 62 */
    land_here(e, no_app_pc);
    rrs_lower_exit(e, RRS_FIXED_EXIT_MISS_CALL,
                   (int64_t)e->runtime + RRS_RUNTIME_CODE + RRS_CODE_MISS_EXIT);
}

/* An entry found another app PC than its own: rcx = the difference, r11 = ~ its own. */
static void emit_mismatch(struct rrs_emitter *e, int64_t search)
{
    EMIT(e, 0x49, 0xf7, 0xd3);       /* not r11 */
    EMIT(e, 0x4a, 0x8d, 0x0c, 0x19); /* lea rcx, [rcx + r11] */
    rrs_emit_jmp(e, search);
}

struct page {
    uint8_t *memory;
    uint32_t runtime;
};

static struct rrs_emitter at(const struct page *page, uint32_t offset)
{
    return (struct rrs_emitter){.out = page->memory + offset,
                                .here = (int64_t)page->runtime + RRS_RUNTIME_CODE + offset,
                                .runtime = page->runtime};
}

/* Eight bytes at `entry` with the address of the code at `offset`, for jmp [entry]. */
static void set_entry(const struct page *page, uint32_t entry, uint32_t offset)
{
    uint64_t address = (uint64_t)page->runtime + RRS_RUNTIME_CODE + offset;
    memcpy(page->memory + entry, &address, sizeof address);
}

static void emit_searches(const struct page *page)
{
    int64_t code = (int64_t)page->runtime + RRS_RUNTIME_CODE;
    struct rrs_emitter e = at(page, RRS_CODE_MISS_JUMP);
    emit_search(&e, false, RRS_FIXED_EXIT_MISS);
    assert(e.here <= code + RRS_CODE_MISS_RETURN && "a search outgrew its place");
    e = at(page, RRS_CODE_MISS_RETURN);
    emit_search(&e, true, RRS_FIXED_EXIT_MISS_RETURN);
    assert(e.here <= code + RRS_CODE_MISMATCH_JUMP && "a search outgrew its place");
    e = at(page, RRS_CODE_MISS_CALL);
    emit_search_for_call(&e);
    set_entry(page, RRS_CODE_MISS_CALL_ENTRY, RRS_CODE_MISS_CALL);
    e = at(page, RRS_CODE_MISMATCH_JUMP);
    emit_mismatch(&e, code + RRS_CODE_MISS_JUMP);
    e = at(page, RRS_CODE_MISMATCH_RETURN);
    emit_mismatch(&e, code + RRS_CODE_MISS_RETURN);
    set_entry(page, RRS_CODE_MISMATCH_JUMP_ENTRY, RRS_CODE_MISMATCH_JUMP);
    set_entry(page, RRS_CODE_MISMATCH_RETURN_ENTRY, RRS_CODE_MISMATCH_RETURN);
    e = at(page, RRS_CODE_MISS_EXIT);
    rrs_emit_exit_call(&e);
    assert(e.here == code + RRS_CODE_MISS_STOP && "an exit's system call is elsewhere");
    EMIT(&e, 0x0f, 0x0b);
}

void rrs_lower_runtime_page(uint8_t *memory, uint32_t runtime)
{
    struct page page = {memory, runtime};
    memset(memory, 0xcc, PAGE_BYTES);
    struct rrs_emitter e = at(&page, RRS_CODE_UNTRACED);
    EMIT(&e, 0x0f, 0x05, 0xff, 0x24, 0x25); /* syscall; jmp [return_address] */
    rrs_emit_u32(&e, runtime + CELL(return_address));
    e = at(&page, RRS_CODE_TRACED);
    EMIT(&e, 0x0f, 0x05, 0x0f, 0x0b);
    set_entry(&page, RRS_CODE_UNTRACED_ENTRY, RRS_CODE_UNTRACED);
    uint32_t mask = rrs_lookup_slot_mask();
    memcpy(memory + RRS_CODE_SLOT_MASK, &mask, sizeof mask);
    emit_searches(&page);
}
