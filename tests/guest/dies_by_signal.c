/* SPDX-License-Identifier: MIT */
/* Test that a program dies by the signal that its fault, its kill or its default action asks for.
 */
#include "tests/guest/guest.h"

#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/resource.h>

static volatile int *volatile nowhere = (volatile int *)8;
static volatile int zero;

static void null_store(void)
{
    *nowhere = 1;
}
static void null_call(void)
{
    ((void (*)(void))(uintptr_t)nowhere)();
}
static void wild_return(void)
{
    __asm__ volatile("movabs $0x4141414141414141, %%rax; push %%rax; ret" ::: "rax", "memory");
}
static void divide(void)
{
    printf("%d\n", (int)getpid() / zero);
}
static void illegal(void)
{
    __asm__ volatile("ud2");
}
static void breakpoint(void)
{
    __asm__ volatile("int3");
}
static void kill_self(void)
{
    kill(getpid(), SIGKILL);
}
static void terminate(void)
{
    raise(SIGTERM);
}
static void real_time(void)
{
    raise(SIGRTMIN);
}
static void bus(void)
{
    int file = memfd_create("empty", 0);
    volatile char *map = mmap(NULL, 4096, PROT_READ, MAP_SHARED, file, 0);
    CHECK(map[0] == 0);
}
static void privileged(void)
{
    __asm__ volatile("hlt");
}
static void blocked_fault(void)
{
    sigset_t set;
    sigfillset(&set);
    sigprocmask(SIG_SETMASK, &set, NULL);
    *nowhere = 1;
}
static void ignored_fault(void)
{
    signal(SIGSEGV, SIG_IGN);
    *nowhere = 1;
}
static void handler_faults(int signal_number)
{
    (void)signal_number;
    *nowhere = 1;
}
static void fault_in_handler(void)
{
    signal(SIGSEGV, handler_faults);
    *nowhere = 1;
}
static void no_room_for_frame(void)
{
    signal(SIGUSR1, handler_faults);
    long pid = getpid();
    __asm__ volatile(
        "mov %0, %%rdi; mov $10, %%esi; mov $62, %%eax; mov $64, %%esp; syscall; ud2" ::"r"(pid)
        : "memory");
}
static void *fault_in_thread(void *unused)
{
    *nowhere = 1;
    return unused;
}
static void thread_faults(void)
{
    pthread_t thread;
    pthread_create(&thread, NULL, fault_in_thread, NULL);
    pthread_join(thread, NULL);
}
static int recurse(int depth)
{
    volatile char frame[4096];
    frame[0] = (char)depth;
    if (depth > 1 << 24)
        return 0;
    return recurse(depth + 1) + frame[0];
}
static void overflow(void)
{
    struct rlimit limit;
    getrlimit(RLIMIT_STACK, &limit);
    limit.rlim_cur = 1 << 20;
    setrlimit(RLIMIT_STACK, &limit);
    printf("%d\n", recurse(0));
}
static void cpu_limit(void)
{
    struct rlimit limit = {.rlim_cur = 1, .rlim_max = 2};
    setrlimit(RLIMIT_CPU, &limit);
    for (;;)
        zero = 0;
}
static void pipe_without_reader(void)
{
    int fds[2];
    CHECK(!pipe(fds));
    close(fds[0]);
    CHECK(write(fds[1], "x", 1) == 1);
}
static void alarm_clock(void)
{
    ualarm(5000, 0);
    for (;;)
        pause();
}
static void alarm_spinning(void)
{
    ualarm(5000, 0);
    for (;;)
        zero = 0;
}

static const struct {
    const char *name;
    void (*act)(void);
} ways[] = {
    {"null_store", null_store},
    {"null_call", null_call},
    {"wild_return", wild_return},
    {"divide", divide},
    {"illegal", illegal},
    {"breakpoint", breakpoint},
    {"kill", kill_self},
    {"terminate", terminate},
    {"real_time", real_time},
    {"bus", bus},
    {"privileged", privileged},
    {"abort", abort},
    {"blocked_fault", blocked_fault},
    {"ignored_fault", ignored_fault},
    {"fault_in_handler", fault_in_handler},
    {"no_room_for_frame", no_room_for_frame},
    {"thread_faults", thread_faults},
    {"overflow", overflow},
    {"cpu_limit", cpu_limit},
    {"pipe", pipe_without_reader},
    {"alarm", alarm_clock},
    {"alarm_spinning", alarm_spinning},
};

int main(int argc, char **argv)
{
    CHECK(argc == 2);
    struct rlimit no_core = {0, 0};
    setrlimit(RLIMIT_CORE, &no_core);
    printf("about to: %s\n", argv[1]);
    fflush(stdout);
    for (unsigned i = 0; i < sizeof ways / sizeof ways[0]; i++)
        if (!strcmp(ways[i].name, argv[1]))
            ways[i].act();
    puts("still alive");
    return 1;
}
