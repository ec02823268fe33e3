/* SPDX-License-Identifier: MIT */
#include "lmdb-store/invariant.h"

#include <stdio.h>
#include <stdlib.h>

_Noreturn void rrs_invariant_broken(const char *condition, const char *words, const char *file,
                                    int line)
{
    fprintf(stderr, "rrsoft: broken invariant: %s (%s) at %s:%d\n", words, condition, file, line);
    abort();
}
