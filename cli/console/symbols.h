/* SPDX-License-Identifier: MIT */
/*
 * Symbols and source lines of the recorded files, by elfutils. The files come from the trace, never
 * from this machine, where they may have changed.
 */
#ifndef RRS_CLI_CONSOLE_SYMBOLS_H
#define RRS_CLI_CONSOLE_SYMBOLS_H

#include "cli/console/console.h"

#include <elfutils/libdwfl.h>

enum { SYMBOL_TEXT_BYTES = 256 };

void symbols_destroy(struct symbols *symbols);

/** The files that are mapped for the task at this place; NULL if there are none. Borrowed until the
 * next call of any function here. */
Dwfl *symbols_dwfl(struct console *console);

/** Writes "<NAME+OFFSET>", made harmless for a terminal. False if no symbol covers the address. */
bool symbols_describe(struct console *console, rrs_addr address, char text[SYMBOL_TEXT_BYTES]);

/** Writes "FILE:LINE" of the code there. False if that is not known. */
bool symbols_line(struct console *console, rrs_addr address, char text[SYMBOL_TEXT_BYTES]);

/** Finds a symbol, or the code of "FILE:LINE"; of equal names, that of the program comes before
 * those of libraries. `*bytes` may be 0. Errors: NOT_FOUND. */
RRS_MUST_CHECK struct rrs_error *symbols_find(struct console *console, const char *name,
                                              uint64_t *address, uint64_t *bytes);

/** Calls `found` with each symbol's name that begins so. */
void symbols_complete(struct console *console, const char *beginning,
                      void (*found)(void *context, const char *name), void *context);

#endif
