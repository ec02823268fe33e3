/* SPDX-License-Identifier: MIT */
/* From app code to shadow code: traces of blocks, appended to a code cache. */
#ifndef RRS_ENGINE_TRANSLATE_TRANSLATE_H
#define RRS_ENGINE_TRANSLATE_TRANSLATE_H

#include "engine/translate/code_cache.h"

/* How blocks are formed. None of these may change a tick count or the app PC of a stop. */
struct rrs_translate_options {
    uint32_t block_insns;  /* a block is cut after so many instructions; 1..64 */
    uint32_t trace_insns;  /* a trace follows fall-through and jumps for about so many */
    uint32_t eager_traces; /* further traces per request: targets that are not translated yet */
    uint64_t cut_seed;     /* not 0: blocks are cut at random places (a test of the rule above) */
    uint32_t tick_cells;   /* sites are dealt out to so many cells; 1..RRS_TICK_CELLS */
};

extern const struct rrs_translate_options rrs_translate_defaults;

/* Where the translator reads app code. Addresses are relative to the cache's module. */
struct rrs_code_source {
    /* Copies executable bytes at `app` to `buffer`; returns how many there are (0: none). */
    size_t (*read)(void *context, int64_t app, uint8_t *buffer, size_t size);
    /* Whether `app` belongs to this module, so that code may jump there directly. */
    bool (*owns)(void *context, int64_t app);
    /* Whether the code at `app` may change unseen: its blocks then check it when they are entered.
     */
    bool (*changes_unseen)(void *context, int64_t app);
    /* An entry came to be: what jumps or returns to `app` may go to cache offset `shadow`. */
    void (*add_entry)(void *context, int64_t app, enum rrs_entry_kind entry_kind, uint32_t shadow);
    void *context;
};

struct rrs_translator {
    struct rrs_decoder *decoder;
    struct rrs_translate_options options;
    /* Counters, for people. */
    uint64_t blocks, insns, traces;
};

/** True if the cache has room for another request; if not, flush it first. */
bool rrs_translate_has_room(const struct rrs_code_cache *cache);

/**
 * Makes shadow code for `app` and, by the options, for what it leads to. Blocks that exist stay.
 * The block gets an entry of the kind asked for. Afterwards rrs_code_cache_block_at(app) exists:
 * where nothing can be fetched, it is a block that exits at once.
 */
void rrs_translate(struct rrs_translator *translator, struct rrs_code_cache *cache,
                   const struct rrs_code_source *source, int64_t app,
                   enum rrs_entry_kind entry_kind);

/**
 * The arithmetic flags that are dead at `app`: overwritten by the straight-line code from there to
 * the next transfer before anything reads them. Depends on the code bytes alone.
 */
uint16_t rrs_dead_flags(const struct rrs_translator *translator,
                        const struct rrs_code_source *source, int64_t app);

#endif
