/* SPDX-License-Identifier: MIT */
/*
 * Programs with control flow: counted loops, forward branches, calls, jumps through registers and
 * by push and ret. They end at a hlt. Where an indirect transfer, a call or a return leads, an
 * instruction that sets all flags comes first, as compilers have it. r12 counts outer loops, r13
 * inner ones, r15 points into the data; rsp is left alone.
 */
#include "tests/translate/builder.h"

#include <assert.h>

enum { LABELS_MAX = 64, PATCHES_MAX = 64, RCX = 1, R12 = 12, R15 = 15, FLOW_BYTES = 300 };

struct patch {
    uint32_t at, label;
    int bytes;
};

struct flow {
    struct builder b;
    uint32_t labels[LABELS_MAX]; /* offsets */
    uint32_t label_count;
    struct patch patches[PATCHES_MAX];
    uint32_t patch_count;
    uint32_t functions; /* labels 0 .. functions - 1 are those of the functions */
    uint32_t depth;
};

static const struct plain_insn *plain;
static uint32_t plain_count;

void generate_use_plain(const struct plain_insn *insns, uint32_t count)
{
    plain = insns;
    plain_count = count;
}

static void put_bytes(struct flow *f, const char *bytes, int count)
{
    for (int i = 0; i < count; i++)
        put(&f->b, (uint8_t)bytes[i]);
}

static uint32_t new_label(struct flow *f)
{
    assert(f->label_count < LABELS_MAX && "too many labels in a program");
    return f->label_count++;
}

static void place_label(struct flow *f, uint32_t label)
{
    f->labels[label] = f->b.p->count;
}

static void put_displacement(struct flow *f, uint32_t label, int bytes)
{
    assert(f->patch_count < PATCHES_MAX && "too many branches in a program");
    f->patches[f->patch_count++] = (struct patch){f->b.p->count, label, bytes};
    put_number(&f->b, 0, bytes);
}

static void put_jcc(struct flow *f, uint8_t condition, uint32_t label)
{
    if (random_percent(f->b.r, 50)) {
        put(&f->b, 0x70 | condition);
        put_displacement(f, label, 1);
    } else {
        put(&f->b, 0x0f);
        put(&f->b, 0x80 | condition);
        put_displacement(f, label, 4);
    }
}

static void put_jmp(struct flow *f, uint32_t label)
{
    bool small = random_percent(f->b.r, 50);
    put(&f->b, small ? 0xeb : 0xe9);
    put_displacement(f, label, small ? 1 : 4);
}

/* cmp or add with an immediate: sets all flags. */
static void put_flag_setter(struct flow *f)
{
    static const struct row setters[] = {{"", "o X 81 /7rr iz", 0}, {"", "X 83 /0rr ib", 0},
                                         {"", "o X 39 /rr", 0},     {"", "X f7 /3rr", 0},
                                         {"", "o X 01 /rr", 0},     {"", "X 31 /rr", 0}};
    bool before = f->b.registers_only;
    f->b.registers_only = true;
    while (!put_instruction(&f->b, &setters[random_below(f->b.r, 6)]))
        ;
    f->b.registers_only = before;
}

static void put_plain_from_library(struct flow *f)
{
    const struct plain_insn *insn = &plain[random_below(f->b.r, plain_count)];
    uint32_t at = f->b.p->count;
    for (int i = 0; i < insn->length; i++)
        put(&f->b, insn->bytes[i]);
    if (insn->disp_offset) {
        uint64_t target = f->b.s->base + SANDBOX_DATA + 64 * random_below(f->b.r, 100);
        uint32_t disp = (uint32_t)(target - (f->b.p->start + f->b.p->count));
        memcpy(f->b.p->bytes + at + insn->disp_offset, &disp, sizeof disp);
    }
}

static bool suits_flow(const struct row *row)
{
    static const char *const classes[] = {"arithmetic", "shift", "bits", "moves", "exchange",
                                          "flags",      "x87",   "sse",  "avx",   "avx-512"};
    if (row->flags)
        return false;
    for (size_t i = 0; i < sizeof classes / sizeof classes[0]; i++)
        if (strcmp(row->class_name, classes[i]) == 0)
            return true;
    return false;
}

