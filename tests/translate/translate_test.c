/* SPDX-License-Identifier: MIT */
/*
 * Test that shadow code does what the CPU does: random programs (single instructions of every
 * class, and loops, calls and jumps between plain ones) from random machine states, natively and in
 * shadow code of differently formed blocks. Compared are registers, flags, x87 and vector state,
 * memory, where it ended and by which signal; the ticks retired, against single steps; and state
 * and PC of tick stops.
 *
 *   translate_test [--cases N] [--seed SEED [--program NUMBER]] [--high | --low]
 */
#include "tests/translate/generate.h"
#include "tests/translate/library_code.h"
#include "tests/translate/shadow.h"
#include "tests/translate/tick_oracle.h"

#include <signal.h>
#include <unistd.h>

/* Where the app code lies. No sum of two pointers into the low one falls into a runtime. */
static const uint64_t LOW_BASE = 0x34000000, HIGH_BASE = 0x155540000000;

enum {
    STATES = 8,
    SHADOWS = 9,
    FIRST_CHECKED = 7,
    CLASSES_MAX = 64,
    FAILURES_SHOWN = 20,
    FAILURES_SHOWN_OF_ROW = 1,
    ROWS_MAX = 512,
    MEMORY_BYTES = SANDBOX_DATA_BYTES + SANDBOX_STACK_BYTES,
    FLOW_PERCENT = 35,
    NEAR = 0x1000000, /* distances of code caches from the code */
    FAR_BELOW_2_GIB = 0x8000000,
    FAR = 0x70000000,
    OUT_OF_REACH = 0xc0000000, /* of the data by one displacement */
};

struct memory {
    uint8_t bytes[MEMORY_BYTES];
};

/* One state to start from, and what the CPU made of it. */
struct trial {
    struct machine_state start, native;
    struct memory before, after;
    struct run_end end;
    struct step steps[STEPS_MAX];
    int step_count; /* -1: not known */
    uint64_t ticks;
};

struct class_count {
    const char *name;
    uint32_t cases, failed, ticks, stops;
};

struct test {
    struct sandbox sandbox;
    struct shadow shadows[SHADOWS];
    struct program program;
    struct trial trials[STATES];
    struct class_count classes[CLASSES_MAX];
    uint32_t class_count, failures, shown, cases;
    uint32_t shown_of_row[ROWS_MAX], shown_of_flow;
    uint64_t seed, number;
    const struct row *row; /* NULL: a program with control flow */
    struct class_count *counted;
    const struct shadow *shadow;
};

/* --- memory --- */

static void save_memory(const struct sandbox *s, struct memory *memory)
{
    memcpy(memory->bytes, sandbox_memory(s, SANDBOX_DATA), SANDBOX_DATA_BYTES);
    memcpy(memory->bytes + SANDBOX_DATA_BYTES, sandbox_memory(s, SANDBOX_STACK),
           SANDBOX_STACK_BYTES);
}

static void load_memory(const struct sandbox *s, const struct memory *memory)
{
    memcpy(sandbox_memory(s, SANDBOX_DATA), memory->bytes, SANDBOX_DATA_BYTES);
    memcpy(sandbox_memory(s, SANDBOX_STACK), memory->bytes + SANDBOX_DATA_BYTES,
           SANDBOX_STACK_BYTES);
}

/* --- reports --- */

static const char *const register_names[16] = {"rax", "rcx", "rdx", "rbx", "rsp", "rbp",
                                               "rsi", "rdi", "r8",  "r9",  "r10", "r11",
                                               "r12", "r13", "r14", "r15"};

/* Says what case failed; false if enough has been said. */
static bool begin_failure(struct test *t, const struct trial *trial, const char *what)
{
    t->failures++;
    t->counted->failed++;
    uint32_t of_row = t->row ? t->shown_of_row[t->row - rows]++ : t->shown_of_flow++;
    if (of_row >= FAILURES_SHOWN_OF_ROW || t->shown++ >= FAILURES_SHOWN)
        return false;
    printf("FAILED: %s: %s\n  --seed %llu --program %llu (%s), state %d, %s\n  code at %#llx:",
           t->counted->name, what, (unsigned long long)t->seed, (unsigned long long)t->number,
           t->row ? t->row->pattern : "control flow", (int)(trial - t->trials), t->shadow->name,
           (unsigned long long)t->program.start);
    for (uint32_t i = 0; i < t->program.count; i++)
        printf(" %02x", t->program.bytes[i]);
    printf("\n  native: signal %d code %d address %#llx at %#llx after %llu ticks\n",
           trial->end.signal, trial->end.code, (unsigned long long)trial->end.address,
           (unsigned long long)trial->native.rip, (unsigned long long)trial->ticks);
    return true;
}

