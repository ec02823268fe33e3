/* SPDX-License-Identifier: MIT */
/* Assertions with words, kept on in release builds: for broken invariants, never for bad input. */
#ifndef RRS_LMDB_STORE_INVARIANT_H
#define RRS_LMDB_STORE_INVARIANT_H

/** Writes what did not hold, and where, to standard error and aborts. */
_Noreturn void rrs_invariant_broken(const char *condition, const char *words, const char *file,
                                    int line);

#define RRS_INVARIANT(condition, words) \
    ((condition) ? (void)0 : rrs_invariant_broken(#condition, words, __FILE__, __LINE__))

#endif
