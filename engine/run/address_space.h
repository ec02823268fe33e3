/* SPDX-License-Identifier: MIT */
/*
 * What the engine knows of one address space: which ranges the program believes to be executable,
 * which modules' caches are mapped for them, and the lookup table.
 *
 * No such range is executable in the real page tables. The engine never runs the code there; it
 * enters shadow code for it through rrs_space_enter().
 */
#ifndef RRS_ENGINE_RUN_ADDRESS_SPACE_H
#define RRS_ENGINE_RUN_ADDRESS_SPACE_H

#include "engine/run/session.h"
#include "engine/run/writable.h"

#include <sys/mman.h>

/** The next page boundary at or above `address`. */
static inline rrs_addr rrs_page_up(rrs_addr address)
{
    const rrs_addr within = 4095;
    return (address + within) & ~within;
}

/** The protection that the kernel gets for `prot`: on x86 executable pages are readable. */
static inline uint64_t rrs_real_protection(uint64_t prot)
{
    return prot & PROT_EXEC ? (prot & ~(uint64_t)PROT_EXEC) | PROT_READ : prot;
}

/* What a file was when it was mapped: two equal keys hold the same code. */
struct rrs_file_key {
    uint64_t device, inode, size;
    int64_t mtime_ns;
};

/* A range of code as the program sees it. */
struct rrs_region {
    rrs_addr start, end;  /* end is exclusive */
    bool writable;        /* pages that hold translated code are write-guarded */
    bool unreadable;      /* execute without read: only the program's view knows */
    bool changes_unseen;  /* shared, or a file that has no name: no guard can see its writes */
    bool from_file;       /* private and unmodified: `key` and `file_offset` hold */
    uint64_t file_offset; /* of `start` */
    struct rrs_file_key key;
};

/* A code cache, and which code it is of. */
struct rrs_module {
    bool private;            /* of one address space; else of every one that maps the file */
    struct rrs_file_key key; /* not private */
    uint32_t references;     /* attachments */
    struct rrs_code_cache cache;
    struct rrs_shared_piece piece;
    struct rrs_module *next;
};

/* A module at its place in an address space. */
struct rrs_attachment {
    rrs_addr base;       /* module-relative 0 */
    rrs_addr start, end; /* app range that it serves */
    rrs_addr shadow;     /* address of the cache */
    bool retired;        /* tasks may still stand in it, but none enters it any more */
    struct rrs_module *module;
};

/* A page of a writable region that code was translated from. */
struct rrs_code_page {
    rrs_addr address;
    bool guarded;    /* read-only in the real page tables */
    bool checked;    /* it was written too often: its blocks check themselves instead */
    uint32_t faults; /* writes that met the guard */
};

struct rrs_address_space {
    uint32_t references; /* tasks */
    uint64_t identity;   /* no other one of the session ever has it */
    uint32_t runtime;    /* runtime base */
    rrs_addr call_insn;  /* a traced system call instruction for injected calls */
    struct rrs_lookup_table *table;
    bool leftovers;    /* attachments that a fork left are to be unmapped */
    bool table_mapped; /* the task's memory shows `table`; else it is mapped at the next entry */
    struct rrs_region *regions; /* ascending, disjoint */
    uint32_t region_count, region_room;
    struct rrs_attachment *attachments;
    uint32_t attachment_count, attachment_room;
    struct rrs_code_page *pages; /* ascending */
    uint32_t page_count, page_room;
    uint32_t guarded_count;           /* of `pages` */
    bool undumpable;                  /* PR_SET_DUMPABLE 0, which the kernel is not told */
    bool all_traced;                  /* no call passes untraced: its output could meet a guard */
    struct rrs_fetched_page *fetched; /* code read lately; address_space.c */
    uint32_t fetch_generation;        /* raised when what was read may have changed */
    struct rrs_writable writable;     /* as far as it was looked at */
    bool maps_shared;                 /* it has had mappings that others may see, */
    bool shares_memory;               /*   and could write to them */
};

/** Takes over a task whose execve has just ended (at its exit stop): maps the runtime, finds the
 * code, takes the execute permission from it and hides the vDSO. `app` has the initial registers.
 */
RRS_MUST_CHECK struct rrs_error *rrs_space_create(struct rrs_session *session,
                                                  struct rrs_task *task);

/**
 * The same for a task whose memory holds nothing of a program: maps the runtime with base number
 * `base`. `call_insn`: where a traced system call instruction is meanwhile.
 */
