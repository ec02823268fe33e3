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
#include "engine/syscalls/table.h"
#include "tests/unit/syscall_stage.h"
#include "tests/unit/test.h"

#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/uio.h>
#include <sys/wait.h>

/* --- the rows --- */

enum { ANY = -1 };
enum argument_form { VALUE, REFERENCE, BUFFER, VECTOR, MESSAGES };

struct argument {
    enum argument_form form;
    uint64_t value;   /* or how many messages, or ranges */
    const void *data; /* what a buffer begins with */
    size_t data_bytes, bytes;
    uint32_t name_bytes, control_bytes;
};

struct test_case {
    const char *name;
    int number;
    int expected; /* 0: success; else the errno, or ANY */
    struct argument arguments[6];
};

#define V(number)                                  \
    {                                              \
        .form = VALUE, .value = (uint64_t)(number) \
    }
#define REF(name)                                \
    {                                            \
        .form = REFERENCE, .value = STAGE_##name \
    }
#define B(size)                       \
    {                                 \
        .form = BUFFER, .bytes = size \
    }
#define T(text)                                                                         \
    {                                                                                   \
        .form = BUFFER, .data = text, .data_bytes = sizeof(text), .bytes = sizeof(text) \
    }
#define AT_LEAST(size, ...)                                                                      \
    {                                                                                            \
        .form = BUFFER, .data = &(__VA_ARGS__), .data_bytes = sizeof(__VA_ARGS__), .bytes = size \
    }
#define S(...)      AT_LEAST(sizeof(__VA_ARGS__), __VA_ARGS__)
#define I32(number) S((uint32_t){number})
#define I64(number) S((uint64_t){number})
#define VEC(count, each)                              \
    {                                                 \
        .form = VECTOR, .value = count, .bytes = each \
    }
#define MSG(how_many, name, control, each)                                                 \
    {                                                                                      \
        .form = MESSAGES, .value = how_many, .name_bytes = name, .control_bytes = control, \
        .bytes = each                                                                      \
    }

static const struct test_case cases[] = {
#define CASE(name, number, expected, ...) {name, number, expected, {__VA_ARGS__}},
#include "tests/unit/syscall_outputs_cases.def"
};

/* --- memory handed over --- */

enum { PAGE = 4096, HANDED_MAX = 64, RANGES_MAX = 512 };

struct handed {
    uint8_t *start, *before; /* the memory, and a copy from before the call */
    size_t bytes;
};

struct trial {
    const struct test_case *test;
    uint8_t pattern;
    struct handed handed[HANDED_MAX];
    uint32_t handed_count;
    struct rrs_memory_range ranges[RANGES_MAX];
    uint32_t range_count;
};

static void fail(const struct trial *trial, const char *text, uint64_t a, uint64_t b)
{
    fprintf(stderr, "%s: %s (%#" PRIx64 ", %#" PRIx64 ")\n", trial->test->name, text, a, b);
    exit(1);
}

static uint8_t *hand_over(struct trial *trial, size_t bytes, const void *data, size_t data_bytes)
{
    size_t room = (bytes + PAGE - 1) / PAGE * PAGE + PAGE;
    uint8_t *memory = mmap(NULL, room, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(memory != MAP_FAILED && trial->handed_count < HANDED_MAX);
    CHECK(!mprotect(memory + room - PAGE, PAGE, PROT_NONE));
    uint8_t *start = memory + room - PAGE - bytes;
    memset(memory, trial->pattern, room - PAGE);
    if (data)
        memcpy(start, data, data_bytes);
    trial->handed[trial->handed_count++] = (struct handed){start, NULL, bytes};
    return start;
}

static struct iovec *hand_over_vector(struct trial *trial, uint64_t count, size_t each)
{
    struct iovec *vector = (void *)hand_over(trial, count * sizeof *vector, NULL, 0);
    for (uint64_t i = 0; i < count; i++)
        vector[i] = (struct iovec){hand_over(trial, each, NULL, 0), each};
    return vector;
}

static void *hand_over_messages(struct trial *trial, const struct argument *argument)
{
    bool one = trial->test->number == RRS_SYS_recvmsg;
    size_t stride = one ? sizeof(struct msghdr) : sizeof(struct mmsghdr);
    uint8_t *headers = hand_over(trial, argument->value * stride, NULL, 0);
    for (uint64_t i = 0; i < argument->value; i++) {
        struct msghdr header = {
            .msg_name =
                argument->name_bytes ? hand_over(trial, argument->name_bytes, NULL, 0) : NULL,
            .msg_namelen = argument->name_bytes,
            .msg_iov = hand_over_vector(trial, 2, argument->bytes),
            .msg_iovlen = 2,
            .msg_controllen = argument->control_bytes,
        };
        if (argument->control_bytes)
            header.msg_control = hand_over(trial, argument->control_bytes, NULL, 0);
        memcpy(headers + i * stride, &header, sizeof header);
    }
    return headers;
}

static uint64_t argument_value(struct trial *trial, const struct stage *stage,
                               const struct argument *argument)
{
    switch (argument->form) {
    case VALUE:
        return argument->value;
    case REFERENCE:
        return stage->values[argument->value];
    case BUFFER:
        return (uintptr_t)hand_over(trial, argument->bytes, argument->data, argument->data_bytes);
    case VECTOR:
        return (uintptr_t)hand_over_vector(trial, argument->value, argument->bytes);
    case MESSAGES:
        return (uintptr_t)hand_over_messages(trial, argument);
    }
    return 0;
}

/* --- what is compared --- */

static size_t read_own(void *context, rrs_addr addr, void *buffer, size_t bytes)
{
    struct iovec local = {buffer, bytes}, remote = {(void *)(uintptr_t)addr, bytes};
    (void)context;
    ssize_t done = process_vm_readv(getpid(), &local, 1, &remote, 1, 0);
    return done > 0 ? (size_t)done : 0;
}

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
            fail(trial, "range outside", range->addr, range->bytes);
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
                fail(trial, when, i, at);
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

static int64_t make_call(const struct rrs_syscall *call)
{
    const uint64_t *a = call->args;
    long result = syscall(call->number, a[0], a[1], a[2], a[3], a[4], a[5]);
    if (result == 0 && (call->number == RRS_SYS_clone || call->number == RRS_SYS_clone3))
        _exit(0);
    return result == -1 ? -errno : result;
}

static int run_trial(const struct test_case *test, uint8_t pattern, struct stage *stage)
{
    static struct trial trial;
    struct rrs_memory_reader memory = {read_own, NULL};
    struct rrs_syscall call = {.number = test->number};
    trial.test = test;
    trial.pattern = pattern;
    for (unsigned i = 0; i < 6; i++)
        call.args[i] = argument_value(&trial, stage, &test->arguments[i]);
    rrs_syscall_note_entry(&call, &memory);
    take_copies(&trial);
    struct trial entry = trial;
    CHECK_OK(rrs_syscall_outputs_at_entry(&call, &memory, keep_range, &entry));
    call.result = make_call(&call);
    if (not_here(call.result) && -call.result != test->expected)
        return NOT_HERE;
    if (test->expected != ANY && (call.result < 0 ? -call.result : 0) != test->expected)
        fail(&trial, "result", (uint64_t)call.result, (uint64_t)test->expected);
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
