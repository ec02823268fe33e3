/* SPDX-License-Identifier: MIT */
/*
 * Test that ticks and tick stops of real functions do not depend on how blocks are formed:
 * functions of the C library run in shadow code of every mode, to their end and to random ticks.
 * Total, PC and registers must be those of the first mode.
 *
 *   tick_stops_test [--stops N] [--seed SEED]
 */
#include "tests/translate/random.h"
#include "tests/translate/shadow.h"

#include <dlfcn.h>
#include <link.h>

enum {
    MODES = 8,
    MODES_MAX_SHOWN = 10,
    BUFFER_BYTES = 8192,
    STACK_BYTES = 1 << 17,
    XMM0 = 160, /* in an XSAVE image */
};

static const uint64_t SANDBOX_BASE = 0x155540000000, BELOW_LIBRARY = 0x20000000;

/* Arguments, in a buffer that is the same before each run. */
struct call {
    const char *function;
    uint64_t entry, arguments[4];
    double x;
    uint8_t buffer[BUFFER_BYTES];
};

struct test {
    struct sandbox sandbox,
        library; /* `library`: the same runtime, but its base is the library's */
    struct shadow shadows[MODES];
    uint8_t *buffer, *stack;
    struct call call;
    uint32_t stops, failures, left_out;
};

/* --- calls --- */

/* The library's own functions, not what a sanitizer puts before them. */
static uint64_t function_address(const char *name)
{
    void *libc = dlopen("libc.so.6", RTLD_LAZY | RTLD_NOLOAD);
    return (uint64_t)(uintptr_t)(libc ? dlsym(libc, name) : NULL);
}

static void random_text(struct random *r, uint8_t *at, uint32_t bytes, const char *letters)
{
    uint32_t count = (uint32_t)strlen(letters);
    for (uint32_t i = 0; i + 1 < bytes; i++)
        at[i] = (uint8_t)letters[random_below(r, count)];
    at[bytes - 1] = 0;
}

static void make_number(struct call *c, struct random *r, uint8_t *buffer)
{
    snprintf((char *)c->buffer, 64, "%.*g", 1 + (int)random_below(r, 30),
             (double)(int64_t)random_next(r) * 1e-30);
    c->arguments[0] = (uint64_t)(uintptr_t)buffer;
    c->arguments[1] = (uint64_t)(uintptr_t)buffer + 128;
}

static void make_print(struct call *c, struct random *r, uint8_t *buffer)
{
    strcpy((char *)c->buffer, "%.17g %d %s %a");
    strcpy((char *)c->buffer + 64, "text");
    c->x = (double)(int64_t)random_next(r) / 3;
    c->arguments[0] = (uint64_t)(uintptr_t)buffer + 1024;
    c->arguments[1] = 500;
    c->arguments[2] = (uint64_t)(uintptr_t)buffer;
    c->arguments[3] = random_next(r);
}

static void make_sort(struct call *c, struct random *r, uint8_t *buffer)
{
    for (int i = 0; i < 100; i++)
        random_text(r, c->buffer + 8 * i, 8, "abc");
    c->arguments[0] = (uint64_t)(uintptr_t)buffer;
    c->arguments[1] = 2 + random_below(r, 98);
    c->arguments[2] = 8;
    c->arguments[3] = function_address("strcmp");
}

static void make_search(struct call *c, struct random *r, uint8_t *buffer)
{
    random_text(r, c->buffer, 2000, "ab");
    random_text(r, c->buffer + 4096, 12, "ab");
    c->arguments[0] = (uint64_t)(uintptr_t)buffer;
    c->arguments[1] = (uint64_t)(uintptr_t)buffer + 4096;
}

static void make_match(struct call *c, struct random *r, uint8_t *buffer)
{
    strcpy((char *)c->buffer, "*[a-c]?b*a*[!x]");
    random_text(r, c->buffer + 1024, 40, "abcdx");
    c->arguments[0] = (uint64_t)(uintptr_t)buffer;
    c->arguments[1] = (uint64_t)(uintptr_t)buffer + 1024;
    c->arguments[2] = 0;
}

