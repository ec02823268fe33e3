/* SPDX-License-Identifier: MIT */
/*
 * Calls as rows (syscall_*_cases.def), and making them: each argument that points to memory gets
 * memory of its own, which ends where a page without access begins.
 */
#ifndef RRS_TESTS_UNIT_SYSCALL_TRIAL_H
#define RRS_TESTS_UNIT_SYSCALL_TRIAL_H

#include "engine/syscalls/outputs.h"
#include "engine/syscalls/table.h"
#include "tests/unit/syscall_stage.h"

#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/uio.h>

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

static inline void trial_fail(const struct trial *trial, const char *text, uint64_t a, uint64_t b)
{
    fprintf(stderr, "%s: %s (%#" PRIx64 ", %#" PRIx64 ")\n", trial->test->name, text, a, b);
    exit(1);
}

static inline uint8_t *trial_hand_over(struct trial *trial, size_t bytes, const void *data,
                                       size_t data_bytes)
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

static inline struct iovec *trial_hand_over_vector(struct trial *trial, uint64_t count, size_t each)
{
    struct iovec *vector = (void *)trial_hand_over(trial, count * sizeof *vector, NULL, 0);
    for (uint64_t i = 0; i < count; i++)
        vector[i] = (struct iovec){trial_hand_over(trial, each, NULL, 0), each};
    return vector;
}

static inline void *trial_hand_over_messages(struct trial *trial, const struct argument *argument)
{
    bool one = trial->test->number == RRS_SYS_recvmsg;
    size_t stride = one ? sizeof(struct msghdr) : sizeof(struct mmsghdr);
    uint8_t *headers = trial_hand_over(trial, argument->value * stride, NULL, 0);
    for (uint64_t i = 0; i < argument->value; i++) {
        struct msghdr header = {
            .msg_name =
                argument->name_bytes ? trial_hand_over(trial, argument->name_bytes, NULL, 0) : NULL,
            .msg_namelen = argument->name_bytes,
            .msg_iov = trial_hand_over_vector(trial, 2, argument->bytes),
            .msg_iovlen = 2,
            .msg_controllen = argument->control_bytes,
        };
        if (argument->control_bytes)
            header.msg_control = trial_hand_over(trial, argument->control_bytes, NULL, 0);
        memcpy(headers + i * stride, &header, sizeof header);
    }
    return headers;
}

static inline uint64_t trial_argument_value(struct trial *trial, const struct stage *stage,
                                            const struct argument *argument)
{
    switch (argument->form) {
    case VALUE:
        return argument->value;
    case REFERENCE:
        return stage->values[argument->value];
    case BUFFER:
        return (uintptr_t)trial_hand_over(trial, argument->bytes, argument->data,
                                          argument->data_bytes);
    case VECTOR:
        return (uintptr_t)trial_hand_over_vector(trial, argument->value, argument->bytes);
    case MESSAGES:
        return (uintptr_t)trial_hand_over_messages(trial, argument);
    }
    return 0;
}

static inline size_t trial_read_own(void *context, rrs_addr addr, void *buffer, size_t bytes)
{
    struct iovec local = {buffer, bytes}, remote = {(void *)(uintptr_t)addr, bytes};
    (void)context;
    ssize_t done = process_vm_readv(getpid(), &local, 1, &remote, 1, 0);
    return done > 0 ? (size_t)done : 0;
}

static inline int64_t trial_make_call(const struct rrs_syscall *call)
{
    const uint64_t *a = call->args;
    long result = syscall(call->number, a[0], a[1], a[2], a[3], a[4], a[5]);
    if (result == 0 && (call->number == RRS_SYS_clone || call->number == RRS_SYS_clone3))
        _exit(0);
    return result == -1 ? -errno : result;
}

#endif
