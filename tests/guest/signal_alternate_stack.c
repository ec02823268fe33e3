/* SPDX-License-Identifier: MIT */
/* Test that handlers run on the alternate stack, also after a stack overflow, and that sigaltstack
 * reports it. */
#include "tests/guest/guest.h"

#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/resource.h>

enum { ALTERNATE_BYTES = 65536 };

static char *alternate;
static sigjmp_buf out;
static volatile int on_alternate, flags_inside, change_error, overflows;

static int is_alternate(const void *place)
{
    return (uintptr_t)place - (uintptr_t)alternate < ALTERNATE_BYTES;
}

static void on_usr1(int signal_number)
{
    (void)signal_number;
    char here;
    stack_t now;
    CHECK(!sigaltstack(NULL, &now));
    on_alternate = is_alternate(&here);
    flags_inside = now.ss_flags;
    stack_t other = {.ss_flags = SS_DISABLE};
    change_error = sigaltstack(&other, NULL) ? errno : 0;
}

static void on_overflow(int signal_number)
{
    (void)signal_number;
    char here;
    CHECK(is_alternate(&here));
    overflows++;
    siglongjmp(out, 1);
}

__attribute__((noinline)) static int recurse(int depth)
{
    volatile char frame[512];
    frame[0] = (char)depth;
    frame[511] = (char)depth;
    if (depth > 1 << 20)
        return 0;
    return recurse(depth + 1) + frame[0] + frame[511];
}

static void install(int signal_number, void (*handler)(int), int flags)
{
    struct sigaction action = {.sa_handler = handler, .sa_flags = flags};
    CHECK(!sigaction(signal_number, &action, NULL));
}

int main(void)
{
    struct rlimit limit;
    CHECK(!getrlimit(RLIMIT_STACK, &limit));
    limit.rlim_cur = 512 * 1024;
    CHECK(!setrlimit(RLIMIT_STACK, &limit));
    alternate =
        mmap(NULL, ALTERNATE_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(alternate != MAP_FAILED);
    stack_t stack = {.ss_sp = alternate, .ss_size = ALTERNATE_BYTES}, old;
    CHECK(!sigaltstack(&stack, &old));
    CHECK_EQUAL(old.ss_flags, SS_DISABLE);

    install(SIGUSR1, on_usr1, SA_ONSTACK);
    raise(SIGUSR1);
    CHECK(on_alternate);
    CHECK_EQUAL(flags_inside, SS_ONSTACK);
    CHECK_EQUAL(change_error, EPERM);
    install(SIGUSR1, on_usr1, 0);
    raise(SIGUSR1);
    CHECK(!on_alternate);
    CHECK_EQUAL(flags_inside, 0);
    CHECK_EQUAL(change_error, 0);
    CHECK(!sigaltstack(NULL, &old)); /* sigreturn takes the stack from the frame: back as it was */
    CHECK_EQUAL(old.ss_flags, 0);
    CHECK(old.ss_sp == alternate);

    stack.ss_flags = (int)(1u << 31); /* SS_AUTODISARM */
    CHECK(!sigaltstack(&stack, NULL));
    install(SIGUSR1, on_usr1, SA_ONSTACK);
    raise(SIGUSR1);
    CHECK(on_alternate);
    CHECK_EQUAL(flags_inside, SS_DISABLE);
    stack.ss_flags = 0;
    CHECK(!sigaltstack(&stack, NULL));

    install(SIGSEGV, on_overflow, SA_ONSTACK);
    for (int i = 0; i < 3; i++)
        if (!sigsetjmp(out, 1))
            recurse(0);
    CHECK_EQUAL(overflows, 3);
    puts("alternate stack used");
    return 0;
}
