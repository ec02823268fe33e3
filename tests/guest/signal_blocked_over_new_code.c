/* SPDX-License-Identifier: MIT */
/* Test that SIGTRAP, SIGSEGV, SIGILL and SIGBUS stay blocked or ignored while code runs that never
 * ran before and changes. */
#include "tests/guest/guest.h"

#include <signal.h>
#include <stdint.h>
#include <sys/mman.h>

enum { FUNCTIONS = 300, FUNCTION_BYTES = 64, AREA_BYTES = FUNCTIONS * FUNCTION_BYTES };

static const int signals[] = {SIGTRAP, SIGSEGV, SIGILL, SIGBUS, SIGUSR1};
enum { SIGNALS = sizeof signals / sizeof signals[0] };

static void status_lines(char *text, size_t size)
{
    char line[256];
    FILE *status = fopen("/proc/self/status", "r");
    CHECK(status);
    text[0] = 0;
    while (fgets(line, sizeof line, status))
        if (!strncmp(line, "SigBlk", 6) || !strncmp(line, "SigIgn", 6) ||
            !strncmp(line, "SigCgt", 6))
            strncat(text, line, size - strlen(text) - 1);
    fclose(status);
}

/* mov $value, %eax; ret */
static void emit(unsigned char *code, uint32_t value)
{
    code[0] = 0xb8;
    memcpy(code + 1, &value, 4);
    code[5] = 0xc3;
}

/* Fresh functions through indirect calls (each a lookup that misses), then all rewritten in place.
 */
static uint64_t run_new_code(unsigned char *area, uint32_t first)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < FUNCTIONS; i++) {
        emit(area + i * FUNCTION_BYTES, first + i);
        uint32_t value = ((uint32_t(*)(void))(area + i * FUNCTION_BYTES))();
        CHECK_EQUAL(value, first + i);
        sum += value;
    }
    return sum;
}

static void check_blocked(void)
{
    sigset_t now;
    CHECK(!sigprocmask(SIG_SETMASK, NULL, &now));
    for (int i = 0; i < SIGNALS; i++)
        CHECK(sigismember(&now, signals[i]) == 1);
    CHECK(!sigismember(&now, SIGUSR2));
}

static void check_disposition(void (*expected)(int))
{
    struct sigaction now;
    for (int i = 0; i < SIGNALS; i++) {
        CHECK(!sigaction(signals[i], NULL, &now));
        CHECK(now.sa_handler == expected);
    }
}

static void on_signal(int signal_number)
{
    printf("unexpected signal %d\n", signal_number);
    _exit(3);
}

static void run(unsigned char *area, const char *title, void (*handler)(int), int how)
{
    char before[512], after[512];
    sigset_t set, none;
    sigemptyset(&set);
    sigemptyset(&none);
    for (int i = 0; i < SIGNALS; i++) {
        sigaddset(&set, signals[i]);
        struct sigaction action = {.sa_handler = handler};
        CHECK(!sigaction(signals[i], &action, NULL));
    }
    CHECK(!sigprocmask(how, &set, NULL));
    status_lines(before, sizeof before);
    static uint32_t first;
    uint64_t sum = 0;
    for (int round = 0; round < 3; round++, first += 1000)
        sum += run_new_code(area, first);
    status_lines(after, sizeof after);
    CHECK(!strcmp(before, after));
    if (how == SIG_BLOCK)
        check_blocked();
    check_disposition(handler);
    sigset_t pending;
    CHECK(!sigpending(&pending));
    for (int i = 0; i < SIGNALS; i++)
        CHECK(!sigismember(&pending, signals[i]));
    CHECK(!sigprocmask(SIG_SETMASK, &none, NULL));
    printf("%s: %llu\n", title, (unsigned long long)sum);
}

int main(void)
{
    unsigned char *area = mmap(NULL, AREA_BYTES, PROT_READ | PROT_WRITE | PROT_EXEC,
                               MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(area != MAP_FAILED);
    run(area, "blocked", on_signal, SIG_BLOCK);
    run(area, "ignored", SIG_IGN, SIG_UNBLOCK);
    run(area, "blocked and ignored", SIG_IGN, SIG_BLOCK);
    run(area, "blocked, default", SIG_DFL, SIG_BLOCK);
    run(area, "handled", on_signal, SIG_UNBLOCK);
    return 0;
}
