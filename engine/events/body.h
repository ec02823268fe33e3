/* SPDX-License-Identifier: MIT */
/*
 * What an event says: a string of items, each a kind, a length and its bytes. A reader skips items
 * that it does not know. Which items an event has is its kind's business (docs/TRACE-FORMAT.md).
 *
 * The bytes may come from a stranger: whatever they are, reading gives an item, the end, or
 * "malformed".
 */
#ifndef RRS_ENGINE_EVENTS_BODY_H
#define RRS_ENGINE_EVENTS_BODY_H

#include "engine/events/kinds.h"
#include "engine/tracee/ptrace.h"
#include "lmdb-store/hash.h"

/* The numbers are in traces: new kinds go to the end. */
enum rrs_item_kind {
    RRS_ITEM_PC = 1,   /* where the task stood */
    RRS_ITEM_CALL,     /* a system call: number and arguments */
    RRS_ITEM_RESULT,   /* what it returned, -errno included */
    RRS_ITEM_REGS,     /* registers afterwards, as far as they are not what is expected */
    RRS_ITEM_XSTATE,   /* the XSAVE image afterwards */
    RRS_ITEM_WRITE,    /* memory that the kernel wrote: the bytes */
    RRS_ITEM_BLOB,     /* the same, the bytes being a blob */
    RRS_ITEM_MAP,      /* a mapping came to be */
    RRS_ITEM_SIGINFO,  /* 128 bytes */
    RRS_ITEM_ACTION,   /* of a signal: enum rrs_signal_action */
    RRS_ITEM_TASK,     /* of a new task, and of an exec */
    RRS_ITEM_STATUS,   /* wait status of an ended task */
    RRS_ITEM_PROGRAM,  /* of an exec: path of the executable */
    RRS_ITEM_RUNTIME,  /* of an exec: index of the runtime's base; the program's break */
    RRS_ITEM_SHOWN,    /* what a call wrote could be seen: on standard output (1) or error (2) */
    RRS_ITEM_TARGET,   /* the memory items behind this one are about another task's memory */
    RRS_ITEM_COPIED,   /* with SHOWN: the bytes that the kernel moved there, a blob */
    RRS_ITEM_CHECKSUM, /* checksum.h */
    RRS_ITEM_INPUT,    /* memory that a call read, for people: what a printed line shows of it */
    RRS_ITEM_LAST = RRS_ITEM_INPUT,
};

enum rrs_signal_action {
    RRS_SIGNAL_HANDLED,     /* the handler's first instruction is next */
    RRS_SIGNAL_ENDS,        /* it ends the process, or stops it */
    RRS_SIGNAL_RAISED = 16, /* added: the instruction at PC raised it */
};

/* ACTION of a PREEMPT: the task stands between two tick instructions. */
enum { RRS_PREEMPT_ANYWHERE = 1 };

/* Where the contents of a mapping come from. */
enum rrs_map_source {
    RRS_MAP_ANONYMOUS,
    RRS_MAP_FILE, /* `blob`: `blob_bytes` bytes of the file from `blob_offset` on */
};

struct rrs_map_item {
    rrs_addr start, end; /* end is exclusive */
    int prot;            /* as the program asked for */
    bool shared;
    bool grows_down;
    enum rrs_map_source source;
    uint64_t identity; /* shared mappings with one identity show the same memory; 0: private */
    uint64_t file_offset;
    uint64_t blob_offset, blob_bytes;
    struct rrs_hash blob;
    const char *path; /* not terminated: `path_bytes` bytes; none if anonymous */
    size_t path_bytes;
};

struct rrs_item {
    enum rrs_item_kind kind;
    union {
        rrs_addr pc;
        struct {
            int number;
            uint64_t args[6];
        } call;
        int64_t result;
        struct {
            uint32_t mask; /* bit i: word i of struct user_regs_struct is in `values` */
            struct user_regs_struct values;
        } regs;
        struct {
            const uint8_t *bytes;
            size_t size;
        } bytes; /* XSTATE, SIGINFO, PROGRAM, CHECKSUM */
        struct {
            rrs_addr address;
            uint64_t size;
            const uint8_t *bytes; /* WRITE, INPUT; not aligned */
            struct rrs_hash hash; /* BLOB, COPIED */
        } write;
        struct rrs_map_item map;
        uint32_t action;
        struct {
            pid_t tgid, creator;
            uint64_t flags; /* CLONE_* */
        } task;
        int status;
        int shown_on;
        pid_t target;
        struct {
            uint32_t base_index;
            rrs_addr brk;
        } runtime;
    };
};

/* --- writing --- */

struct rrs_body {
    uint8_t *bytes;
    size_t size, room;
};

void rrs_body_deinit(struct rrs_body *body);
void rrs_body_clear(struct rrs_body *body);

void rrs_body_put_pc(struct rrs_body *body, rrs_addr pc);
void rrs_body_put_call(struct rrs_body *body, int number, const uint64_t args[6]);
void rrs_body_put_result(struct rrs_body *body, int64_t result);

/** The words of `regs` that differ from `expected` (NULL: all of them); nothing if none does. */
void rrs_body_put_regs(struct rrs_body *body, const struct user_regs_struct *regs,
                       const struct user_regs_struct *expected);
/** XSTATE, SIGINFO or PROGRAM. */
void rrs_body_put_bytes(struct rrs_body *body, enum rrs_item_kind kind, const void *bytes,
                        size_t size);
/** The same of two pieces, one behind the other. */
void rrs_body_put_pair(struct rrs_body *body, enum rrs_item_kind kind, const void *first,
                       size_t first_bytes, const void *second, size_t second_bytes);
void rrs_body_put_write(struct rrs_body *body, rrs_addr address, const void *bytes, size_t size);
void rrs_body_put_input(struct rrs_body *body, rrs_addr address, const void *bytes, size_t size);
void rrs_body_put_blob(struct rrs_body *body, rrs_addr address, uint64_t size,
                       const struct rrs_hash *hash);
void rrs_body_put_map(struct rrs_body *body, const struct rrs_map_item *map);
void rrs_body_put_action(struct rrs_body *body, uint32_t action);
void rrs_body_put_task(struct rrs_body *body, pid_t tgid, pid_t creator, uint64_t flags);
void rrs_body_put_status(struct rrs_body *body, int status);
void rrs_body_put_shown(struct rrs_body *body, int descriptor);
void rrs_body_put_copied(struct rrs_body *body, uint64_t size, const struct rrs_hash *hash);
void rrs_body_put_target(struct rrs_body *body, pid_t tid);
void rrs_body_put_runtime(struct rrs_body *body, uint32_t base_index, rrs_addr brk);

/* --- reading --- */

struct rrs_item_reader {
    const uint8_t *at, *end;
    bool malformed;
};

struct rrs_item_reader rrs_item_reader_begin(const void *bytes, size_t size);

/** The next item that is known; false at the end, or if the rest is malformed. What `*item` points
 * to lies in the event's bytes. */
bool rrs_item_next(struct rrs_item_reader *reader, struct rrs_item *item);

/** The first item of a kind; false if there is none. */
bool rrs_item_find(const void *bytes, size_t size, enum rrs_item_kind kind, struct rrs_item *item);

/**
 * What is expected of the registers behind a system call: `call_regs` are those at its stop, with
 * rip behind the instruction. A REGS item says what is otherwise.
 */
struct user_regs_struct rrs_expected_after_call(const struct user_regs_struct *call_regs,
                                                int64_t result);

/** Puts the registers of a REGS item into `regs`; the others stay. */
void rrs_item_apply_regs(const struct rrs_item *item, struct user_regs_struct *regs);

#endif
