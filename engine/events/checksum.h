/* SPDX-License-Identifier: MIT */
/*
 * The item CHECKSUM: what the registers were behind an event, and hashes of the pages that have
 * changed since the one before in that address space. Layout, all words of 8 bytes, little endian:
 * struct rrs_checksum_head, then struct rrs_page_sum, ascending by address.
 */
#ifndef RRS_ENGINE_EVENTS_CHECKSUM_H
#define RRS_ENGINE_EVENTS_CHECKSUM_H

#include "engine/events/body.h"

enum { RRS_CHECKSUM_REGISTERS = 20, RRS_PAGE_BYTES = 4096 };

enum rrs_checksum_flag {
    RRS_CHECKSUM_FORGET = 1,  /* too much has changed: what was known of other pages is void */
    RRS_CHECKSUM_GUESSED = 2, /* what the call wrote is not known for sure */
};

struct rrs_checksum_head {
    uint64_t registers[RRS_CHECKSUM_REGISTERS]; /* rrs_checksum_register_name() */
    uint64_t vectors;                           /* hash of xmm0 to xmm15; 0: not known */
    uint64_t flags;
};

struct rrs_page_sum {
    rrs_addr address;
    uint64_t hash; /* 0: nothing is known of it any more */
};

/* Pages of one address space, ascending. */
struct rrs_page_sums {
    struct rrs_page_sum *items;
    size_t count, room;
};

void rrs_page_sums_deinit(struct rrs_page_sums *sums);

/** Adds a page above all others. Error: NO_MEMORY. */
RRS_MUST_CHECK struct rrs_error *rrs_page_sums_append(struct rrs_page_sums *sums, rrs_addr address,
                                                      uint64_t hash);

/** Appends to `changes` what makes `before` to `now`. */
RRS_MUST_CHECK struct rrs_error *rrs_page_sums_compare(const struct rrs_page_sums *before,
                                                       const struct rrs_page_sums *now,
                                                       struct rrs_page_sums *changes);

/** Makes `changes` in `sums`. */
RRS_MUST_CHECK struct rrs_error *rrs_page_sums_apply(struct rrs_page_sums *sums,
                                                     const struct rrs_page_sums *changes);

/** The hash of a page: never 0. */
uint64_t rrs_page_hash(const void *page);

/** `xstate`: an XSAVE image in the standard format; its x87 and control words are not looked at. */
void rrs_checksum_fill(struct rrs_checksum_head *head, const struct user_regs_struct *regs,
                       const void *xstate, size_t xstate_bytes);
const char *rrs_checksum_register_name(int index);

void rrs_body_put_checksum(struct rrs_body *body, const struct rrs_checksum_head *head,
                           const struct rrs_page_sums *pages);

/** Takes a CHECKSUM item apart. False: malformed. `pages` (empty) is the caller's to free. */
bool rrs_checksum_read(const struct rrs_item *item, struct rrs_checksum_head *head,
                       struct rrs_page_sums *pages);

#endif
