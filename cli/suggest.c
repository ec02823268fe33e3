/* SPDX-License-Identifier: MIT */
/*
 * Nearness of words: the number of inserted, left-out, changed and swapped letters (optimal string
 * alignment). Words are short command and option names, so the table is small and on the stack; a
 * longer word is not near to anything.
 */
#include "cli/suggest.h"

#include <string.h>

enum {
    WORD_MAX = 31,
};

static unsigned smaller(unsigned a, unsigned b)
{
    return a < b ? a : b;
}

static unsigned distance(const char *a, const char *b)
{
    unsigned rows[WORD_MAX + 1][WORD_MAX + 1];
    unsigned a_length = strlen(a), b_length = strlen(b);
    for (unsigned i = 0; i <= a_length; i++)
        rows[i][0] = i;
    for (unsigned j = 0; j <= b_length; j++)
        rows[0][j] = j;
    for (unsigned i = 1; i <= a_length; i++) {
        for (unsigned j = 1; j <= b_length; j++) {
            unsigned best = rows[i - 1][j - 1] + (a[i - 1] != b[j - 1]);
            best = smaller(best, smaller(rows[i - 1][j], rows[i][j - 1]) + 1);
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                best = smaller(best, rows[i - 2][j - 2] + 1);
            rows[i][j] = best;
        }
    }
    return rows[a_length][b_length];
}

/* A prefix ("ev" for "events") counts as near; else at most a third of the letters may be wrong,
 * but one slip is always forgiven as long as something is left in common. */
static unsigned measure(const char *typed, const char *candidate)
{
    unsigned length = strlen(typed), candidate_length = strlen(candidate);
    if (length < candidate_length && strncmp(typed, candidate, length) == 0)
        return 1;
    unsigned found = distance(typed, candidate);
    unsigned allowed = 1 + candidate_length / 4;
    return found <= allowed && found < candidate_length ? found : 0;
}

int suggest_is_nearer(const char *typed, const char *candidate, unsigned *best_distance)
{
    if (!*typed || strlen(typed) > WORD_MAX || strlen(candidate) > WORD_MAX)
        return 0;
    unsigned found = measure(typed, candidate);
    if (!found || (*best_distance && found >= *best_distance))
        return 0;
    *best_distance = found;
    return 1;
}
