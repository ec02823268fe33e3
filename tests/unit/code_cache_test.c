/* SPDX-License-Identifier: MIT */
/* Test that dropped blocks are forgotten, lead to exits, are linked again, and take no other block
 * with them. */
#include "engine/translate/translate.h"
#include "tests/unit/test.h"

#include <stdlib.h>

enum {
    PAGE = 4096,
    CACHE_BYTES = 4 << 20,
    CODE_BYTES = 80 << 20, /* more than the pages that the cache's page table tells apart */
    RUNTIME = 0x7e000000,
    FAR_PAGES = 1 << 14, /* pages so far apart share a slot of that table */
};

struct module {
    uint8_t *code, *memory;
    size_t code_bytes;
    struct rrs_code_cache cache;
    struct rrs_translator translator;
    uint32_t entries;
};

static size_t read_code(void *context, int64_t app, uint8_t *buffer, size_t size)
{
    struct module *module = context;
    if (app < 0 || (size_t)app >= module->code_bytes)
        return 0;
    size = size < module->code_bytes - (size_t)app ? size : module->code_bytes - (size_t)app;
    memcpy(buffer, module->code + app, size);
    return size;
}

static bool owns(void *context, int64_t app)
{
    return app >= 0 && (size_t)app < ((struct module *)context)->code_bytes;
}

static bool changes_unseen(void *context, int64_t app)
{
    (void)context;
    (void)app;
    return false;
}

static void add_entry(void *context, int64_t app, enum rrs_entry_kind entry_kind, uint32_t shadow)
{
    struct module *module = context;
    module->entries++;
    CHECK_EQUAL(rrs_code_cache_entry_at(&module->cache, app, entry_kind), shadow);
}

static void module_init(struct module *module)
{
    *module = (struct module){.code_bytes = CODE_BYTES};
    module->code = calloc(1, CODE_BYTES);
    module->memory = calloc(1, CACHE_BYTES);
    module->translator.decoder = rrs_decoder_create();
    module->translator.options = (struct rrs_translate_options){.block_insns = 64, .tick_cells = 1};
    CHECK(module->code && module->memory && module->translator.decoder);
    CHECK_OK(
        rrs_code_cache_init(&module->cache, module->memory, CACHE_BYTES, -CACHE_BYTES, RUNTIME));
}

static void module_deinit(struct module *module)
{
    rrs_code_cache_deinit(&module->cache);
    rrs_decoder_destroy(module->translator.decoder);
    free(module->code);
    free(module->memory);
}

static struct rrs_block translate(struct module *module, int64_t app,
                                  enum rrs_entry_kind entry_kind)
{
    struct rrs_code_source source = {read_code, owns, changes_unseen, add_entry, module};
    rrs_translate(&module->translator, &module->cache, &source, app, entry_kind);
    const struct rrs_block *block = rrs_code_cache_block_at(&module->cache, app);
    CHECK(block != NULL);
    return *block;
}

/* Where the jump at cache offset `at` goes to, as a cache offset; 0 if there is none. */
static uint32_t jump_at(const struct module *module, uint32_t at)
{
    int32_t distance;
    if (module->memory[at] != 0xe9)
        return 0;
    memcpy(&distance, module->memory + at + 1, sizeof distance);
    return at + 5 + (uint32_t)distance;
}

static bool is_known(const struct module *module, int64_t app)
{
    return rrs_code_cache_block_at(&module->cache, app) != NULL;
}

static void dropped_and_linked_again(void)
{
    struct module module;
    module_init(&module);
    module.code[100] = 0xc3;
    struct rrs_block old = translate(&module, 100, RRS_ENTRY_JUMP);
    CHECK_EQUAL(rrs_code_cache_drop(&module.cache, 0, 100), 0);
    CHECK_EQUAL(rrs_code_cache_drop(&module.cache, 101, PAGE), 0);
    CHECK(is_known(&module, 100));
    CHECK_EQUAL(rrs_code_cache_drop(&module.cache, 100, 101), 1);
    CHECK(!is_known(&module, 100));
    uint32_t stub = jump_at(&module, old.shadow);
    CHECK(stub >= module.cache.cold_start && stub < module.cache.cold_used);
    CHECK_EQUAL(rrs_code_cache_drop(&module.cache, 100, 101), 0); /* it is gone already */
    CHECK_EQUAL(jump_at(&module, old.shadow), stub);
    struct rrs_block young = translate(&module, 100, RRS_ENTRY_JUMP);
    CHECK(young.shadow != old.shadow);
    CHECK_EQUAL(jump_at(&module, old.shadow), young.shadow);
    CHECK_EQUAL(rrs_code_cache_drop(&module.cache, 100, 101), 1); /* the young one only */
    CHECK(jump_at(&module, young.shadow) != 0);
    CHECK_EQUAL(jump_at(&module, old.shadow), young.shadow);
    struct rrs_block third = translate(&module, 100, RRS_ENTRY_JUMP);
    CHECK_EQUAL(jump_at(&module, young.shadow), third.shadow);
    CHECK_EQUAL(jump_at(&module, old.shadow), third.shadow); /* not by way of the young one */
    module_deinit(&module);
}

/* A shadow PC within a dropped block still has its app PC: a task may stand there. */
static void maps_outlive_drops(void)
{
    struct module module;
    module_init(&module);
    memset(module.code, 0x90, 32);
    module.code[32] = 0xc3;
    struct rrs_block block = translate(&module, 0, RRS_ENTRY_DIRECT);
    rrs_code_cache_drop(&module.cache, 5, 6);
    for (uint32_t at = 0; at < block.shadow_bytes; at++) {
        struct rrs_block *found = rrs_code_cache_block_of_shadow(&module.cache, block.shadow + at);
        CHECK(found && found->dropped && found->app == 0);
        uint32_t app_offset;
        uint8_t state;
        rrs_map_find(module.cache.maps + found->map, found->map_bytes, at, &app_offset, &state);
        CHECK(app_offset <= 32 && (at >= 32 || app_offset == at));
    }
    module_deinit(&module);
}

