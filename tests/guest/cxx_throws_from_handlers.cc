/* SPDX-License-Identifier: MIT */
/* Test that exceptions thrown in signal handlers unwind through the frame into the code that
 * faulted. */
#include "tests/guest/guest.h"

#include <csignal>
#include <stdexcept>

static int destroyed;
struct Counted {
    ~Counted()
    {
        destroyed++;
    }
};

struct Fault {
    int signal_number;
    void *address;
};

static void on_fault(int signal_number, siginfo_t *info, void *)
{
    Counted counted;
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, signal_number);
    sigprocmask(SIG_UNBLOCK, &set, nullptr);
    throw Fault{signal_number, info->si_addr};
}

static volatile int zero, result;
static int *volatile nowhere = reinterpret_cast<int *>(0x123);

__attribute__((noinline)) static int fault(int kind, int depth)
{
    Counted counted;
    if (depth)
        return fault(kind, depth - 1) + 1;
    return kind ? kind / zero : *nowhere;
}

/* Thrown and caught inside a handler, while the interrupted code is in the middle of its own throw.
 */
static int handled;
static void on_usr1(int)
{
    try {
        Counted counted;
        throw std::runtime_error("inside");
    } catch (const std::exception &) {
        handled++;
    }
}

int main()
{
    struct sigaction action = {};
    action.sa_sigaction = on_fault;
    action.sa_flags = SA_SIGINFO;
    CHECK(!sigaction(SIGSEGV, &action, nullptr) && !sigaction(SIGFPE, &action, nullptr));
    for (int i = 0; i < 60; i++) {
        try {
            result = fault(i % 2, i % 10);
            CHECK(!"no fault");
        } catch (const Fault &seen) {
            CHECK_EQUAL(seen.signal_number, i % 2 ? SIGFPE : SIGSEGV);
            if (i % 2 == 0)
                CHECK(seen.address == reinterpret_cast<void *>(0x123));
        }
    }
    /* Per fault: the frames of fault() and the handler's own object. */
    CHECK_EQUAL(destroyed, 60 + 60 * 11 / 2);
    std::signal(SIGUSR1, on_usr1);
    for (int i = 0; i < 30; i++) {
        try {
            Counted counted;
            raise(SIGUSR1);
            throw i;
        } catch (int number) {
            raise(SIGUSR1);
            CHECK_EQUAL(number, i);
        }
    }
    CHECK_EQUAL(handled, 60);
    printf("%d destroyed\n", destroyed);
    return 0;
}
