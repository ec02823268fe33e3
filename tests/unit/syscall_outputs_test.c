/* SPDX-License-Identifier: MIT */
/*
 * Test that the memory which the kernel really writes in a call lies in the ranges that are
 * reported for it, after the call and before it, and that no range reaches out of what was handed
 * over.
 *
 * Each row of syscall_outputs_cases.def is made in a child of its own, twice, with buffers filled
 * with different patterns; each buffer ends where a page without access begins.
 */
#include "engine/syscalls/outputs.h"
#include "tests/unit/syscall_trial.h"
#include "tests/unit/test.h"

#include <sys/prctl.h>

/* --- the rows --- */

static const struct test_case cases[] = {
#define CASE(name, number, expected, ...) {name, number, expected, {__VA_ARGS__}},
#include "tests/unit/syscall_outputs_cases.def"
};

/* --- what is compared --- */

static struct rrs_error *keep_range(void *context, const struct rrs_memory_range *range)
{
    struct trial *trial = context;
    CHECK(range->bytes > 0 && trial->range_count < RANGES_MAX);
    trial->ranges[trial->range_count++] = *range;
    return NULL;
}

static bool is_reported(const struct trial *trial, rrs_addr addr)
{
    for (uint32_t i = 0; i < trial->range_count; i++)
        if (addr - trial->ranges[i].addr < trial->ranges[i].bytes)
            return true;
    return false;
}

static bool is_handed_over(const struct trial *trial, const struct rrs_memory_range *range)
{
    for (uint32_t i = 0; i < trial->handed_count; i++) {
        rrs_addr start = (uintptr_t)trial->handed[i].start;
        if (range->addr >= start && range->addr + range->bytes <= start + trial->handed[i].bytes)
            return true;
    }
    return false;
}

/* A length that is a lie leads out of the buffers. */
static void ranges_are_handed_over(const struct trial *trial)
{
    for (uint32_t i = 0; i < trial->range_count; i++) {
        const struct rrs_memory_range *range = &trial->ranges[i];
        if (range->certainty != RRS_RANGE_UNKNOWN && !strstr(trial->test->name, "hole") &&
            !is_handed_over(trial, range))
            trial_fail(trial, "range outside", range->addr, range->bytes);
    }
}

static uint32_t changes_are_reported(const struct trial *trial, const char *when)
{
    uint32_t changed = 0;
    for (uint32_t i = 0; i < trial->handed_count; i++) {
        const struct handed *handed = &trial->handed[i];
        for (size_t at = 0; at < handed->bytes; at++) {
            if (handed->start[at] == handed->before[at])
                continue;
            changed++;
            if (!is_reported(trial, (uintptr_t)handed->start + at))
                trial_fail(trial, when, i, at);
        }
    }
    return changed;
}

/* --- one trial --- */

enum { WROTE = 0, WROTE_NOTHING = 10, NOT_HERE = 11 };

static bool not_here(int64_t result)
{
    return result == -ENOSYS || result == -EPERM || result == -EOPNOTSUPP || result == -EACCES;
}

static void take_copies(struct trial *trial)
{
    for (uint32_t i = 0; i < trial->handed_count; i++) {
        struct handed *handed = &trial->handed[i];
        handed->before = malloc(handed->bytes);
        CHECK(handed->before);
        memcpy(handed->before, handed->start, handed->bytes);
    }
}

static int run_trial(const struct test_case *test, uint8_t pattern, struct stage *stage)
{
    static struct trial trial;
    struct rrs_memory_reader memory = {.read = trial_read_own};
    struct rrs_syscall call = {.number = test->number};
    trial.test = test;
    trial.pattern = pattern;
    for (unsigned i = 0; i < 6; i++)
        call.args[i] = trial_argument_value(&trial, stage, &test->arguments[i]);
    rrs_syscall_note_entry(&call, &memory);
    take_copies(&trial);
    struct trial entry = trial;
    CHECK_OK(rrs_syscall_outputs_at_entry(&call, &memory, keep_range, &entry));
    call.result = trial_make_call(&call);
    if (not_here(call.result) && -call.result != test->expected)
        return NOT_HERE;
    if (test->expected != ANY && (call.result < 0 ? -call.result : 0) != test->expected)
        trial_fail(&trial, "result", (uint64_t)call.result, (uint64_t)test->expected);
    CHECK_OK(rrs_syscall_outputs(&call, &memory, keep_range, &trial));
    ranges_are_handed_over(&trial);
    ranges_are_handed_over(&entry);
    changes_are_reported(&entry, "written, but not reported at entry");
    return changes_are_reported(&trial, "written, but not reported") ? WROTE : WROTE_NOTHING;
}

static int run_in_child(const struct test_case *test, uint8_t pattern)
{
    int status;
    fflush(stdout);
    pid_t child = fork();
    CHECK(child >= 0);
    if (!child) {
        struct stage stage;
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        stage_set(&stage);
        int result = run_trial(test, pattern, &stage);
        stage_strike(&stage);
        _exit(result);
    }
    CHECK(waitpid(child, &status, 0) == child);
    if (WIFEXITED(status))
        return WEXITSTATUS(status);
    fprintf(stderr, "%s: ended with status %#x\n", test->name, status);
    return 1;
}

int main(void)
{
    uint32_t wrote = 0, failed = 0, absent = 0;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int first = run_in_child(&cases[i], 0xa5), second = run_in_child(&cases[i], 0x5a);
        if (first == 1 || second == 1)
            failed++;
        else if (first == NOT_HERE)
            absent++;
        else if (first == WROTE || second == WROTE)
            wrote++;
        if (first == NOT_HERE || (first == WROTE_NOTHING && second == WROTE_NOTHING))
            printf("%s: %s\n", cases[i].name, first == NOT_HERE ? "not here" : "wrote nothing");
    }
    printf("%u calls wrote, %u are not possible here, %u failed\n", wrote, absent, failed);
    CHECK(!failed);
    CHECK(wrote >= 120);
    return 0;
}
