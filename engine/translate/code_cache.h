/* SPDX-License-Identifier: MIT */
/*
 * A code cache: the shadow code of one module, with all that is known about it.
 *
 * A module is what lies together in every address space that maps it: a file's executable mapping,
 * or a window of anonymous memory of one address space. All addresses here are relative to the
 * module, and so is the place of the cache itself (`shadow_base`). Shadow code therefore holds no
 * absolute app address, and one cache serves every address space that maps the module, wherever.
 *
 * What is seldom executed (exits) stands apart from the rest, so that the CPU's caches hold more of
 * what is often. Shadow code is only appended, to the one or the other part. Dropping a block turns
 * its first bytes into a jump to an exit, so links into it need not be known; flushing forgets
 * everything.
 */
#ifndef RRS_ENGINE_TRANSLATE_CODE_CACHE_H
#define RRS_ENGINE_TRANSLATE_CODE_CACHE_H

#include "engine/arch/x86_64/lower.h"
#include "lmdb-store/error.h"

#include <stdbool.h>
#include <stdint.h>

struct rrs_block {
    uint32_t app;    /* module-relative address of the first app byte */
    uint32_t shadow; /* offset in the cache of the first shadow byte */
    uint16_t app_bytes;
    uint16_t shadow_bytes;
    uint32_t map; /* place of its PC map in `maps` */
    uint16_t map_bytes;
    bool ticks;            /* its last instruction is a tick instruction: */
    uint16_t site;         /*   where its site begins */
    uint16_t pending_from; /*   from this shadow byte on one tick is pending */
    uint16_t site_end;     /*   where execution goes on after the site */
    uint16_t transfer;     /*   shadow byte where the tick instruction begins */
    uint16_t transfer_app; /*   its app byte; both counted from the block's start */
    bool dropped;
    uint32_t next_on_page; /* index + 1 */
};

/* How a block is entered. */
enum rrs_entry_kind {
    RRS_ENTRY_DIRECT, /* by code that knows it, or by the tracer */
    RRS_ENTRY_JUMP,   /* by the table of jumps */
    RRS_ENTRY_RETURN, /* by the table of returns */
    RRS_ENTRY_CALL,   /* by the table of calls */
    RRS_ENTRY_TABLES = 3,
};

/* What the runtime has for each kind of entry but the first. */
struct rrs_entry_place {
    uint32_t table;   /* offset from the runtime base */
    uint32_t miss;    /* where it leads from free slots: offset in the code page */
    uint64_t key_bit; /* set in keys of the complete table */
};
extern const struct rrs_entry_place rrs_entry_places[RRS_ENTRY_TABLES + 1];

enum rrs_exit_kind {
    RRS_EXIT_LINK,    /* a direct transfer whose target had no shadow code */
    RRS_EXIT_TICK,    /* a site whose count ran out */
    RRS_EXIT_SYSCALL, /* a traced system call */
    RRS_EXIT_INSN,    /* an instruction that the engine carries out */
    RRS_EXIT_FETCH,   /* no instruction can be fetched at this app PC */
    RRS_EXIT_REFUSED, /* an instruction that rrsoft does not run */
    RRS_EXIT_STALE,   /* a block's check found that its code has changed */
    RRS_EXIT_STOP,    /* a tick instruction that the tracer made a stop */
    RRS_EXIT_ALONE,   /* behind an instruction that was executed alone */
};

enum { RRS_SCRATCH_BYTES = 64 };

struct rrs_exit {
    uint8_t kind; /* enum rrs_exit_kind */
    uint8_t trapped_op;
    uint8_t insn_bytes; /* INSN, SYSCALL: length of the instruction */
    uint32_t block;     /* TICK: its index */
    uint32_t patch;     /* offset in the cache; LINK: of the displacement to fill in; SYSCALL: of
                           the shadow code behind the call */
    uint32_t next;      /* LINK: next one that waits for the same target, or whose block went */
    int64_t app;        /* LINK: the target; otherwise the instruction */
};

