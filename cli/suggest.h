/* SPDX-License-Identifier: MIT */
/* Finds what a person who mistyped a word most likely meant. */
#ifndef RRS_CLI_SUGGEST_H
#define RRS_CLI_SUGGEST_H

/**
 * Whether `candidate` is a better guess for `typed` than everything seen before. `*best_distance`
 * starts as 0 (nothing seen) and is kept by this function.
 */
int suggest_is_nearer(const char *typed, const char *candidate, unsigned *best_distance);

#endif
