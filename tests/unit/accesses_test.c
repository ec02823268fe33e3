/* SPDX-License-Identifier: MIT */
/* Test that what instructions read and write is known before they execute. */
#include "engine/arch/x86_64/accesses.h"
#include "tests/unit/test.h"

struct expected {
    const char *what;
    uint8_t bytes[RRS_INSN_MAX_BYTES];
    size_t size;
    uint32_t count;
    struct rrs_access first;
};

/* rax 0x1000, rcx 3, rsp 0x8000, rbp 0x9000, rsi 0x2000, rdi 0x3000, fs_base 0x70000, rip 0x400000
 */
static const struct expected cases[] = {
    {"mov rcx, rax", {0x48, 0x89, 0xc1}, 3, 0, {0}},
    {"mov rcx, [rax+8]", {0x48, 0x8b, 0x48, 8}, 4, 1, {0x1008, 0x1010, true, false}},
    {"mov [rax+rcx*4], ecx", {0x89, 0x0c, 0x88}, 3, 1, {0x100c, 0x1010, false, true}},
    {"add byte [rax], 1", {0x80, 0x00, 1}, 3, 1, {0x1000, 0x1001, true, true}},
    {"lea rcx, [rax+8]", {0x48, 0x8d, 0x48, 8}, 4, 0, {0}},
    {"push rax", {0x50}, 1, 1, {0x7ff8, 0x8000, false, true}},
    {"pop rax", {0x58}, 1, 1, {0x8000, 0x8008, true, false}},
    {"call +0", {0xe8, 0, 0, 0, 0}, 5, 1, {0x7ff8, 0x8000, false, true}},
    {"ret", {0xc3}, 1, 1, {0x8000, 0x8008, true, false}},
    {"mov rax, [rip+0x10]",
     {0x48, 0x8b, 0x05, 0x10, 0, 0, 0},
     7,
     1,
     {0x400017, 0x40001f, true, false}},
    {"mov rax, fs:[0x28]",
     {0x64, 0x48, 0x8b, 0x04, 0x25, 0x28, 0, 0, 0},
     9,
     1,
     {0x70028, 0x70030, true, false}},
    {"rep stosq", {0xf3, 0x48, 0xab}, 3, 1, {0x3000, 0x3018, false, true}},
    {"cmp qword [rsi], 0", {0x48, 0x83, 0x3e, 0}, 4, 1, {0x2000, 0x2008, true, false}},
    {"nop dword [rax]", {0x0f, 0x1f, 0x00}, 3, 0, {0}},
    {"prefetcht0 [rax]", {0x0f, 0x18, 0x08}, 3, 0, {0}},
};

static void check(const struct rrs_decoder *decoder, const struct expected *expected)
{
    struct user_regs_struct regs = {.rax = 0x1000,
                                    .rcx = 3,
                                    .rsp = 0x8000,
                                    .rbp = 0x9000,
                                    .rsi = 0x2000,
                                    .rdi = 0x3000,
                                    .fs_base = 0x70000,
                                    .rip = 0x400000};
    struct rrs_access found[RRS_ACCESSES_MAX];
    struct rrs_insn insn;
    printf("%s\n", expected->what);
    CHECK(rrs_decode(decoder, expected->bytes, expected->size, &insn));
    CHECK_EQUAL(rrs_insn_accesses(&insn, &regs, found), expected->count);
    if (!expected->count)
        return;
    CHECK_EQUAL(found[0].start, expected->first.start);
    CHECK_EQUAL(found[0].end, expected->first.end);
    CHECK_EQUAL(found[0].reads, expected->first.reads);
    CHECK_EQUAL(found[0].writes, expected->first.writes);
}

int main(void)
{
    struct rrs_decoder *decoder = rrs_decoder_create();
    CHECK(decoder);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        check(decoder, &cases[i]);
    rrs_decoder_destroy(decoder);
    return 0;
}
