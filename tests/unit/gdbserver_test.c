/* SPDX-License-Identifier: MIT */
/* Test that gdb's bytecode, arguments, signal numbers and registers are what gdb means by them. */
#include "gdbserver/agent_expression.h"
#include "gdbserver/arguments.h"
#include "gdbserver/registers.h"
#include "gdbserver/signals.h"
#include "lmdb-store/bytes.h"

#undef NDEBUG
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- bytecode --- */

static bool read_memory(void *context, uint64_t address, void *to, size_t bytes)
{
    static const uint8_t memory[16] = {0xf0, 0xf1, 0xf2, 0xf3, 0xf4, 0xf5, 0xf6, 0xf7, 2};
    (void)context;
    if (address < 0x1000 || address + bytes > 0x1000 + sizeof memory)
        return false;
    memcpy(to, memory + (address - 0x1000), bytes);
    return true;
}

static bool read_register(void *context, unsigned number, uint64_t *value)
{
    (void)context;
    *value = number == 6 ? 0x1010 : 5;
    return number < 100;
}

static const struct agent_machine machine = {read_memory, read_register, NULL};

/* X(what, result, bytecode...); a result of FAILS means that it cannot be evaluated. */
#define FAILS 0xfa115
#define EXPRESSIONS(X)                                                                            \
    X("3 + 4", 7, 0x22, 3, 0x22, 4, 0x02, 0x27)                                                   \
    X("3 - 4", UINT64_MAX, 0x22, 3, 0x22, 4, 0x03, 0x27)                                          \
    X("-7 / 2", (uint64_t)-3, 0x22, 0xf9, 0x16, 8, 0x22, 2, 0x05, 0x27)                           \
    X("7 / 0", FAILS, 0x22, 7, 0x22, 0, 0x05, 0x27)                                               \
    X("-8 >> 1", (uint64_t)-4, 0x22, 0xf8, 0x16, 8, 0x22, 1, 0x0a, 0x27)                          \
    X("1 << 70", 0, 0x22, 1, 0x22, 70, 0x09, 0x27)                                                \
    X("-1 < 0", 1, 0x22, 0xff, 0x16, 8, 0x22, 0, 0x14, 0x27)                                      \
    X("-1 <u 0", 0, 0x22, 0xff, 0x16, 8, 0x22, 0, 0x15, 0x27)                                     \
    X("const64", 0x0102030405060708, 0x25, 1, 2, 3, 4, 5, 6, 7, 8, 0x27)                          \
    X("ref32", 0xf3f2f1f0, 0x23, 0x10, 0x00, 0x19, 0x27)                                          \
    X("no memory", FAILS, 0x23, 0x20, 0x00, 0x19, 0x27)                                           \
    X("swap", 1, 0x22, 3, 0x22, 4, 0x2b, 0x03, 0x27)                                              \
    X("pick", 9, 0x22, 9, 0x22, 1, 0x22, 2, 0x32, 2, 0x27)                                        \
    X("rot: 1 2 3 to 3 1 2", 2, 0x22, 1, 0x22, 2, 0x22, 3, 0x33, 0x27)                            \
    X("if_goto", 8, 0x22, 1, 0x20, 0, 8, 0x22, 7, 0x27, 0x22, 8, 0x27)                            \
    X("i == 2 of gdb 13", 1, 0x26, 0, 6, 0x22, 0x10, 0x02, 0x22, 0xe8, 0x16, 8, 0x02, 0x19, 0x16, \
      0x20, 0x22, 2, 0x16, 0x20, 0x13, 0x27)                                                      \
    X("no end", FAILS, 0x21, 0, 0)                                                                \
    X("jump out", FAILS, 0x21, 9, 9)                                                              \
    X("empty stack", FAILS, 0x02, 0x27)                                                           \
    X("unknown", FAILS, 0x22, 1, 0xff, 0x27)                                                      \
    X("cut off", FAILS, 0x25, 1, 2)

