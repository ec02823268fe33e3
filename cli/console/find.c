/* SPDX-License-Identifier: MIT */
/* `find`: where in the task's memory a text or a number stands at this place of the recording. */
#include "cli/console/symbols.h"
#include "cli/console/words.h"
#include "cli/text.h"
#include "lmdb-store/scope.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct pattern {
    uint8_t bytes[WORD_BYTES];
    size_t size;
};

/* "TEXT", or a number: of as many bytes as the size says, else as few of 1, 2, 4, 8 as hold it. */
static struct rrs_error *parse_pattern(struct console *console, const char *rest,
                                       struct pattern *pattern)
{
    size_t length = strlen(rest);
    uint64_t value;
    if (length > 2 && rest[0] == '"' && rest[length - 1] == '"' && length - 2 < WORD_BYTES) {
        pattern->size = length - 2;
        memcpy(pattern->bytes, rest + 1, pattern->size);
        return NULL;
    }
    size_t wanted = 0;
    if (rest[0] == '/' && rest[1] && rest[2] == ' ') {
        wanted = rest[1] == 'b' ? 1 : rest[1] == 'h' ? 2 : rest[1] == 'w' ? 4 : 8;
        rest += 2 + strspn(rest + 2, " \t");
    }
    if (!*rest)
        return rrs_error_create(RRS_ERROR_USAGE, "say what: \"TEXT\", or a number");
    RRS_TRY(expression_evaluate(console, rest, &value, NULL));
    pattern->size = wanted                ? wanted
                    : value <= UINT8_MAX  ? 1
                    : value <= UINT16_MAX ? 2
                    : value <= UINT32_MAX ? 4
                                          : 8;
    memcpy(pattern->bytes, &value, pattern->size);
    return NULL;
}

static void print_hit(struct console *console, rrs_addr address, const char *path)
{
    char text[SYMBOL_TEXT_BYTES];
    _cleanup_free_ char *harmless = text_escape(path, strlen(path));
    printf("0x%" PRIx64, address);
    if (symbols_describe(console, address, text))
        printf(" %s", text);
    printf("  %s\n", harmless ? harmless : "");
}

/* Pieces overlap by what the pattern could straddle. */
static struct rrs_error *search_mapping(struct console *console,
                                        const struct rrs_timeline_mapping *mapping,
                                        const struct pattern *pattern, uint64_t *n_hits)
{
    enum { PIECE_BYTES = 1 << 16 };
    _cleanup_free_ uint8_t *piece = malloc(PIECE_BYTES + WORD_BYTES);
    if (!piece)
        return rrs_error_no_memory();
    for (rrs_addr at = mapping->start; at < mapping->end; at += PIECE_BYTES) {
        size_t want = PIECE_BYTES + pattern->size - 1;
        if (want > mapping->end - at)
            want = mapping->end - at;
        size_t got = rrs_timeline_read(console->timeline, console->tid, at, piece, want);
        for (uint8_t *from = piece, *hit;
             (hit = memmem(from, got - (size_t)(from - piece), pattern->bytes, pattern->size));
             from = hit + 1) {
            if (console_is_interrupted(console))
                return NULL;
            print_hit(console, at + (rrs_addr)(hit - piece), mapping->path);
            ++*n_hits;
        }
    }
    return NULL;
}

struct rrs_error *console_find(struct console *console, const char *rest)
{
    struct pattern pattern = {0};
    struct rrs_timeline_mapping *mappings;
    size_t n_mappings;
    uint64_t n_hits = 0;
    RRS_TRY(parse_pattern(console, rest, &pattern));
    RRS_TRY(rrs_timeline_mappings(console->timeline, console->tid, &mappings, &n_mappings));
    struct rrs_error *error = NULL;
    for (size_t i = 0; i < n_mappings && !error && !console_is_interrupted(console); i++)
        error = search_mapping(console, &mappings[i], &pattern, &n_hits);
    rrs_timeline_free_mappings(mappings, n_mappings);
    if (!error && n_hits == 0)
        return rrs_error_create(RRS_ERROR_NOT_FOUND, "not found");
    return error;
}
