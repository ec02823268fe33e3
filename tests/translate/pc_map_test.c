/* SPDX-License-Identifier: MIT */
/*
 * Test that every byte of the shadow code of real functions maps back to the instruction that it
 * was made for: that the app bytes add up, that plain instructions stand there as copies that reach
 * the same memory, that registers stand in cells only around transfers, and that the tick site's
 * places are where the transfer's are.
 *
 *   pc_map_test [--long]
 */
#include "engine/translate/translate.h"
#include "tests/translate/library_code.h"

enum {
    CACHE_BYTES = 4 << 20,
    SHADOW_BASE = 0x20000000,
    RUNTIME = 0x70000000,
    OPTIONS = 5,
    SKIPPED = 77,
    SHOWN = 10,
};

struct test {
    struct library library;
    struct rrs_translator translator;
    struct rrs_code_cache cache;
    struct rrs_code_source source;
    uint64_t blocks, insns, shadow_bytes, failures;
};

static void fail(struct test *t, const struct rrs_block *block, uint32_t at, const char *what)
{
    if (t->failures++ < SHOWN)
        printf("%s: block at %#x, byte %u of its shadow: %s\n", t->library.path, block->app, at,
               what);
}

/* --- the source --- */

static bool owns(void *context, int64_t app)
{
    const struct test *t = context;
    return (uint64_t)app - t->library.text < t->library.text_bytes;
}

static size_t read_code(void *context, int64_t app, uint8_t *buffer, size_t size)
{
    const struct test *t = context;
    if (!owns(context, app))
        return 0;
    uint64_t offset = (uint64_t)app - t->library.text;
    if (size > t->library.text_bytes - offset)
        size = t->library.text_bytes - offset;
    memcpy(buffer, t->library.bytes + t->library.text_offset + offset, size);
    return size;
}

static bool changes_unseen(void *context, int64_t app)
{
    (void)context;
    (void)app;
    return false;
}

static void add_entry(void *context, int64_t app, enum rrs_entry_kind entry_kind, uint32_t shadow)
{
    struct test *t = context;
    if (rrs_code_cache_entry_at(&t->cache, app, entry_kind) != shadow)
        t->failures++;
}

/* --- one block --- */

static bool may_use_cells(const struct rrs_insn *insn)
{
    return insn->kind == RRS_INSN_CALL || insn->kind == RRS_INSN_CALL_INDIRECT ||
           insn->kind == RRS_INSN_JMP_INDIRECT || insn->kind == RRS_INSN_RET;
}

/* The last bytes of an instruction's stretch are the instruction, reaching the same address. */
static bool is_copy(const struct test *t, const struct rrs_insn *insn, uint64_t app,
                    uint32_t stretch_end)
{
    const uint8_t *copy = t->cache.memory + stretch_end - insn->length;
    struct rrs_insn copied;
    if (!rrs_decode(t->translator.decoder, copy, insn->length, &copied) ||
        copied.length != insn->length || copied.disp_offset != insn->disp_offset)
        return false;
    for (int i = 0; i < insn->length; i++) {
        bool in_disp = insn->disp_offset && i >= insn->disp_offset && i < insn->disp_offset + 4;
        if (!in_disp && copied.bytes[i] != insn->bytes[i])
            return false;
    }
    int64_t app_target = (int64_t)app + insn->length + insn->disp;
    return !insn->disp_offset || app_target == t->cache.shadow_base + stretch_end + copied.disp;
}

/* Where the stretch of the app instruction at `app_offset` ends; it begins at `from`. */
static uint32_t check_stretch(struct test *t, const struct rrs_block *block, uint32_t from,
                              uint32_t app_offset, const struct rrs_insn *insn)
{
    const uint8_t *map = t->cache.maps + block->map;
    uint32_t at = from;
    for (; at < block->shadow_bytes; at++) {
        uint32_t found = UINT32_MAX;
        uint8_t state = 0;
        rrs_map_find(map, block->map_bytes, at, &found, &state);
        if (found != app_offset)
            break;
        if (state && !may_use_cells(insn))
            fail(t, block, at, "registers in cells far from a transfer");
        if (rrs_code_cache_block_of_shadow(&t->cache, block->shadow + at) != block)
            fail(t, block, at, "belongs to another block");
    }
    return at;
}

static void check_tick(struct test *t, const struct rrs_block *block, const struct rrs_insn *last,
                       uint32_t last_offset)
{
    if (block->ticks != rrs_insn_ticks(last))
        fail(t, block, 0, "a site and no tick instruction, or the reverse");
    if (!block->ticks)
        return;
    uint32_t found = UINT32_MAX;
    uint8_t state;
    if (block->transfer_app != last_offset ||
        (block->site != block->site_end && block->pending_from > block->site_end) ||
        block->site_end > block->transfer || block->transfer > block->shadow_bytes)
        fail(t, block, block->transfer, "site and transfer are not in order");
    if (block->transfer == block->shadow_bytes)
        return; /* a jmp that leads to what follows */
    rrs_map_find(t->cache.maps + block->map, block->map_bytes, block->transfer, &found, &state);
    if (found != last_offset)
        fail(t, block, block->transfer, "the transfer maps to another instruction");
}

