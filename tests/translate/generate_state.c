/* SPDX-License-Identifier: MIT */
/* Random machine states: mostly ordinary values, some of each odd kind. */
#include "tests/translate/generate.h"

#include <sys/syscall.h>

enum { ARITHMETIC = 0x8d5, DIRECTION = 0x400, ID = 0x200000 };

static uint64_t random_value(const struct sandbox *s, struct random *r)
{
    static const uint64_t odd[] = {0,          1,           0x7f,      0x80,       0xff,
                                   0x7fff,     0x8000,      0xffff,    0x7fffffff, 0x80000000,
                                   0xffffffff, 0x100000000, INT64_MAX, 1ull << 63, UINT64_MAX};
    uint32_t roll = random_below(r, 100);
    if (roll < 40)
        return s->base + SANDBOX_DATA + 64 * random_below(r, SANDBOX_DATA_BYTES / 64) +
               (roll < 10 ? random_below(r, 64) : 0);
    if (roll < 60)
        return random_below(r, 100);
    if (roll < 75)
        return odd[random_below(r, sizeof odd / sizeof odd[0])];
    return random_next(r);
}

static uint64_t random_rsp(const struct sandbox *s, struct random *r)
{
    uint64_t stack = s->base + SANDBOX_STACK;
    uint32_t roll = random_below(r, 100);
    if (roll < 88)
        return stack + 1024 + 8 * random_below(r, 256);
    if (roll < 94)
        return stack + random_below(r, SANDBOX_STACK_BYTES);
    if (roll < 98)
        return stack + (roll & 1 ? SANDBOX_STACK_BYTES - 8 : 8) - random_below(r, 16);
    return random_value(s, r);
}

/* --- vector and x87 state --- */

static void put_double(uint8_t *at, struct random *r)
{
    double value = (double)(int64_t)random_next(r) / (double)(1ull << random_below(r, 63));
    memcpy(at, &value, sizeof value);
}

static void put_float(uint8_t *at, struct random *r)
{
    float value = (float)(int32_t)random_next(r) / (float)(1u << random_below(r, 31));
    memcpy(at, &value, sizeof value);
}

static void random_vectors(uint8_t *at, size_t bytes, struct random *r)
{
    for (size_t i = 0; i + 16 <= bytes; i += 16) {
        uint32_t kind = random_below(r, 4);
        random_fill(r, at + i, 16);
        for (int j = 0; j < 16 && kind == 0; j += 8)
            put_double(at + i + j, r);
        for (int j = 0; j < 16 && kind == 1; j += 4)
            put_float(at + i + j, r);
    }
}

static void random_x87(uint8_t *fp, struct random *r)
{
    uint16_t control = 0x37f, status = (uint16_t)(random_next(r) & 0x7f00 & ~0x8000);
    if (random_percent(r, 20))
        control = (uint16_t)(0x3f | (random_next(r) & 0xf00));
    if (random_percent(r, 3))
        control &= (uint16_t)(0xffc0 | random_next(r));
    if (random_percent(r, 20))
        status |= random_next(r) & 0x7f;
    memcpy(fp, &control, 2);
    memcpy(fp + 2, &status, 2);
    fp[4] = random_percent(r, 50) ? 0xff : (uint8_t)random_next(r);
    for (int i = 0; i < 8; i++) {
        long double value = (long double)(int64_t)random_next(r) / (1ull << random_below(r, 63));
        if (random_percent(r, 60))
            memcpy(fp + 32 + 16 * i, &value, 10);
        else
            random_fill(r, fp + 32 + 16 * i, 10);
    }
}

static void random_fp(const struct sandbox *s, struct random *r, uint8_t *fp)
{
    memset(fp, 0, s->fp_bytes);
    random_x87(fp, r);
    uint32_t mxcsr = 0x1f80;
    if (random_percent(r, 30))
        mxcsr |= random_next(r) & 0xe07f;
    if (random_percent(r, 3))
        mxcsr &= (uint32_t)random_next(r) | 0xe07f;
    memcpy(fp + 24, &mxcsr, 4);
    random_vectors(fp + 160, 256, r);
    for (int i = 2; i < 8; i++)
        if (s->fp_size[i])
            random_vectors(fp + s->fp_offset[i], s->fp_size[i], r);
    memcpy(fp + 512, &s->fp_features, 8);
}