RRS_MUST_CHECK struct rrs_error *rrs_space_create_bare(struct rrs_session *session,
                                                       struct rrs_task *task, uint32_t base,
                                                       rrs_addr call_insn);

/** The address space of a forked child. */
RRS_MUST_CHECK struct rrs_error *rrs_space_fork(struct rrs_session *session,
                                                const struct rrs_address_space *parent,
                                                struct rrs_address_space **child);
void rrs_space_release(struct rrs_session *session, struct rrs_address_space *space);

/**
 * Shadow PC for `app_pc` in the task's space, translating as needed; 0 if the program has no
 * executable code there. The tables get an entry of the kind asked for. May inject calls.
 */
RRS_MUST_CHECK struct rrs_error *rrs_space_enter(struct rrs_session *session, struct rrs_task *task,
                                                 rrs_addr app_pc, enum rrs_entry_kind entry_kind,
                                                 rrs_addr *shadow);

/** The attachment whose cache holds `shadow_pc`, or NULL. Valid until the next entry. */
struct rrs_attachment *rrs_space_attachment_of_shadow(struct rrs_address_space *space,
                                                      rrs_addr shadow_pc);

/** The attachment that serves the code at `pc`, or NULL if none is made yet. */
struct rrs_attachment *rrs_space_attachment_at(struct rrs_address_space *space, rrs_addr pc);

/** Drops the blocks that hold the instruction at `pc`, as when a break is set or removed there. */
void rrs_space_drop_code_at(struct rrs_address_space *space, rrs_addr pc);

const struct rrs_region *rrs_space_region_at(const struct rrs_address_space *space, rrs_addr pc);

/**
 * The program changed [start, end): it is now code as in `region`, or no code at all (NULL). Drops
 * what was made of the old code. The task must be stopped; calls may be injected.
 */
RRS_MUST_CHECK struct rrs_error *rrs_space_set_code(struct rrs_session *session,
                                                    struct rrs_task *task, rrs_addr start,
                                                    rrs_addr end, const struct rrs_region *region);

/** Whether any page of [start, end) is code for the program. */
bool rrs_space_has_code(const struct rrs_address_space *space, rrs_addr start, rrs_addr end);

/** Whether a write to the page of `address` would meet a guard. */
bool rrs_space_is_guarded(const struct rrs_address_space *space, rrs_addr address);

/**
 * Somebody wrote to [start, end) of `space`, past every guard. No call is injected: none of the
 * space's tasks need be stopped in user code.
 */
RRS_MUST_CHECK struct rrs_error *rrs_space_code_written(struct rrs_session *session,
                                                        struct rrs_address_space *space,
                                                        rrs_addr start, rrs_addr end);

/** The same for pages that now hold what they were mapped with: zeros, or what their file holds. */
void rrs_space_contents_gone(struct rrs_session *session, struct rrs_address_space *space,
                             rrs_addr start, rrs_addr end);

/** A file was opened for writing: if `space` has code of it, that checks itself from now on. */
RRS_MUST_CHECK struct rrs_error *rrs_space_file_opened(struct rrs_session *session,
                                                       struct rrs_address_space *space,
                                                       uint64_t device, uint64_t inode);

/**
 * Lifts the write guards in [start, end) and drops the blocks there; `*any` says if there were any.
 * `faulted`: a write met one, which counts against the page.
 */
RRS_MUST_CHECK struct rrs_error *rrs_space_unguard(struct rrs_session *session,
                                                   struct rrs_task *task, rrs_addr start,
                                                   rrs_addr end, bool faulted, bool *any);

/** From now on no call of the space passes untraced. Injects a call. */
RRS_MUST_CHECK struct rrs_error *rrs_space_trace_all_calls(struct rrs_session *session,
                                                           struct rrs_task *task);

/** Fills in `region`'s file fields from a file of the tracee, if two looks at it can be compared.
 */
void rrs_region_set_file(struct rrs_region *region, const char *path, uint64_t file_offset);

/** Where the translator reads the code of `attachment`; valid while both arguments are. */
struct rrs_source_context {
    struct rrs_session *session;
    struct rrs_task *task;
    struct rrs_attachment *attachment;
    bool sees_through_breaks; /* else code seems to end in front of each */
    bool saw_writable;
    rrs_addr writable_from, writable_to;
};
struct rrs_code_source rrs_space_source(struct rrs_source_context *context);

#endif