static void say_shadow(const struct machine_state *state, const struct shadow_end *end)
{
    static const char *const kinds[] = {"signal", "fetch", "tick", "exit", "lost"};
    printf("  shadow: %s, signal %d code %d address %#llx at %#llx after %llu ticks %s\n",
           kinds[end->kind], end->signal.signal, end->signal.code,
           (unsigned long long)end->signal.address, (unsigned long long)state->rip,
           (unsigned long long)end->ticks, end->lost ? end->lost : "");
}

static void say_numbers(const char *name, uint64_t native, uint64_t shadow)
{
    if (native != shadow)
        printf("  %s: native %#llx, shadow %#llx\n", name, (unsigned long long)native,
               (unsigned long long)shadow);
}

static void say_bytes(const char *name, const uint8_t *native, const uint8_t *shadow, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (native[i] != shadow[i]) {
            printf("  %s from byte %zu: native %02x, shadow %02x\n", name, i, native[i], shadow[i]);
            return;
        }
}

/* --- comparing --- */

static bool same_gprs(const uint64_t *a, const uint64_t *b)
{
    return memcmp(a, b, 16 * sizeof a[0]) == 0;
}

static void say_gprs(const uint64_t *native, const uint64_t *shadow)
{
    for (int i = 0; i < 16; i++)
        say_numbers(register_names[i], native[i], shadow[i]);
}

static uint64_t compared_flags(const struct test *t, const struct trial *trial, int step,
                               uint64_t app_pc)
{
    uint64_t valid = STATE_FLAGS;
    if (trial->step_count > 0)
        valid = oracle_valid_flags(t->shadow, trial->steps, step);
    return valid & ~shadow_dead_flags(t->shadow, app_pc);
}

/* An instruction without meaning may be refused before or after its last bytes are missed. */
static bool is_illegal_and_cut_off(const struct test *t, const struct trial *trial,
                                   const struct shadow_end *end)
{
    bool near_end = trial->native.rip + 15 > t->sandbox.base + SANDBOX_CODE_BYTES;
    bool native_illegal = trial->end.signal == SIGILL && end->kind == SHADOW_FETCH;
    bool shadow_illegal =
        trial->end.signal == SIGSEGV && end->kind == SHADOW_SIGNAL && end->signal.signal == SIGILL;
    return near_end && (native_illegal || shadow_illegal);
}

static bool same_end(const struct test *t, const struct trial *trial, const struct shadow_end *end,
                     uint64_t rip)
{
    if (trial->native.rip != rip)
        return false;
    if (is_illegal_and_cut_off(t, trial, end))
        return true;
    switch (end->kind) {
    case SHADOW_SIGNAL:
        return trial->end.signal == end->signal.signal && trial->end.code == end->signal.code &&
               trial->end.address == end->signal.address && trial->end.trap == end->signal.trap &&
               trial->end.error == end->signal.error;
    case SHADOW_FETCH:
        return trial->end.signal == SIGSEGV;
    case SHADOW_EXIT:
        return t->program.flags & ROW_EXIT;
    default:
        return false;
    }
}

static void compare_end(struct test *t, const struct trial *trial,
                        const struct machine_state *state, const struct shadow_end *end)
{
    struct memory after;
    save_memory(&t->sandbox, &after);
    uint64_t flags = compared_flags(t, trial, trial->step_count - 1, trial->native.rip);
    bool right_end = same_end(t, trial, end, state->rip);
    bool right_flags = (trial->native.flags & flags) == (state->flags & flags);
    bool right_ticks = trial->step_count <= 0 || trial->ticks == end->ticks;
    bool right_fp = memcmp(trial->native.fp, state->fp, t->sandbox.fp_bytes) == 0;
    bool right_memory = memcmp(&trial->after, &after, sizeof after) == 0;
    if (right_end && right_flags && right_ticks && right_fp && right_memory &&
        same_gprs(trial->native.gpr, state->gpr))
        return;
    const char *what = !right_end ? "another end" : !right_ticks ? "other ticks" : "another state";
    if (!begin_failure(t, trial, what))
        return;
    say_shadow(state, end);
    say_gprs(trial->native.gpr, state->gpr);
    say_numbers("flags", trial->native.flags & flags, state->flags & flags);
    say_bytes("x87 and vectors", trial->native.fp, state->fp, t->sandbox.fp_bytes);
    say_bytes("data and stack", trial->after.bytes, after.bytes, sizeof after);
}

