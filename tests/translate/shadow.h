/* SPDX-License-Identifier: MIT */
/*
 * A small engine for the sandbox: runs app code as shadow code in this very process, to its end or
 * to a tick stop. It does what engine/run does at a session's stops, on the same facts (exits, PC
 * maps, cells), without a tracer. A cache's exit is known by the ud2 behind its system call.
 */
#ifndef RRS_TESTS_TRANSLATE_SHADOW_H
#define RRS_TESTS_TRANSLATE_SHADOW_H

#include "engine/run/clock.h"
#include "engine/translate/translate.h"
#include "tests/translate/sandbox.h"

enum { SHADOW_CACHE_BYTES = 4 << 20, SHADOW_NO_TICKS = 0x7fffffff };

struct shadow {
    const struct sandbox *sandbox;
    struct rrs_translator translator;
    struct rrs_code_cache cache;
    struct rrs_code_source source;
    uint64_t cache_address;
    uint64_t code_start, code_end; /* what may be read as code */
    bool checked; /* blocks check their code, so that shadow_drop() is not needed */
    /* Tables that get lookup entries, and the entries made since shadow_forget_lookups(). */
    bool use_direct, use_l2;
    struct {
        uint64_t *direct;
        uint32_t l2;
    } made[4096];
    struct rrs_clock clock;
    uint32_t made_count;
    char name[96];
};

enum shadow_end_kind {
    SHADOW_SIGNAL, /* at an app instruction */
    SHADOW_FETCH,  /* nothing to fetch at the app PC */
    SHADOW_TICK,   /* a tick stop */
    SHADOW_EXIT,   /* an instruction that is the engine's */
    SHADOW_LOST,   /* a state that maps to no app state: always wrong */
};

struct shadow_end {
    enum shadow_end_kind kind;
    struct run_end signal;
    struct rrs_exit exit;
    uint64_t ticks;   /* retired in this run */
    const char *lost; /* SHADOW_LOST: why */
};

/** A cache of SHADOW_CACHE_BYTES at `cache_address`, for code of `sandbox`. */
bool shadow_init(struct shadow *shadow, const struct sandbox *sandbox, uint64_t cache_address,
                 const struct rrs_translate_options *options);

/** Runs from the app state `state` until the end; `state` becomes the app state there. */
void shadow_run(struct shadow *shadow, struct machine_state *state, uint64_t ticks,
                struct shadow_end *end);

/** The code of [from, to) has changed. */
void shadow_drop(struct shadow *shadow, uint64_t from, uint64_t to);
void shadow_forget_lookups(struct shadow *shadow);

/** Takes the cache out of sight of native runs, or puts it back, if they could come by it. */
void shadow_hide(const struct shadow *shadow, bool hide);

/** Flags dead at the app PC. */
uint64_t shadow_dead_flags(const struct shadow *shadow, uint64_t app_pc);

#endif