static void make_span(struct call *c, struct random *r, uint8_t *buffer)
{
    random_text(r, c->buffer, 3000, "abcdefgh");
    strcpy((char *)c->buffer + 4096, "abcdefg");
    c->arguments[0] = (uint64_t)(uintptr_t)buffer;
    c->arguments[1] = (uint64_t)(uintptr_t)buffer + 4096;
}

static const struct {
    const char *function;
    void (*make)(struct call *, struct random *, uint8_t *buffer);
} calls[] = {
    {"strtod", make_number}, {"snprintf", make_print}, {"qsort", make_sort},
    {"strstr", make_search}, {"fnmatch", make_match},  {"strspn", make_span},
};
enum { CALLS = sizeof calls / sizeof calls[0] };

/* --- runs --- */

static void begin(struct test *t, struct machine_state *state)
{
    static const int places[] = {RDI, RSI, RDX, RCX};
    uint64_t end = t->sandbox.base;
    memset(state, 0, sizeof *state);
    memcpy(t->buffer, t->call.buffer, BUFFER_BYTES);
    memset(t->stack, 0, STACK_BYTES);
    memcpy(t->stack + STACK_BYTES - 64 - 8, &end, sizeof end);
    for (int i = 0; i < 4; i++)
        state->gpr[places[i]] = t->call.arguments[i];
    state->gpr[RAX] = 1;
    state->gpr[RSP] = (uint64_t)(uintptr_t)t->stack + STACK_BYTES - 64 - 8;
    state->rip = t->call.entry;
    const uint16_t control = 0x37f;
    const uint32_t mxcsr = 0x1f80;
    memcpy(state->fp, &control, sizeof control);
    memcpy(state->fp + 24, &mxcsr, sizeof mxcsr);
    memcpy(state->fp + XMM0, &t->call.x, sizeof t->call.x);
    memcpy(state->fp + 512, &t->sandbox.fp_features, 8);
}

struct result {
    struct machine_state state;
    struct shadow_end end;
    uint8_t buffer[BUFFER_BYTES];
};

static void run(struct test *t, int mode, uint64_t ticks, struct result *result)
{
    begin(t, &result->state);
    shadow_run(&t->shadows[mode], &result->state, ticks, &result->end);
    memcpy(result->buffer, t->buffer, BUFFER_BYTES);
    result->state.flags &= ~shadow_dead_flags(&t->shadows[mode], result->state.rip);
    shadow_forget_lookups(&t->shadows[mode]);
}

static bool same(const struct test *t, const struct result *a, const struct result *b)
{
    return a->end.kind == b->end.kind && a->end.ticks == b->end.ticks &&
           a->state.rip == b->state.rip && a->state.flags == b->state.flags &&
           memcmp(a->state.gpr, b->state.gpr, sizeof a->state.gpr) == 0 &&
           memcmp(a->state.fp, b->state.fp, t->sandbox.fp_bytes) == 0 &&
           memcmp(a->buffer, b->buffer, BUFFER_BYTES) == 0;
}

static void say(const char *which, const struct test *t, const struct result *r)
{
    printf("  %s: end %d (signal %d) at libc's code + %#llx after %llu ticks, flags %#llx%s%s\n",
           which, r->end.kind, r->end.signal.signal,
           (unsigned long long)(r->state.rip - t->library.base), (unsigned long long)r->end.ticks,
           (unsigned long long)r->state.flags, r->end.lost ? ", " : "",
           r->end.lost ? r->end.lost : "");
}

static void compare(struct test *t, int mode, uint64_t ticks, const struct result *expected)
{
    static struct result found;
    run(t, mode, ticks, &found);
    t->stops++;
    if (same(t, expected, &found) || t->failures++ >= MODES_MAX_SHOWN)
        return;
    printf("%s: stop at %llu differs with %s\n", t->call.function, (unsigned long long)ticks,
           t->shadows[mode].name);
    say("first mode", t, expected);
    say("this mode", t, &found);
    for (int i = 0; i < 16; i++)
        if (expected->state.gpr[i] != found.state.gpr[i])
            printf("  register %d: %#llx, here %#llx\n", i,
                   (unsigned long long)expected->state.gpr[i],
                   (unsigned long long)found.state.gpr[i]);
}

/* A sanitizer has its own memcpy: a function that calls it leaves the library's code. */
static bool calls_out(const struct test *t, const struct result *whole)
{
    return whole->end.kind == SHADOW_FETCH && whole->state.rip != t->sandbox.base;
}