/* A branch that this CPU cuts to 16 bits may be refused instead. */
static bool refused_by_right(const struct test *t, const struct shadow_end *end)
{
    return t->row && strcmp(t->row->class_name, "16-bit branch") == 0 && end->kind == SHADOW_EXIT &&
           end->exit.kind == RRS_EXIT_REFUSED;
}

/*
 * A call to what can be no address faults before it pushes; in shadow code it has pushed already,
 * and the place below the stack cannot be put back.
 */
static void forget_pushed(const struct test *t, const struct trial *trial,
                          const struct machine_state *state)
{
    uint64_t at = state->gpr[4] - 8 - (t->sandbox.base + SANDBOX_STACK);
    bool faulted =
        trial->end.code == SI_KERNEL && trial->end.trap == 13 && trial->native.rip == state->rip;
    if (faulted && at <= SANDBOX_STACK_BYTES - 8)
        memcpy(sandbox_memory(&t->sandbox, SANDBOX_STACK + at),
               trial->after.bytes + SANDBOX_DATA_BYTES + at, 8);
}

/* --- running --- */

/* Natively the hlt stands where the engine has to come in: it shows the state before. */
static void show_engines_insn(struct test *t, bool native)
{
    if (!(t->program.flags & ROW_EXIT))
        return;
    uint64_t at = t->program.start + t->program.exit_at - t->sandbox.base;
    if (at < SANDBOX_CODE_BYTES)
        t->sandbox.code[at] = native ? SANDBOX_HLT : t->program.bytes[t->program.exit_at];
}

static void clear_native_pointers(struct test *t, const struct trial *trial)
{
    if (t->program.flags & (ROW_ALONE | ROW_XSAVE))
        oracle_clear_pointers(t->shadows, &t->program, trial->steps, trial->step_count);
}

/* False if the program would run for long: one that has spoilt its own counter. */
static bool step_native(struct test *t, struct trial *trial, struct machine_state *stepped)
{
    struct run_end end;
    trial->step_count = -1;
    trial->ticks = 0;
    if (t->program.flags & ROW_NO_STEP)
        return true;
    trial->step_count = sandbox_step(&t->sandbox, &trial->start, stepped, &end, trial->steps);
    load_memory(&t->sandbox, &trial->before);
    if (trial->step_count > 0)
        trial->ticks = oracle_ticks(trial->steps, trial->step_count);
    return trial->step_count > 0;
}

/* The engine's memory is not there natively, and may hold anything in shadow code. */
static bool touched_engine(const struct test *t, const struct trial *trial)
{
    bool touched = trial->end.address - t->sandbox.runtime < RRS_RUNTIME_BYTES;
    for (int i = 0; i < SHADOWS; i++)
        touched |= trial->end.address - t->shadows[i].cache_address < SHADOW_CACHE_BYTES;
    return touched && trial->end.signal == SIGSEGV;
}

/* Two native runs may differ only if they met memory that is not the sandbox's. */
static bool is_repeatable(const struct trial *trial, const struct machine_state *stepped)
{
    return trial->step_count <= 0 ||
           (same_gprs(trial->native.gpr, stepped->gpr) && trial->native.flags == stepped->flags &&
            trial->native.rip == stepped->rip);
}

static bool met_sanitizer(const struct test *t, const struct trial *trial)
{
    struct step start = {.rip = trial->start.rip, .flags = trial->start.flags};
    memcpy(start.gpr, trial->start.gpr, sizeof start.gpr);
    return oracle_met_sanitizer(t->shadows, &start, 1) ||
           oracle_met_sanitizer(t->shadows, trial->steps, trial->step_count);
}

static bool run_native(struct test *t, struct trial *trial, struct random *r)
{
    generate_state(&t->program, &t->sandbox, r, &trial->start);
    save_memory(&t->sandbox, &trial->before);
    struct machine_state stepped;
    if (!step_native(t, trial, &stepped))
        return false;
    sandbox_run(&t->sandbox, &trial->start, &trial->native, &trial->end);
    clear_native_pointers(t, trial);
    save_memory(&t->sandbox, &trial->after);
    return !touched_engine(t, trial) && !met_sanitizer(t, trial) &&
           !oracle_reads_dead_flags(t->shadows, trial->steps, trial->step_count) &&
           is_repeatable(trial, &stepped);
}

