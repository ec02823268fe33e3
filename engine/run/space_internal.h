/* SPDX-License-Identifier: MIT */
/* Between the files that make up an address space. */
#ifndef RRS_ENGINE_RUN_SPACE_INTERNAL_H
#define RRS_ENGINE_RUN_SPACE_INTERNAL_H

#include "engine/run/address_space.h"

/** Puts `region` (NULL: none) in place of whatever is in [start, end). */
void rrs_regions_set(struct rrs_address_space *space, rrs_addr start, rrs_addr end,
                     const struct rrs_region *region);

/** The attachment that serves `pc`, made if there is none. `region` holds `pc`. */
RRS_MUST_CHECK struct rrs_error *rrs_space_attach(struct rrs_session *session,
                                                  struct rrs_task *task,
                                                  const struct rrs_region *region, rrs_addr pc,
                                                  struct rrs_attachment **attachment);

/** Makes room in a cache that is full, for the code at `pc`: all that it held is forgotten. */
RRS_MUST_CHECK struct rrs_error *rrs_space_enlarge(struct rrs_session *session,
                                                   struct rrs_task *task, rrs_addr pc,
                                                   struct rrs_attachment **attachment);

/**
 * The file's code in `space` is no longer known to be what the file held: it gets caches as if it
 * were the program's own making, which check themselves if it `changes_unseen`.
 */
RRS_MUST_CHECK struct rrs_error *rrs_space_disown_file(struct rrs_session *session,
                                                       struct rrs_address_space *space,
                                                       const struct rrs_file_key *key,
                                                       bool changes_unseen);

/** A table that a fork left shared becomes the space's own. */
RRS_MUST_CHECK struct rrs_error *rrs_space_unshare_table(struct rrs_session *session,
                                                         struct rrs_address_space *space);

/** Takes attachment number `index` away, and its mapping with it. */
RRS_MUST_CHECK struct rrs_error *rrs_space_detach(struct rrs_session *session,
                                                  struct rrs_task *task, uint32_t index);

void rrs_module_release(struct rrs_session *session, struct rrs_module *module);

/** Guards the pages of writable code in [from, to) that do not check themselves. */
RRS_MUST_CHECK struct rrs_error *rrs_space_guard(struct rrs_session *session, struct rrs_task *task,
                                                 rrs_addr from, rrs_addr to);

/** Whether blocks of the code at `pc` are to check themselves. */
bool rrs_space_changes_unseen(const struct rrs_address_space *space, rrs_addr pc);

/** Forgets the pages in [start, end): their protection has been set anew. */
void rrs_space_forget_pages(struct rrs_address_space *space, rrs_addr start, rrs_addr end);

/** Drops the blocks of private caches in [start, end). File caches hold what the file holds. */
void rrs_space_drop_blocks(struct rrs_session *session, struct rrs_address_space *space,
                           rrs_addr start, rrs_addr end);

/** Forgets all shadow code of a module, and the lookup tables that lead to it. */
void rrs_space_flush_module(struct rrs_session *session, struct rrs_module *module);

/** Fills the lookup table with the entries of every attachment. */
void rrs_space_fill_table(struct rrs_session *session, struct rrs_address_space *space);

/** Opens the shared memory in the task, for mapping. The descriptor is to be closed again.
 * `scratch` is memory of the task's as for rrs_give_descriptor(). */
RRS_MUST_CHECK struct rrs_error *rrs_space_open_pool(struct rrs_session *session,
                                                     struct rrs_task *task, rrs_addr scratch,
                                                     int64_t *fd);
RRS_MUST_CHECK struct rrs_error *rrs_space_map(struct rrs_session *session, struct rrs_task *task,
                                               int64_t fd, rrs_addr at, uint64_t size, int prot,
                                               uint64_t offset);

#endif