static void put_row(struct flow *f)
{
    const struct row *row;
    do
        row = &rows[random_below(f->b.r, row_count)];
    while (!suits_flow(row));
    f->b.p->flags |= row->flags;
    put_instruction(&f->b, row);
}

/* A few instructions that change no counter and do not jump. */
static void put_plain(struct flow *f, uint32_t at_most)
{
    for (uint32_t i = random_below(f->b.r, at_most + 1); i; i--) {
        uint32_t roll = random_below(f->b.r, 100);
        bool strict = f->b.avoid & (1 << RCX); /* rows may write rcx without naming it */
        if (roll < 20 && plain_count && !strict)
            put_plain_from_library(f);
        else if (roll < 45 && !strict)
            put_row(f);
        else
            put_filler(&f->b);
    }
}

static void put_forward_branch(struct flow *f)
{
    uint32_t over = new_label(f);
    put_jcc(f, (uint8_t)random_below(f->b.r, 16), over);
    put_plain(f, 2);
    place_label(f, over);
    put_plain(f, 1);
}

/* --- loops --- */

/* mov r12d or r13d, count */
static void put_counter(struct flow *f, int reg)
{
    put(&f->b, 0x41);
    put(&f->b, (uint8_t)(0xb8 | (reg & 7)));
    put_number(&f->b, 1 + random_below(f->b.r, 4), 4);
}

static void put_register_op(struct flow *f, const char *before, int reg, const char *after)
{
    put(&f->b, (uint8_t)before[0]);
    put(&f->b, (uint8_t)before[1]);
    put(&f->b, (uint8_t)(before[2] | (reg & 7)));
    for (; *after; after++)
        put(&f->b, (uint8_t)*after);
}

static void put_indirect_back(struct flow *f, int reg, uint32_t top)
{
    uint32_t out = new_label(f);
    put_register_op(f, "\x41\xff\xc8", reg, ""); /* dec reg */
    put_jcc(f, 4, out);
    put_bytes(f, "\x48\x8d\x05", 3); /* lea rax, [top] */
    put_displacement(f, top, 4);
    put_bytes(f, "\xff\xe0", 2); /* jmp rax */
    place_label(f, out);
}

static void put_back_edge(struct flow *f, int reg, uint32_t top)
{
    uint32_t out = new_label(f);
    switch (random_below(f->b.r, 5)) {
    case 0:
        put_register_op(f, "\x41\xff\xc8", reg, ""); /* dec reg; jnz */
        put_jcc(f, 5, top);
        break;
    case 1: /* flags live over the branch: the carry of the body survives dec */
        put_register_op(f, "\x41\xff\xc8", reg, "");
        put_jcc(f, 5, top);
        put_bytes(f, "\x0f\x92\xc2", 3); /* setc dl */
        break;
    case 2:
        put_register_op(f, "\x41\x83\xe8", reg, "\x01"); /* sub reg, 1; ja */
        put_jcc(f, 7, top);
        break;
    case 3:
        put_register_op(f, "\x41\xff\xc8", reg, "");
        put_jcc(f, 4, out);
        put_jmp(f, top);
        break;
    case 4:
        put_indirect_back(f, reg, top);
        break;
    }
    place_label(f, out);
}

static void put_segment(struct flow *f);

static void put_loop(struct flow *f)
{
    int reg = R12 + (int)f->depth;
    put_counter(f, reg);
    uint32_t top = new_label(f);
    place_label(f, top);
    put_flag_setter(f);
    f->depth++;
    if (f->depth < 2 && f->b.p->count < FLOW_BYTES / 2 && random_percent(f->b.r, 40))
        put_segment(f);
    else
        put_plain(f, 3);
    f->depth--;
    put_back_edge(f, reg, top);
}

/* mov ecx, count; top: ..; loop or loopne top */
static void put_rcx_loop(struct flow *f)
{
    put(&f->b, 0xb9);
    put_number(&f->b, 1 + random_below(f->b.r, 4), 4);
    uint32_t top = new_label(f);
    place_label(f, top);
    f->b.avoid |= 1 << RCX;
    put_plain(f, 3);
    f->b.avoid &= (uint16_t) ~(1 << RCX);
    if (random_percent(f->b.r, 20))
        put(&f->b, 0x67);
    put(&f->b, (uint8_t)(0xe0 + random_below(f->b.r, 3)));
    put_displacement(f, top, 1);
}