static void evaluate(const char *what, uint64_t expected, const uint8_t *code, size_t size)
{
    uint64_t result;
    bool could = agent_evaluate(&machine, code, size, &result);
    if (could != (expected != FAILS) || (could && result != expected)) {
        fprintf(stderr, "%s: %d, %#llx\n", what, could, could ? (unsigned long long)result : 0);
        abort();
    }
}

static void test_bytecode(void)
{
#define X(what, expected, ...)                       \
    {                                                \
        const uint8_t code[] = {__VA_ARGS__};        \
        evaluate(what, expected, code, sizeof code); \
    }
    EXPRESSIONS(X)
#undef X
}

/* --- arguments --- */

static bool parse(const char *schema, const char *text, struct arguments *arguments)
{
    return arguments_parse(schema, (const uint8_t *)text, strlen(text), arguments);
}

static void test_arguments(void)
{
    struct arguments a;
    assert(parse("x,x:h", "10,2:4142", &a) && a.at[0].number == 16 && a.at[2].size == 2 &&
           memcmp(a.at[2].data, "AB", 3) == 0);
    arguments_deinit(&a);
    assert(parse("x,x,x?;b", "0,1,1", &a) && a.count == 3);
    arguments_deinit(&a);
    assert(parse("x,x,x?;b", "0,1,1;X3", &a) && a.count == 4 && a.at[3].size == 2);
    arguments_deinit(&a);
    static const char *const wrong[][2] = {
        {"x", ""}, {"x", "g"},   {"x", "1g"}, {"h", "414"},      {"x,x", "1"},
        {"", "x"}, {"t", "p1."}, {"t", "pz"}, {"t", "80000000"}, {"x", "11111111111111111"}};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        assert(!parse(wrong[i][0], wrong[i][1], &a));
        arguments_deinit(&a);
    }
    static const struct {
        const char *text;
        bool has_pid;
        int64_t pid, tid;
    } threads[] = {{"0", false, 0, 0},       {"-1", false, 0, -1}, {"1f", false, 0, 31},
                   {"p1.2", true, 1, 2},     {"p1", true, 1, -1},  {"p1.-1", true, 1, -1},
                   {"p-1.-1", true, -1, -1}, {"p0.0", true, 0, 0}};
    for (size_t i = 0; i < sizeof threads / sizeof threads[0]; i++) {
        assert(parse("t", threads[i].text, &a));
        assert(a.at[0].thread.has_pid == threads[i].has_pid);
        assert(a.at[0].thread.pid == threads[i].pid && a.at[0].thread.tid == threads[i].tid);
        arguments_deinit(&a);
    }
}

/* --- signals --- */

static void test_signals(void)
{
    static const int pairs[][2] = {{1, 1},    {11, 11},  {7, 10},   {10, 30},   {17, 20}, {19, 17},
                                   {16, 143}, {32, 77},  {33, 45},  {34, 46},   {63, 75}, {64, 78},
                                   {0, 143},  {-1, 143}, {65, 143}, {1000, 143}};
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++)
        assert(gdb_signal(pairs[i][0]) == pairs[i][1]);
}

/* --- registers --- */

/* A layout that no CPUID has to give: that of an Intel CPU with everything. */
static const struct register_layout everything = {
    .known = true,
    .xcr0 = 0x2e7,
    .offsets = {[2] = 576, [5] = 1088, [6] = 1152, [7] = 1664, [9] = 2688},
    .sizes = {[2] = 256, [5] = 64, [6] = 512, [7] = 1024, [9] = 8},
};

static unsigned number_of(const char *name)
{
    for (unsigned i = 0; i < REGISTER_COUNT; i++)
        if (strcmp(register_rows[i].name, name) == 0)
            return i;
    abort();
}