static void check_call(struct test *t, struct random *r, uint32_t stops)
{
    static struct result whole, part;
    run(t, 0, SHADOW_NO_TICKS, &whole); /* the first time, a function may set up tables */
    run(t, 0, SHADOW_NO_TICKS, &whole);
    if (calls_out(t, &whole)) {
        t->left_out++;
        return;
    }
    if (whole.end.kind != SHADOW_FETCH || whole.state.rip != t->sandbox.base) {
        t->failures++;
        printf("%s did not come back\n", t->call.function);
        say("first mode", t, &whole);
        return;
    }
    for (int mode = 1; mode < MODES; mode++)
        compare(t, mode, SHADOW_NO_TICKS, &whole);
    for (uint32_t i = 0; i < stops; i++) {
        uint64_t ticks = random_below(r, (uint32_t)whole.end.ticks);
        run(t, 0, ticks, &part);
        if (part.end.kind != SHADOW_TICK || part.end.ticks != ticks)
            t->failures++;
        compare(t, 1 + (int)random_below(r, MODES - 1), ticks, &part);
        compare(t, 1 + (int)random_below(r, MODES - 1), ticks, &part);
    }
}

/* --- the library --- */

struct text {
    uint64_t inside, start, end;
};

static int find_text(struct dl_phdr_info *info, size_t size, void *data)
{
    struct text *text = data;
    (void)size;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *p = &info->dlpi_phdr[i];
        uint64_t start = info->dlpi_addr + p->p_vaddr;
        if (p->p_type == PT_LOAD && (p->p_flags & PF_X) && text->inside - start < p->p_memsz) {
            text->start = start & ~4095ull;
            text->end = start + p->p_memsz;
        }
    }
    return text->end != 0;
}

static bool make_shadows(struct test *t, struct random *r)
{
    static const struct rrs_translate_options options[MODES] = {
        {64, 200, 12, 0, 8}, {64, 200, 0, 0, 8}, {1, 200, 0, 0, 8}, {2, 200, 12, 0, 1},
        {3, 20, 0, 0, 8},    {7, 200, 12, 0, 3}, {64, 1, 0, 0, 8},  {64, 200, 12, 1, 8},
    };
    struct text text = {.inside = function_address("strtod")};
    if (!dl_iterate_phdr(find_text, &text))
        return false;
    t->library = t->sandbox;
    t->library.base = text.start;
    for (int i = 0; i < MODES; i++) {
        struct rrs_translate_options chosen = options[i];
        if (chosen.cut_seed)
            chosen.cut_seed = random_next(r);
        uint64_t at = text.start - BELOW_LIBRARY - (uint64_t)i * 2 * SHADOW_CACHE_BYTES;
        if (!shadow_init(&t->shadows[i], &t->library, at, &chosen))
            return false;
        t->shadows[i].code_end = text.end;
    }
    return true;
}

static uint64_t option(int argc, char **argv, const char *name, uint64_t otherwise)
{
    for (int i = 1; i + 1 < argc; i++)
        if (strcmp(argv[i], name) == 0)
            return strtoull(argv[i + 1], NULL, 0);
    return otherwise;
}

int main(int argc, char **argv)
{
    static struct test t;
    struct random r = {random_seed(option(argc, argv, "--seed", 0))};
    uint64_t wanted = option(argc, argv, "--stops", 10000);
    t.buffer = malloc(BUFFER_BYTES);
    t.stack = malloc(STACK_BYTES);
    if (!t.buffer || !t.stack || !sandbox_init(&t.sandbox, SANDBOX_BASE, rrs_runtime_bases[0]) ||
        !make_shadows(&t, &r))
        return 1;
    while (t.stops < wanted) {
        uint32_t i = random_below(&r, CALLS);
        memset(&t.call, 0, sizeof t.call);
        t.call.function = calls[i].function;
        t.call.entry = function_address(calls[i].function);
        calls[i].make(&t.call, &r, t.buffer);
        check_call(&t, &r, 20);
    }
    printf("%u stops, %u failures, %u calls left out\n", t.stops, t.failures, t.left_out);
    return t.failures ? 1 : 0;
}