/* --- transfers --- */

static void put_lea(struct flow *f, int reg, uint32_t label)
{
    put_bytes(f, "\x48\x8d", 2);
    put(&f->b, (uint8_t)(0x05 | reg << 3));
    put_displacement(f, label, 4);
}

static void put_transfer(struct flow *f)
{
    static const int registers[] = {0, 1, 2, 3, 6, 7};
    int reg = registers[random_below(f->b.r, 6)];
    uint32_t there = new_label(f);
    uint32_t function = random_below(f->b.r, f->functions);
    switch (random_below(f->b.r, 5)) {
    case 0:
        put(&f->b, 0xe8);
        put_displacement(f, function, 4);
        break;
    case 1:
        put_lea(f, reg, function);
        put(&f->b, 0xff);
        put(&f->b, (uint8_t)(0xd0 | reg)); /* call reg */
        break;
    case 2:
        put_lea(f, reg, there);
        put(&f->b, (uint8_t)(0x50 | reg)); /* push reg; ret */
        put(&f->b, 0xc3);
        break;
    case 3:
        put_lea(f, reg, there);
        put(&f->b, 0xff);
        put(&f->b, (uint8_t)(0xe0 | reg)); /* jmp reg */
        put_bytes(f, "\x0f\x0b", (int)random_below(f->b.r, 3));
        break;
    case 4:
        put_jmp(f, there);
        put_bytes(f, "\x0f\x0b", (int)random_below(f->b.r, 3));
        break;
    }
    place_label(f, there);
    put_flag_setter(f);
}

static void put_function(struct flow *f, uint32_t label)
{
    put(&f->b, SANDBOX_HLT);
    place_label(f, label);
    put_flag_setter(f);
    put_plain(f, 3);
    switch (random_below(f->b.r, 4)) {
    case 0:
        put_bytes(f, "\x58\xff\xe0", 3); /* pop rax; jmp rax */
        break;
    case 1:
        put_bytes(f, "\x5a\x6a\x00\x52\xc2\x08\x00", 7); /* pop rdx; push 0; push rdx; ret 8 */
        break;
    default:
        put(&f->b, 0xc3);
    }
}

static void put_segment(struct flow *f)
{
    switch (random_below(f->b.r, 6)) {
    case 0:
        put_plain(f, 3);
        break;
    case 1:
        put_forward_branch(f);
        break;
    case 2:
    case 3:
        if (f->depth < 2) {
            put_loop(f);
            break;
        }
        /* fall through */
    case 4:
        put_transfer(f);
        break;
    case 5:
        put_rcx_loop(f);
        break;
    }
}

/* A displacement that does not fit gets the hlt at the program's end. */
static void patch_all(struct flow *f, uint32_t end)
{
    for (uint32_t i = 0; i < f->patch_count; i++) {
        const struct patch *patch = &f->patches[i];
        int64_t next = patch->at + patch->bytes;
        int64_t disp = (int64_t)f->labels[patch->label] - next;
        if (patch->bytes == 1 && disp != (int8_t)disp)
            disp = (int64_t)end - next == (int8_t)(end - next) ? (int64_t)end - next : 0;
        memcpy(f->b.p->bytes + patch->at, &disp, (size_t)patch->bytes);
    }
}

void generate_flow(struct program *program, const struct sandbox *sandbox, struct random *r)
{
    *program = (struct program){.start = program->start};
    struct flow f = {.b = {.p = program, .s = sandbox, .r = r, .calm = true}};
    f.b.avoid = 1 << 4 | 1 << 12 | 1 << 13 | 1 << 15;
    f.functions = f.label_count = 2;
    program->fixed = 1 << R15 | 1 << 4;
    program->value[R15] = sandbox->base + SANDBOX_DATA + 2048;
    program->value[4] = sandbox->base + SANDBOX_STACK + 2048;
    for (uint32_t i = 1 + random_below(r, 5); i && program->count < FLOW_BYTES - 100; i--)
        put_segment(&f);
    uint32_t end = program->count;
    for (uint32_t i = 0; i < f.functions; i++)
        put_function(&f, i);
    patch_all(&f, end);
}