static void test_numbers(void)
{
    static const struct {
        const char *name;
        unsigned number, bytes;
    } known[] = {{"rax", 0, 8},      {"rip", 16, 8},     {"eflags", 17, 4},   {"st0", 24, 10},
                 {"fctrl", 32, 4},   {"xmm0", 40, 16},   {"mxcsr", 56, 4},    {"orig_rax", 57, 8},
                 {"fs_base", 58, 8}, {"ymm0h", 60, 16},  {"xmm16", 76, 16},   {"ymm16h", 92, 16},
                 {"k0", 108, 8},     {"zmm0h", 116, 32}, {"zmm16h", 132, 32}, {"pkru", 148, 4}};
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        assert(number_of(known[i].name) == known[i].number);
        assert(register_bytes(known[i].number) == known[i].bytes);
    }
    assert(REGISTER_COUNT == 149);
}

/* Every register is written with bytes of its own and read back; none shares a byte with another.
 */
static void test_registers_round_trip(void)
{
    struct register_values *values = calloc(1, sizeof *values);
    uint8_t value[REGISTER_MAX_BYTES], back[REGISTER_MAX_BYTES];
    assert(values);
    values->xstate_bytes = 2696;
    for (unsigned i = 0; i < REGISTER_COUNT; i++) {
        memset(value, (int)(i + 1), sizeof value);
        assert(register_set(&everything, values, i, value));
    }
    for (unsigned i = 0; i < REGISTER_COUNT; i++) {
        if (i >= number_of("fctrl") && i <= number_of("fop"))
            continue; /* two bytes of four, and the tags */
        memset(value, (int)(i + 1), sizeof value);
        assert(register_get(&everything, values, i, back));
        assert(memcmp(value, back, register_bytes(i)) == 0);
    }
    rrs_store_le32(values->xstate + 2688, 0x55555554);
    assert(register_get(&everything, values, number_of("pkru"), back));
    assert(rrs_load_le32(back) == 0x55555554);
    free(values);
}

static void test_tags(void)
{
    struct register_values *values = calloc(1, sizeof *values);
    uint8_t tags[REGISTER_MAX_BYTES];
    assert(values);
    values->xstate_bytes = 2696;
    values->xstate[3] = 7 << 3; /* top of stack: physical register 7 is st0 */
    values->xstate[4] = 0x80;   /* in use */
    assert(register_get(&everything, values, number_of("ftag"), tags));
    assert(rrs_load_le32(tags) == 0x7fff); /* zero */
    rrs_store_le64(values->xstate + 32, 1ULL << 63);
    values->xstate[41] = 0x3f; /* 1.0 or so */
    assert(register_get(&everything, values, number_of("ftag"), tags));
    assert(rrs_load_le32(tags) == 0x3fff); /* valid */
    free(values);
}

static bool describes(const struct register_layout *layout, const char *text)
{
    struct buffer xml = {0};
    target_xml_write(layout, &xml);
    buffer_add_byte(&xml, 0);
    bool found = strstr((const char *)xml.data, text) != NULL;
    buffer_deinit(&xml);
    return found;
}

/* Features follow XCR0; what the image is too short for is not there. */
static void test_features(void)
{
    struct register_layout plain;
    uint8_t image[576] = {0};
    register_layout_init(&plain, image, sizeof image);
    assert(plain.known && !register_exists(&plain, number_of("ymm0h")));
    assert(register_exists(&plain, number_of("gs_base")));
    assert(!register_exists(&plain, REGISTER_COUNT));
    assert(!describes(&plain, "avx") && describes(&plain, "org.gnu.gdb.i386.segments"));
    assert(describes(&everything, "org.gnu.gdb.i386.pkeys") &&
           describes(&everything, "name=\"pkru\" bitsize=\"32\" type=\"uint32\" regnum=\"148\""));
    image[464] = 0xff;
    register_layout_init(&plain, image, sizeof image);
    assert(!register_exists(&plain, number_of("zmm0h")));
}

int main(void)
{
    test_bytecode();
    test_arguments();
    test_signals();
    test_numbers();
    test_registers_round_trip();
    test_tags();
    test_features();
    return 0;
}
