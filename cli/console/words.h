/* SPDX-License-Identifier: MIT */
/* Taking a command line apart, and expressions for addresses and numbers. */
#ifndef RRS_CLI_CONSOLE_WORDS_H
#define RRS_CLI_CONSOLE_WORDS_H

#include "cli/console/console.h"

enum { WORD_BYTES = 512 };

/** Copies the next word (between blanks) and goes behind it and the blanks that follow. False if
 * there is none, or if it is too long. */
bool word_take(const char **text, char word[WORD_BYTES]);

/** Errors: USAGE if there is anything left. */
RRS_MUST_CHECK struct rrs_error *words_end(const char *text);

/**
 * Evaluates a word: numbers, $registers, symbols, FILE:LINE, with + and -, *ADDRESS (eight bytes of
 * memory) and parentheses. `*bytes` (may be NULL) is the size of what a lone symbol names, else 0.
 * Errors: USAGE, NOT_FOUND, FAULT.
 */
RRS_MUST_CHECK struct rrs_error *expression_evaluate(struct console *console, const char *word,
                                                     uint64_t *value, uint64_t *bytes);

/** The same for the next word of `*text`; `fallback` if there is none. */
RRS_MUST_CHECK struct rrs_error *expression_take(struct console *console, const char **text,
                                                 uint64_t fallback, uint64_t *value);

#endif