struct rrs_code_cache {
    struct rrs_prologue prologue;
    uint8_t *memory;          /* the tracer's own mapping; borrowed */
    uint32_t size;            /* bytes */
    uint32_t used;            /* end of the shadow code proper */
    uint32_t cold_start;      /* where the part for exits begins, */
    uint32_t cold_used;       /*   and its end */
    int64_t shadow_base;      /* module-relative address of memory[0] */
    uint32_t runtime;         /* runtime base that the code was made for */
    bool based;               /* all that use it have the module at address `base` */
    uint64_t base;            /*   set by the owner, before anything is translated */
    uint32_t flushes;         /* how often everything was forgotten */
    uint16_t number;          /* set by the owner: tells caches apart in cells.site */
    uint32_t next_cell;       /* of the next tick site */
    struct rrs_block *blocks; /* in shadow order */
    uint32_t block_count, block_room;
    uint32_t stop_stub; /* offset of the exit that armed stops jump to */
    uint32_t scratch;   /* offset of a slot for one instruction that is executed alone */
    struct rrs_map_writer scratch_map; /* of what is in the slot */
    struct rrs_exit *exits;            /* the first ones are fixed, see enum rrs_fixed_exit */
    uint32_t exit_count, exit_room;
    uint8_t *maps;
    uint32_t map_bytes, map_room;
    struct rrs_entry *entries; /* hash table by app address */
    uint32_t entry_count, entry_room;
    uint32_t *pages; /* hash table: page -> its last block, chained by next_on_page */
};

/** What is known about one app address: its block, its entries, the exits that wait for it. */
struct rrs_entry {
    uint32_t app_plus_1;                    /* 0: free */
    uint32_t block;                         /* index + 1; 0: not translated */
    uint32_t waiting;                       /* index of an exit; 0: none */
    uint32_t dropped;                       /* that of the block dropped last; 0: none */
    uint32_t table_entry[RRS_ENTRY_TABLES]; /* offsets of those for jumps, returns, calls */
};

/** Makes an empty cache in `memory` (borrowed), with its prologue. */
RRS_MUST_CHECK struct rrs_error *rrs_code_cache_init(struct rrs_code_cache *cache, uint8_t *memory,
                                                     uint32_t size, int64_t shadow_base,
                                                     uint32_t runtime);
void rrs_code_cache_deinit(struct rrs_code_cache *cache);

/** Forgets all shadow code. No task may stand in it. */
void rrs_code_cache_flush(struct rrs_code_cache *cache);

/** The block that begins at `app`, or NULL. Valid until the next translation. */
struct rrs_block *rrs_code_cache_block_at(const struct rrs_code_cache *cache, int64_t app);

/** The block whose shadow code holds cache offset `shadow`, or NULL. */
struct rrs_block *rrs_code_cache_block_of_shadow(const struct rrs_code_cache *cache,
                                                 uint32_t shadow);

/** Cache offset of the entry for what jumps or returns to `app`; 0 if there is none. */
uint32_t rrs_code_cache_entry_at(const struct rrs_code_cache *cache, int64_t app,
                                 enum rrs_entry_kind entry_kind);

/** Names the transfer that ends a block, as cells.site does: unique but for very large caches. */
uint32_t rrs_code_cache_site(const struct rrs_code_cache *cache, uint32_t block_index);

/** A block that has that name, or NULL. */
struct rrs_block *rrs_code_cache_block_of_site(const struct rrs_code_cache *cache, uint32_t site);

/** Drops every block that has app bytes in [from, to). Returns how many. */
uint32_t rrs_code_cache_drop(struct rrs_code_cache *cache, int64_t from, int64_t to);

/** A jump to the stop exit, for the 5 bytes at cache offset `at`; `saved` takes what was there. */
void rrs_code_cache_arm_stop(struct rrs_code_cache *cache, uint32_t at, uint8_t saved[5]);
void rrs_code_cache_disarm_stop(struct rrs_code_cache *cache, uint32_t at, const uint8_t saved[5]);

/** Puts `insn`, as at `app`, into the scratch slot with an exit behind it. False: out of reach. */
bool rrs_code_cache_load_scratch(struct rrs_code_cache *cache, const struct rrs_insn *insn,
                                 int64_t app);

/* For the translator. */
struct rrs_entry *rrs_code_cache_entry(struct rrs_code_cache *cache, uint32_t app);
uint32_t rrs_code_cache_add_exit(struct rrs_code_cache *cache, struct rrs_exit exit);
struct rrs_block *rrs_code_cache_add_block(struct rrs_code_cache *cache, uint32_t app,
                                           uint32_t shadow);
void rrs_code_cache_add_map(struct rrs_code_cache *cache, struct rrs_block *block,
                            const struct rrs_map_writer *map);
void rrs_code_cache_index_page(struct rrs_code_cache *cache, uint32_t block_index);
struct rrs_emitter rrs_code_cache_emitter(const struct rrs_code_cache *cache);
struct rrs_emitter rrs_code_cache_cold_emitter(const struct rrs_code_cache *cache);

#endif