static uint32_t sum_of_app_bytes(const struct test *t, const struct rrs_block *block)
{
    uint32_t sum = 0;
    for (uint32_t i = 1; i < block->map_bytes; i += 2)
        sum += t->cache.maps[block->map + i] & 15;
    return sum;
}

static void check_block(struct test *t, const struct rrs_block *block)
{
    struct rrs_insn insn;
    uint32_t app = 0, shadow = 0, last = 0;
    uint8_t bytes[RRS_INSN_MAX_BYTES];
    memset(&insn, 0, sizeof insn);
    while (app < block->app_bytes) {
        size_t size = read_code(t, block->app + app, bytes, sizeof bytes);
        if (!rrs_decode(t->translator.decoder, bytes, size, &insn)) {
            fail(t, block, shadow, "holds what is no instruction");
            return;
        }
        uint32_t end = check_stretch(t, block, shadow, app, &insn);
        if (end == shadow && insn.kind != RRS_INSN_JMP)
            fail(t, block, shadow, "an instruction without shadow code");
        if (insn.kind == RRS_INSN_PLAIN && end - shadow >= insn.length &&
            app + insn.length < block->app_bytes &&
            !is_copy(t, &insn, block->app + app, block->shadow + end))
            fail(t, block, shadow, "not a copy of its instruction");
        last = app;
        shadow = end;
        app += insn.length;
        t->insns++;
    }
    if (app != block->app_bytes || sum_of_app_bytes(t, block) != block->app_bytes)
        fail(t, block, shadow, "its app bytes do not add up");
    if (shadow < block->shadow_bytes && t->cache.memory[block->shadow + shadow] != 0x90 &&
        block->app_bytes)
        fail(t, block, shadow, "bytes behind its last instruction");
    if (block->app_bytes)
        check_tick(t, block, &insn, last);
    t->blocks++;
    t->shadow_bytes += block->shadow_bytes;
}

static void check_and_flush(struct test *t)
{
    for (uint32_t i = 0; i < t->cache.block_count; i++)
        check_block(t, &t->cache.blocks[i]);
    rrs_code_cache_flush(&t->cache);
}

/* --- a library --- */

static void check_library(struct test *t, struct random *r, uint32_t functions)
{
    uint32_t step = t->library.function_count / functions + 1;
    for (uint32_t i = random_below(r, step); i < t->library.function_count; i += step) {
        if (!rrs_translate_has_room(&t->cache))
            check_and_flush(t);
        rrs_translate(&t->translator, &t->cache, &t->source, (int64_t)t->library.functions[i].start,
                      random_percent(r, 50) ? RRS_ENTRY_JUMP : RRS_ENTRY_DIRECT);
    }
    check_and_flush(t);
}

int main(int argc, char **argv)
{
    static const char *const names[] = {"libc.so.6", "libcrypto.so.3", "libstdc++.so.6", "python3",
                                        "node"};
    static const struct rrs_translate_options options[OPTIONS] = {{64, 200, 12, 0, 8},
                                                                  {1, 200, 0, 0, 8},
                                                                  {3, 50, 12, 0, 1},
                                                                  {64, 1, 0, 0, 8},
                                                                  {64, 200, 12, 1, 8}};
    static struct test t;
    uint32_t functions = argc == 2 && strcmp(argv[1], "--long") == 0 ? 20000 : 400;
    struct random r = {random_seed(argc == 3 ? strtoull(argv[2], NULL, 0) : 0)};
    uint8_t *memory = malloc(CACHE_BYTES);
    struct rrs_error *error =
        rrs_code_cache_init(&t.cache, memory, CACHE_BYTES, SHADOW_BASE, RUNTIME);
    t.translator.decoder = rrs_decoder_create();
    if (!memory || error || !t.translator.decoder)
        return 1;
    t.source = (struct rrs_code_source){read_code, owns, changes_unseen, add_entry, &t};
    for (size_t n = 0; n < sizeof names / sizeof names[0]; n++) {
        const char *path = library_path(names[n]);
        if (!path || !library_open(&t.library, path))
            continue;
        for (int o = 0; o < OPTIONS; o++) {
            t.translator.options = options[o];
            if (options[o].cut_seed)
                t.translator.options.cut_seed = random_next(&r);
            check_library(&t, &r, functions);
        }
        library_close(&t.library);
    }
    printf("%llu blocks, %llu instructions, %llu shadow bytes, %llu failures\n",
           (unsigned long long)t.blocks, (unsigned long long)t.insns,
           (unsigned long long)t.shadow_bytes, (unsigned long long)t.failures);
    rrs_code_cache_deinit(&t.cache);
    rrs_decoder_destroy(t.translator.decoder);
    free(memory);
    return !t.blocks ? SKIPPED : t.failures ? 1 : 0;
}