static void over_page_borders(void)
{
    struct module module;
    module_init(&module);
    memset(module.code + PAGE - 40, 0x90, 60);
    module.code[PAGE + 20] = 0xc3;
    translate(&module, PAGE - 40, RRS_ENTRY_DIRECT); /* 40 bytes on one page, 21 on the next */
    CHECK_EQUAL(rrs_code_cache_drop(&module.cache, PAGE + 21, 2 * PAGE), 0);
    CHECK_EQUAL(rrs_code_cache_drop(&module.cache, 0, PAGE - 40), 0);
    CHECK_EQUAL(rrs_code_cache_drop(&module.cache, PAGE + 20, 2 * PAGE), 1);
    translate(&module, PAGE - 40, RRS_ENTRY_DIRECT);
    CHECK_EQUAL(rrs_code_cache_drop(&module.cache, 0, PAGE), 1);
    CHECK(!is_known(&module, PAGE - 40));
    module_deinit(&module);
}

static void pages_that_share_a_slot(void)
{
    const int64_t far = (int64_t)FAR_PAGES * PAGE + 8;
    struct module module;
    module_init(&module);
    module.code[8] = module.code[16] = module.code[far] = 0xc3;
    translate(&module, 8, RRS_ENTRY_DIRECT);
    translate(&module, far, RRS_ENTRY_DIRECT);
    translate(&module, 16, RRS_ENTRY_DIRECT);
    CHECK_EQUAL(rrs_code_cache_drop(&module.cache, 0, PAGE), 2);
    CHECK(is_known(&module, far) && !is_known(&module, 8) && !is_known(&module, 16));
    CHECK_EQUAL(rrs_code_cache_drop(&module.cache, far & -PAGE, far + PAGE), 1);
    translate(&module, 8, RRS_ENTRY_DIRECT);
    translate(&module, far, RRS_ENTRY_DIRECT);
    CHECK_EQUAL(rrs_code_cache_drop(&module.cache, 0, CODE_BYTES), 2); /* more pages than slots */
    module_deinit(&module);
}

/* A block that found nothing to fetch says so about its first byte, and can be dropped by it. */
static void nothing_to_fetch(void)
{
    struct module module;
    module_init(&module);
    module.code_bytes = PAGE;
    module.code[PAGE - 1] = 0xb8; /* mov eax, imm32: cut off */
    struct rrs_block block = translate(&module, PAGE - 1, RRS_ENTRY_DIRECT);
    CHECK_EQUAL(block.app_bytes, 0);
    CHECK(block.shadow_bytes >= 5);
    CHECK_EQUAL(rrs_code_cache_drop(&module.cache, PAGE, 2 * PAGE), 0);
    CHECK_EQUAL(rrs_code_cache_drop(&module.cache, PAGE - 1, PAGE), 1);
    module.code_bytes = CODE_BYTES;
    module.code[PAGE + 4] = 0xc3;
    CHECK_EQUAL(translate(&module, PAGE - 1, RRS_ENTRY_DIRECT).app_bytes, 6);
    module_deinit(&module);
}

/* However small, a block has room for the jump; its neighbour is not touched. */
static void neighbours_stay(void)
{
    struct module module;
    module_init(&module);
    module.translator.options =
        (struct rrs_translate_options){.block_insns = 1, .trace_insns = 8, .tick_cells = 1};
    memset(module.code, 0x90, 4);
    module.code[4] = 0xc3;
    translate(&module, 0, RRS_ENTRY_DIRECT);
    for (int app = 0; app < 4; app++) {
        struct rrs_block *next = rrs_code_cache_block_at(&module.cache, app + 1);
        CHECK(next != NULL);
        uint8_t before[16];
        uint32_t at = next->shadow, bytes = next->shadow_bytes < 16 ? next->shadow_bytes : 16;
        memcpy(before, module.memory + at, bytes);
        CHECK_EQUAL(rrs_code_cache_drop(&module.cache, app, app + 1), 1);
        CHECK(!memcmp(before, module.memory + at, bytes));
    }
    module_deinit(&module);
}

static void full_and_flushed(void)
{
    struct module module;
    module_init(&module);
    for (int app = 0; app < 2000; app += 2)
        module.code[app] = 0xc3;
    for (int app = 0; app < 2000; app += 2)
        translate(&module, app, RRS_ENTRY_DIRECT);
    module.cache.size = module.cache.cold_used + 400; /* room for some exits, not for a thousand */
    uint32_t dropped = rrs_code_cache_drop(&module.cache, 0, PAGE);
    CHECK(dropped > 0 && dropped < 1000 && module.cache.cold_used <= module.cache.size);
    CHECK(!rrs_translate_has_room(&module.cache));
    rrs_code_cache_flush(&module.cache);
    CHECK(!is_known(&module, 0) && !is_known(&module, 1998));
    CHECK_EQUAL(rrs_code_cache_drop(&module.cache, 0, PAGE), 0);
    module_deinit(&module);
}

int main(void)
{
    dropped_and_linked_again();
    maps_outlive_drops();
    over_page_borders();
    pages_that_share_a_slot();
    nothing_to_fetch();
    neighbours_stay();
    full_and_flushed();
    return 0;
}
