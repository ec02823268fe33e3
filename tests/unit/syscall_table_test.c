/* SPDX-License-Identifier: MIT */
/*
 * Test that the table of system calls has a row for each number, none twice, that its rows are
 * those of the host's headers and of the list in the tree, and that they make sense.
 */
#include "engine/syscalls/table.h"
#include "tests/unit/test.h"

#include <asm/unistd_64.h>

/* A row given twice would be silent in an initializer; an enum of cases is not. */
static void no_number_twice(void)
{
    static const uint16_t numbers[] = {
#define CALL(number, ...) number,
#include "engine/syscalls/syscalls.def"
#undef CALL
    };
    bool seen[RRS_SYSCALLS_END] = {false};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        CHECK(numbers[i] < RRS_SYSCALLS_END && !seen[numbers[i]]);
        seen[numbers[i]] = true;
    }
}

static void every_number_has_a_row(void)
{
    for (int number = 0; number < RRS_SYSCALLS_END; number++) {
        const struct rrs_syscall_row *row = rrs_syscall_row(number);
        bool expected = number <= 335 || number >= 424;
        CHECK(!row == !expected);
        CHECK(!row || row->number == number);
    }
    CHECK(!rrs_syscall_row(-1) && !rrs_syscall_row(RRS_SYSCALLS_END) && !rrs_syscall_row(1 << 30));
}

/* The lines "#define __NR_name number" of the header, as the preprocessor sees them. */
static void names_are_the_headers(void)
{
    FILE *file = fopen(RRS_UNISTD_HEADER, "r");
    char line[256], name[128];
    int number, rows = 0;
    CHECK(file);
    while (fgets(line, sizeof line, file)) {
        if (sscanf(line, "#define __NR_%127s %d", name, &number) != 2)
            continue;
        const struct rrs_syscall_row *row = rrs_syscall_row(number);
        if (number >= RRS_SYSCALLS_END)
            continue;
        CHECK(row);
        CHECK_STRING(row->shape.name, name);
        rows++;
    }
    fclose(file);
    CHECK(rows >= 360);
}

static void names_are_the_lists(void)
{
    FILE *file = fopen(RRS_SOURCE_DIR "/engine/syscalls/numbers-x86_64.txt", "r");
    char line[256], name[128];
    int number, rows = 0;
    CHECK(file);
    while (fgets(line, sizeof line, file)) {
        if (sscanf(line, "%d %127s", &number, name) != 2)
            continue;
        CHECK(rrs_syscall_row(number));
        CHECK_STRING(rrs_syscall_row(number)->shape.name, name);
        CHECK(rrs_syscall_row_named(name) == rrs_syscall_row(number));
        rows++;
    }
    fclose(file);
    CHECK_EQUAL(rows, 375);
}

static void arguments_make_sense(void)
{
    for (int number = 0; number < RRS_SYSCALLS_END; number++) {
        const struct rrs_syscall_row *row = rrs_syscall_row(number);
        for (unsigned i = 0; row && i < row->shape.argument_count; i++) {
            const struct rrs_argument *argument = &row->shape.arguments[i];
            bool is_data = rrs_kind_bytes(argument->kind) != 0;
            CHECK(argument->kind < RRS_KIND_COUNT && argument->names < RRS_NAMES_COUNT);
            CHECK(is_data == (argument->direction != 0));
            CHECK(argument->count_argument < 6);
        }
        CHECK(!row || row->shape.argument_count <= 6);
        CHECK(!row || (row->shape.replay == RRS_REPLAY_REFUSE) == (row->shape.refuse_errno != 0));
    }
}

/* What the live engine takes for calls that cannot sleep: the two may not disagree. */
static void classes_agree(void)
{
    static const struct {
        int number;
        bool never;
    } classes[] = {
#define PASS(name)           {RRS_SYS_##name, true},
#define NEVER(name)          {RRS_SYS_##name, true},
#define HOOK(name, hook)     {RRS_SYS_##name, true},
#define VIRTUAL(name)        {RRS_SYS_##name, true},
#define OPEN(name, argument) {RRS_SYS_##name, false},
#define EVENT(name)          {RRS_SYS_##name, false},
#define EXEC(name)           {RRS_SYS_##name, false},
#define REFUSE(name)         {RRS_SYS_##name, false},
#include "engine/syscalls/classes.def"
    };
    for (size_t i = 0; i < sizeof classes / sizeof *classes; i++)
        if (classes[i].never)
            CHECK_EQUAL(rrs_syscall_row(classes[i].number)->blocks, RRS_BLOCKS_NEVER);
}

static void variants_are_found(void)
{
    uint64_t lock[6] = {3, 5, 0x1000}, winsize[6] = {0, 0xdead00005413, 0x1000};
    uint64_t dontneed[6] = {0x1000, 0x1000, 4}, wait_private[6] = {0x1000, 128 | 9};
    uint64_t quota[6] = {0x800007u << 8 | 1}, unknown[6] = {3, 12345};
    CHECK_STRING(rrs_syscall_shape(RRS_SYS_fcntl, lock)->name, "F_GETLK");
    CHECK_STRING(rrs_syscall_shape(RRS_SYS_ioctl, winsize)->name, "TIOCGWINSZ");
    CHECK_EQUAL(rrs_syscall_shape(RRS_SYS_madvise, dontneed)->replay, RRS_REPLAY_REEXECUTE);
    CHECK_STRING(rrs_syscall_shape(RRS_SYS_futex, wait_private)->name, "FUTEX_WAIT_BITSET");
    CHECK_STRING(rrs_syscall_shape(RRS_SYS_quotactl, quota)->name, "Q_GETQUOTA");
    CHECK_STRING(rrs_syscall_shape(RRS_SYS_fcntl, unknown)->name, "fcntl");
    CHECK(!rrs_syscall_variant(RRS_SYS_fcntl, unknown) && !rrs_syscall_variant(0, unknown));
    CHECK(!rrs_syscall_shape(400, unknown));
}

int main(void)
{
    no_number_twice();
    every_number_has_a_row();
    names_are_the_headers();
    names_are_the_lists();
    arguments_make_sense();
    classes_agree();
    variants_are_found();
    return 0;
}
