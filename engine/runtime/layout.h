/* SPDX-License-Identifier: MIT */
/*
 * The runtime's place in each address space: a range of 23 MiB below 2 GiB that shadow code reaches
 * by absolute 32-bit addresses. Offsets are from the range's start (the runtime base).
 *
 *   0x000000  session page       the tick cells; one page of the session, mapped everywhere   rw
 *   0x001000  cells page         scratch of shadow code between two safe points; per space    rw
 *   0x002000  code page          the one system call instruction that the filter lets pass;
 *                                the search of the complete table                             rx
 *   0x010000  call classes       one byte per 16-bit call number: 1 = passes untraced         r
 *   0x100000  jumps              direct-mapped, app PC -> entry, read inline                  rw
 *   0x300000  returns            the same for returns                                         rw
 *   0x500000  calls              the same for indirect calls                                  rw
 *   0x700000  complete table     open addressing, searched where those do not help            r
 *   0x1700000 end
 *
 * The lookup tables belong to the address space; all else is the session's. While a session is
 * recorded, memory for the outputs of calls that sleep lies behind it (RRS_OUTPUTS_BYTES, rw).
 */
#ifndef RRS_ENGINE_RUNTIME_LAYOUT_H
#define RRS_ENGINE_RUNTIME_LAYOUT_H

#include <stdint.h>

enum {
    RRS_RUNTIME_SESSION = 0x000000,
    RRS_RUNTIME_CELLS = 0x001000,
    RRS_RUNTIME_SCRATCH = 0x001800, /* in the cells page: memory for calls that are injected */
    RRS_RUNTIME_CODE = 0x002000,
    RRS_RUNTIME_CLASSES = 0x010000,
    RRS_RUNTIME_ODD = 0x01ff00, /* the classes' last 256 bytes, byte n = n & 1: no call is there */
    RRS_RUNTIME_JUMPS = 0x100000,
    RRS_RUNTIME_RETURNS = 0x300000,
    RRS_RUNTIME_CALLS = 0x500000,
    RRS_RUNTIME_L2 = 0x700000,
    RRS_RUNTIME_BYTES = 0x1700000,
    RRS_OUTPUTS_BYTES = 0x1000000,

    RRS_ENTRY_SLOTS = 1 << 18, /* of 8 bytes: 2 MiB, of which only the lines in use cost cache */
    RRS_L2_BITS = 20,
    RRS_L2_RETURN_BIT = 63, /* set in the key of a return's entry */
    RRS_L2_CALL_BIT = 62,   /* and of a call's */

    /* Offsets within the code page. */
    RRS_CODE_UNTRACED = 0,             /* syscall; jmp [return_address] */
    RRS_CODE_TRACED = 16,              /* syscall, seen by the tracer: for calls that it injects */
    RRS_CODE_UNTRACED_ENTRY = 32,      /* 8 bytes: the absolute address of RRS_CODE_UNTRACED */
    RRS_CODE_MISMATCH_JUMP_ENTRY = 40, /* the same of the two below */
    RRS_CODE_MISMATCH_RETURN_ENTRY = 48,
    RRS_CODE_MISS_CALL_ENTRY = 56,
    RRS_CODE_SLOT_MASK = 80, /* 4 bytes: the bits of an app PC that choose a slot */
    RRS_CODE_MISS_EXIT = 128, /* its system call tells the tracer that a search found nothing, */
    RRS_CODE_MISS_STOP = 159, /*   and ends here */
    RRS_CODE_MISS_JUMP = 256, /* the searches: rcx = app PC; rcx and r11 stand in their cells */
    RRS_CODE_MISS_RETURN = 512,
    RRS_CODE_MISS_CALL = 1024,    /* the same for r10, and rax and r10 in cells */
    RRS_CODE_MISMATCH_JUMP = 768, /* from entries that are another app PC's */
    RRS_CODE_MISMATCH_RETURN = 800,
};

/*
 * Where the runtime may lie, first choice first: below 2 GiB and clear of what linkers choose. The
 * system call filter knows all of them, so the list is fixed.
 */
enum { RRS_RUNTIME_BASES = 4 };
static const uint32_t rrs_runtime_bases[RRS_RUNTIME_BASES] = {0x7e000000, 0x70000000, 0x60000000,
                                                              0x20000000};

/* The session page. */
enum { RRS_TICK_CELLS = 8 }; /* one cache line */

struct rrs_session_page {
    int64_t rest[RRS_TICK_CELLS]; /* ticks left until a site stops; -1 once one has */
};

/* The cells page. All hold app register values or shadow addresses on their way to a safe point. */
struct rrs_cells {
    uint64_t lookup_rcx; /* app rcx within a lookup or a site */
    uint64_t exit_id;    /* which exit stub was taken */
    uint64_t exit_rax;   /* app registers that the exit path overwrites */
    uint64_t exit_rcx;
    uint64_t exit_r11;
    uint64_t lookup_r11;
    uint64_t lookup_rax;
    uint64_t call_rax; /* app rax and r10 within an indirect call */
    uint64_t call_r10;
    uint64_t lookup_flags;   /* ah, al: lahf and seto, while a search keeps the flags */
    uint64_t site;           /* which indirect transfer was the last: rrs_code_cache_site() */
    uint64_t return_address; /* shadow PC after an untraced system call */
    uint64_t lent;           /* app value of a register that holds an operand's address */
};

/*
 * The tables of jumps, returns and calls hold shadow PCs, counted from where misses go: so what is
 * free, all zeros, misses. The complete table has keys; 0 is free: the zero page never holds code.
 */
struct rrs_lookup_entry {
    uint64_t key;
    uint64_t shadow_pc;
};

#endif