/* --- what an instruction wants --- */

static void suit_string(const struct sandbox *s, struct random *r, struct machine_state *state)
{
    uint64_t data = s->base + SANDBOX_DATA;
    static const int pointers[] = {6, 7};
    for (int i = 0; i < 2; i++)
        if (random_percent(r, 92))
            state->gpr[pointers[i]] = data + random_below(r, SANDBOX_DATA_BYTES);
    if (random_percent(r, 20)) /* the same bytes, for compares that go on */
        state->gpr[7] = state->gpr[6] + random_below(r, 2);
    state->gpr[1] = random_percent(r, 95) ? random_below(r, 100) : random_next(r);
}

static const uint64_t calls[] = {
    SYS_getpid, SYS_gettid, SYS_getuid, 0x1234, 0xfffffffff, UINT64_MAX, SYS_getpid | 1ull << 32,
    500,        0x10027,    0x7fff1234};
enum { CALLS = sizeof calls / sizeof calls[0] };

void generate_call_classes(const struct sandbox *s, struct random *r)
{
    for (int i = 0; i < CALLS; i++)
        if ((calls[i] & 0xffff) < 0xff00)
            s->classes[calls[i] & 0xffff] = random_next(r) & 1;
}

static void put_on_stack(const struct sandbox *s, const struct machine_state *state, uint64_t value)
{
    uint64_t at = state->gpr[4] - (s->base + SANDBOX_STACK);
    if (at <= SANDBOX_STACK_BYTES - 8)
        memcpy(sandbox_memory(s, SANDBOX_STACK + at), &value, sizeof value);
}

static void suit_xsave(struct random *r, struct machine_state *state)
{
    state->gpr[0] = random_next(r);
    state->gpr[2] = random_percent(r, 50) ? 0 : random_next(r);
}

static void suit(const struct program *program, const struct sandbox *s, struct random *r,
                 struct machine_state *state)
{
    if (program->flags & ROW_STRING)
        suit_string(s, r, state);
    if (program->flags & ROW_SYSCALL)
        state->gpr[0] = calls[random_below(r, CALLS)];
    if (program->flags & ROW_TO_STACK)
        put_on_stack(s, state, program->target);
    if (program->flags & ROW_LOAD_FLAGS) /* no trap flag: it would trap in the shadow's own code */
        state->gpr[4] = s->base + SANDBOX_STACK + 8 * random_below(r, 256);
    if (program->flags & ROW_LOAD_FLAGS)
        put_on_stack(s, state, random_next(r) & (ARITHMETIC | DIRECTION | ID));
}

static void fill_memory(const struct program *program, const struct sandbox *s, struct random *r)
{
    uint8_t *data = sandbox_memory(s, SANDBOX_DATA);
    random_vectors(data, SANDBOX_DATA_BYTES, r);
    random_fill(r, sandbox_memory(s, SANDBOX_STACK), SANDBOX_STACK_BYTES);
    if (random_percent(r, 20)) /* equal bytes, for compares that go on */
        memset(data, 0x55, SANDBOX_DATA_BYTES);
    for (uint32_t i = 0; i < program->word_count; i++) {
        uint64_t at = program->words[i].address - (s->base + SANDBOX_DATA);
        if (at <= SANDBOX_DATA_BYTES - 8)
            memcpy(data + at, &program->words[i].value, 8);
    }
}

void generate_state(const struct program *program, const struct sandbox *sandbox, struct random *r,
                    struct machine_state *state)
{
    fill_memory(program, sandbox, r);
    for (int i = 0; i < 16; i++)
        state->gpr[i] = random_value(sandbox, r);
    state->gpr[4] = random_rsp(sandbox, r);
    state->flags = random_next(r) & ARITHMETIC;
    if (random_percent(r, 10))
        state->flags |= random_next(r) & DIRECTION;
    state->rip = program->start;
    random_fp(sandbox, r, state->fp);
    if (program->flags & ROW_XSAVE)
        suit_xsave(r, state);
    for (int i = 0; i < 16; i++)
        if (program->fixed & (1 << i))
            state->gpr[i] = program->value[i];
    suit(program, sandbox, r, state);
}