static void run_whole(struct test *t, struct trial *trial, struct shadow *shadow)
{
    struct machine_state state = trial->start;
    struct shadow_end end;
    load_memory(&t->sandbox, &trial->before);
    t->shadow = shadow;
    shadow_run(shadow, &state, SHADOW_NO_TICKS, &end);
    t->cases++;
    t->counted->cases++;
    t->counted->ticks += (uint32_t)trial->ticks;
    forget_pushed(t, trial, &state);
    if (!refused_by_right(t, &end))
        compare_end(t, trial, &state, &end);
}

/* Stops at tick `stop`, compares, and goes on to the end. */
static void run_to_tick(struct test *t, struct trial *trial, struct shadow *shadow, uint64_t stop)
{
    struct machine_state state = trial->start;
    struct shadow_end end, rest;
    load_memory(&t->sandbox, &trial->before);
    t->shadow = shadow;
    shadow_run(shadow, &state, stop, &end);
    t->counted->stops++;
    if (refused_by_right(t, &end))
        return;
    int step = oracle_step_of_tick(trial->steps, trial->step_count, stop);
    const struct step *expected = &trial->steps[step];
    uint64_t flags = compared_flags(t, trial, step, expected->rip);
    if (end.kind == SHADOW_TICK && end.ticks == stop && state.rip == expected->rip &&
        same_gprs(expected->gpr, state.gpr) && (expected->flags & flags) == (state.flags & flags)) {
        state.flags &= ~shadow_dead_flags(shadow, state.rip);
        shadow_run(shadow, &state, SHADOW_NO_TICKS, &rest);
        rest.ticks += stop;
        forget_pushed(t, trial, &state);
        compare_end(t, trial, &state, &rest);
        return;
    }
    if (!begin_failure(t, trial, "another tick stop"))
        return;
    printf("  stop at %llu, expected at %#llx\n", (unsigned long long)stop,
           (unsigned long long)expected->rip);
    say_shadow(&state, &end);
    say_gprs(expected->gpr, state.gpr);
    say_numbers("flags", expected->flags & flags, state.flags & flags);
}

static void run_tick_stops(struct test *t, struct trial *trial, struct shadow *shadow,
                           struct random *r)
{
    for (int i = 0; i < 2 && trial->step_count > 0 && trial->ticks; i++)
        run_to_tick(t, trial, shadow, random_below(r, (uint32_t)trial->ticks));
}

static struct class_count *count_class(struct test *t, const char *name)
{
    for (uint32_t i = 0; i < t->class_count; i++)
        if (strcmp(t->classes[i].name, name) == 0)
            return &t->classes[i];
    t->classes[t->class_count].name = name;
    return &t->classes[t->class_count++];
}

static void place_program(struct test *t, struct random *r)
{
    const uint32_t slots = SANDBOX_CODE_BYTES / SLOT_BYTES - 1;
    uint64_t end = t->sandbox.base + SANDBOX_CODE_BYTES;
    bool at_edge = random_percent(r, 2);
    t->program.start = t->sandbox.base + (t->number % slots) * SLOT_BYTES + SLOT_START;
    if (at_edge) /* it may be cut off there */
        t->program.start = end - 1 - random_below(r, 24);
    if (t->row)
        generate_one(&t->program, &t->sandbox, r, t->row);
    else
        generate_flow(&t->program, &t->sandbox, r);
    program_place(&t->program, &t->sandbox);
    uint64_t slot = t->program.start - SLOT_START;
    for (int i = 0; i < SHADOWS; i++)
        shadow_drop(&t->shadows[i], slot, slot + SLOT_BYTES);
}

static void go_native(struct test *t, bool native)
{
    sandbox_native(&t->sandbox, native);
    for (int i = 0; i < SHADOWS; i++)
        shadow_hide(&t->shadows[i], native);
    show_engines_insn(t, native);
}

