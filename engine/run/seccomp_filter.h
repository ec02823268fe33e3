/* SPDX-License-Identifier: MIT */
/*
 * seccomp filters of the program: classic BPF over struct seccomp_data, checked and interpreted
 * here, for one that the kernel ran would see the engine's calls and addresses, not the program's.
 */
#ifndef RRS_ENGINE_RUN_SECCOMP_FILTER_H
#define RRS_ENGINE_RUN_SECCOMP_FILTER_H

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdint.h>

/* A filter and those that were installed before it. Chains share their older ends. */
struct rrs_filter {
    uint32_t references; /* tasks whose newest it is, and younger filters */
    struct rrs_filter *older;
    uint32_t length;
    struct sock_filter code[];
};

/**
 * Makes a filter of `length` instructions in front of `older` (which may be NULL), whose reference
 * it takes over. -EINVAL if the kernel would refuse the code, -ENOMEM; `older` is then untouched.
 */
int rrs_filter_create(const struct sock_filter *code, uint32_t length, struct rrs_filter *older,
                      struct rrs_filter **filter);

/** One more reference to `filter`, which may be NULL; returns it. */
struct rrs_filter *rrs_filter_keep(struct rrs_filter *filter);

/** Gives one reference back. NULL is fine. */
void rrs_filter_release(struct rrs_filter *filter);

/** What the chain says of a call: the SECCOMP_RET_* value of the highest precedence. */
uint32_t rrs_filter_evaluate(const struct rrs_filter *newest, const struct seccomp_data *data);

#endif
