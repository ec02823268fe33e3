/* SPDX-License-Identifier: MIT */
/*
 * Test that every instruction of real programs and libraries has the length that objdump gives it.
 * Where the two differ, the bytes must be proven to be data: no function of the unwind table covers
 * them, or objdump itself says that they are no instruction.
 *
 *   decode_lengths_test NAME    a file name that library_code.c looks for; exit 77 if there is none
 */
#include "tests/translate/library_code.h"

#include <inttypes.h>

enum { SKIPPED = 77, SHOWN = 10, LINE_BYTES = 4096 };

struct counts {
    uint64_t insns, bytes, bad, data, wrong;
};

struct line {
    uint64_t address;
    bool bad;
};

/* "  401000:\tpush   %rbp" */
static bool parse_line(const char *text, struct line *line)
{
    char *end;
    line->address = strtoull(text, &end, 16);
    if (end == text || end[0] != ':' || end[1] != '\t')
        return false;
    line->bad = strstr(end, "(bad)") || strstr(end, ".byte");
    return true;
}

static void check_insn(const struct library *l, const struct rrs_decoder *decoder,
                       const struct line *line, uint64_t next, struct counts *counts)
{
    struct rrs_insn insn;
    uint64_t offset = line->address - l->text;
    counts->insns++;
    counts->bytes += next - line->address;
    bool decoded = rrs_decode(decoder, l->bytes + l->text_offset + offset,
                              (size_t)(l->text_bytes - offset), &insn);
    if (decoded && insn.length == next - line->address)
        return;
    if (line->bad) {
        counts->bad++;
        return;
    }
    if (l->function_count && !library_function_of(l, line->address)) {
        counts->data++;
        return;
    }
    if (counts->wrong++ < SHOWN)
        printf("at %#" PRIx64 ": objdump: %" PRIu64 " bytes, decoder: %d%s\n", line->address,
               next - line->address, decoded ? insn.length : 0,
               decoded && insn.kind == RRS_INSN_UNKNOWN ? " (unknown)" : "");
}

static bool compare(const struct library *l, const struct rrs_decoder *decoder,
                    struct counts *counts)
{
    char text[LINE_BYTES];
    struct line before = {0}, line;
    bool any = false;
    snprintf(text, sizeof text, "exec objdump -d -w -z --no-show-raw-insn -j .text '%s'", l->path);
    FILE *objdump = popen(text, "r");
    if (!objdump)
        return false;
    while (fgets(text, sizeof text, objdump)) {
        if (!parse_line(text, &line))
            continue;
        if (any)
            check_insn(l, decoder, &before, line.address, counts);
        before = line;
        any = true;
    }
    if (any)
        check_insn(l, decoder, &before, l->text + l->text_bytes, counts);
    return pclose(objdump) == 0 && any;
}

int main(int argc, char **argv)
{
    struct library library;
    struct counts counts = {0};
    const char *path = argc == 2 ? library_path(argv[1]) : NULL;
    if (!path || system("objdump --version >/dev/null 2>&1") != 0 ||
        !library_open(&library, path)) {
        printf("skipped: no such file, or no objdump\n");
        return SKIPPED;
    }
    struct rrs_decoder *decoder = rrs_decoder_create();
    bool compared = decoder && compare(&library, decoder, &counts);
    printf("%s: %" PRIu64 " instructions, %" PRIu64 " of %" PRIu64 " bytes of .text; no "
           "instruction to objdump either: %" PRIu64 "; outside of every function: %" PRIu64
           "; wrong: %" PRIu64 "\n",
           path, counts.insns, counts.bytes, library.text_bytes, counts.bad, counts.data,
           counts.wrong);
    rrs_decoder_destroy(decoder);
    bool all = counts.bytes == library.text_bytes;
    library_close(&library);
    return compared && all && !counts.wrong ? 0 : 1;
}