static void run_program(struct test *t, uint64_t number)
{
    struct random r = {t->seed * 0x2545f4914f6cdd1d + number};
    t->number = number;
    bool flow = random_percent(&r, FLOW_PERCENT);
    t->row = flow ? NULL : &rows[number % row_count];
    t->counted = count_class(t, flow ? "control flow" : t->row->class_name);
    place_program(t, &r);
    go_native(t, true);
    bool usable[STATES];
    for (int i = 0; i < STATES; i++)
        usable[i] = run_native(t, &t->trials[i], &r);
    go_native(t, false);
    generate_call_classes(&t->sandbox, &r);
    for (int turn = 0; turn < (flow ? 3 : 2); turn++) {
        struct shadow *shadow = &t->shadows[random_below(&r, SHADOWS)];
        for (int i = 0; i < STATES; i++) {
            if (!usable[i])
                continue;
            run_whole(t, &t->trials[i], shadow);
            run_tick_stops(t, &t->trials[i], shadow, &r);
        }
        shadow_forget_lookups(shadow);
    }
}

/* --- beginning and end --- */

static bool make_shadows(struct test *t, struct random *r)
{
    static const struct rrs_translate_options options[SHADOWS] = {
        {64, 200, 12, 0, 8}, {1, 200, 0, 0, 8},   {2, 200, 12, 0, 1},
        {3, 200, 0, 0, 3},   {7, 20, 12, 0, 8},   {64, 1, 0, 0, 8},
        {64, 200, 12, 1, 8}, {64, 200, 12, 0, 1}, {4, 200, 12, 1, 8},
    };
    for (uint32_t i = 0; i < SHADOWS; i++) {
        struct rrs_translate_options chosen = options[i];
        bool low = t->sandbox.base < 1ull << 32, below = !low && (i & 1);
        bool out_of_reach = !low && i % 3 == 1;
        uint64_t far = low ? FAR_BELOW_2_GIB : out_of_reach ? OUT_OF_REACH : FAR;
        uint64_t distance = !out_of_reach && random_percent(r, 40) ? NEAR : far;
        distance += i * (SHADOW_CACHE_BYTES * 2ull);
        if (chosen.cut_seed)
            chosen.cut_seed = random_next(r);
        uint64_t at = below ? t->sandbox.base - distance : t->sandbox.base + distance;
        if (!shadow_init(&t->shadows[i], &t->sandbox, at, &chosen))
            return false;
        t->shadows[i].use_direct = i != 2 && i != 5;
        t->shadows[i].use_l2 = i != 3 && i != 5;
        t->shadows[i].checked = i >= FIRST_CHECKED;
        t->shadows[i].cache.based = random_percent(r, 30);
        t->shadows[i].cache.base = t->sandbox.base;
    }
    return true;
}

static int report(const struct test *t)
{
    for (uint32_t i = 0; i < t->class_count; i++) {
        const struct class_count *c = &t->classes[i];
        printf("%-16s %7u cases %7u ticks %6u tick stops %5u failed\n", c->name, c->cases, c->ticks,
               c->stops, c->failed);
    }
    printf("%u cases, %u failures\n", t->cases, t->failures);
    fflush(stdout);
    return t->failures ? 1 : 0;
}

static uint64_t option(int argc, char **argv, const char *name, uint64_t otherwise)
{
    for (int i = 1; i + 1 < argc; i++)
        if (strcmp(argv[i], name) == 0)
            return strtoull(argv[i + 1], NULL, 0);
    return otherwise;
}

static bool has_option(int argc, char **argv, const char *name)
{
    for (int i = 1; i < argc; i++)
        if (strcmp(argv[i], name) == 0)
            return true;
    return false;
}

int main(int argc, char **argv)
{
    static struct test t;
    static struct plain_insn plain[4096];
    uint64_t cases = option(argc, argv, "--cases", 120000);
    uint64_t only = option(argc, argv, "--program", UINT64_MAX);
    t.seed = random_seed(option(argc, argv, "--seed", 0));
    struct random r = {t.seed};
    bool low = has_option(argc, argv, "--low") ||
               (!has_option(argc, argv, "--high") && random_percent(&r, 25));
    uint32_t runtime = rrs_runtime_bases[random_below(&r, RRS_RUNTIME_BASES)];
    printf("app code at %s, runtime at %#x\n", low ? "a low address" : "a high address", runtime);
    if (!sandbox_init(&t.sandbox, low ? LOW_BASE : HIGH_BASE, runtime) || !make_shadows(&t, &r))
        return 1;
    generate_use_plain(plain, library_plain_insns(t.shadows[0].translator.decoder, plain,
                                                  sizeof plain / sizeof plain[0], &r));
    for (uint64_t number = only == UINT64_MAX ? 0 : only; t.cases < cases; number++) {
        run_program(&t, number);
        if (only != UINT64_MAX)
            break;
    }
    return report(&t);
}
