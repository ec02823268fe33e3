/* SPDX-License-Identifier: MIT */
/*
 * A place in the test's own process where code runs from any machine state until it raises a
 * signal. The state goes in and comes out through signal frames, so that every register, the x87
 * and vector state included, is what the kernel saw. Addresses are the sandbox's own:
 *
 *   base                 app code: filled with hlt, whose fault ends a run; its end is a guard.
 *                        It is written through another view, and never writable here
 *   base + SANDBOX_DATA  two pages that the code reads and writes, between guards; gs points here
 *   base + SANDBOX_STACK one page, between guards
 *   runtime              as engine/runtime/layout.h says, at one of rrs_runtime_bases
 */
#ifndef RRS_TESTS_TRANSLATE_SANDBOX_H
#define RRS_TESTS_TRANSLATE_SANDBOX_H

#include "engine/runtime/layout.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    SANDBOX_CODE_BYTES = 1 << 20,
    SANDBOX_DATA = 0x200000,
    SANDBOX_DATA_BYTES = 8192,
    SANDBOX_STACK = 0x210000,
    SANDBOX_STACK_BYTES = 4096,
    SANDBOX_HLT = 0xf4,
};

enum {
    STATE_FP_BYTES = 4096, /* the standard XSAVE image, at most */
    STATE_FLAGS = 0x44cd5, /* CF PF AF ZF SF DF OF NT AC; TF is the test's, no frame loads ID */
};

struct machine_state {
    uint64_t gpr[16]; /* by the SDM's numbers: rax rcx rdx rbx rsp rbp rsi rdi r8 .. */
    uint64_t rip, flags;
    uint8_t fp[STATE_FP_BYTES] __attribute__((aligned(64)));
};

/* The signal that ended a run. */
struct run_end {
    int signal, code;
    uint64_t address; /* si_addr */
    uint64_t trap, error, cr2;
    bool stuck; /* it ran for seconds */
};

/* Integer state before one instruction. */
struct step {
    uint64_t gpr[16];
    uint64_t rip, flags;
};

enum { STEPS_MAX = 600 };

struct sandbox {
    uint64_t base;
    uint32_t runtime;
    struct rrs_session_page *session;
    struct rrs_cells *cells;
    uint8_t *classes;
    struct rrs_lookup_entry *l2;
    uint8_t *code;        /* a view of the code that can be written */
    uint32_t fp_bytes;    /* of an XSAVE image with these components */
    uint64_t fp_features; /* state components that are set and compared */
    uint32_t fp_offset[8], fp_size[8];
};

/** Maps everything; `base` must have 4 MiB free. False, with a message, if that cannot be had. */
bool sandbox_init(struct sandbox *sandbox, uint64_t base, uint32_t runtime);

/** Before native runs: app code may be executed, and the runtime is out of sight. Or the reverse.
 */
void sandbox_native(const struct sandbox *sandbox, bool native);

/** Runs from `in` until a signal; both states may be the same object. */
void sandbox_run(const struct sandbox *sandbox, const struct machine_state *in,
                 struct machine_state *out, struct run_end *end);

/** The same by single steps. Returns how many states stand in `steps`; -1 if it did not end. */
int sandbox_step(const struct sandbox *sandbox, const struct machine_state *in,
                 struct machine_state *out, struct run_end *end, struct step *steps);

static inline uint8_t *sandbox_memory(const struct sandbox *sandbox, uint64_t offset)
{
    return (uint8_t *)(uintptr_t)(sandbox->base + offset);
}

#endif
