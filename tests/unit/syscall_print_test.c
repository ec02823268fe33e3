/* SPDX-License-Identifier: MIT */
/*
 * Test that calls are printed as strace prints them. The program makes the calls of the tables
 * under strace, prints each by itself, and its parent compares that with strace's log. In the log,
 * each is behind a close() of a negative number that says which.
 */
#include "engine/syscalls/print.h"
#include "tests/unit/syscall_trial.h"

#include <sys/prctl.h>

static const struct test_case cases[] = {
#define CASE(name, number, expected, ...) {name, number, expected, {__VA_ARGS__}},
#include "tests/unit/syscall_outputs_cases.def"
#include "tests/unit/syscall_print_cases.def"
};

/* Calls that are shown in another way, each for a reason. */
static const char *const differences[] = {
#define DIFFERS(name) name,
#include "tests/unit/syscall_print_differs.def"
};

enum {
    CASES = sizeof cases / sizeof *cases,
    LINE_BYTES = 8192,
    FIRST_MARK = 1000, /* case i is behind close(-FIRST_MARK - i) */
    ENOUGH = 80,       /* lines that must be equal */
};

/* --- under strace --- */

/* A wait that a signal ends is shown by strace as the kernel sees it: ERESTARTSYS. */
static bool is_left_out(const struct test_case *test)
{
    return test->expected == EINTR || test->number == RRS_SYS_clone;
}

static void print_call(struct trial *trial, const struct stage *stage, FILE *out, int index)
{
    static char line[LINE_BYTES];
    struct rrs_memory_reader memory = {.read = trial_read_own};
    struct rrs_syscall call = {.number = cases[index].number};
    memset(trial, 0, sizeof *trial);
    trial->test = &cases[index];
    for (unsigned i = 0; i < 6; i++)
        call.args[i] = trial_argument_value(trial, stage, &cases[index].arguments[i]);
    rrs_syscall_note_entry(&call, &memory);
    close(-FIRST_MARK - index);
    call.result = trial_make_call(&call);
    rrs_syscall_print(&call, &memory, NULL, line, sizeof line);
    fprintf(out, "%d %s\n", index, line);
}

static _Noreturn void make_calls(const char *path)
{
    static struct trial trial;
    FILE *out = fopen(path, "w");
    CHECK(out);
    for (int i = 0; i < CASES; i++) {
        struct stage stage;
        fflush(out);
        pid_t child = is_left_out(&cases[i]) ? -1 : fork();
        if (!child) {
            prctl(PR_SET_PDEATHSIG, SIGKILL);
            stage_set(&stage);
            print_call(&trial, &stage, out, i);
            fflush(out);
            stage_strike(&stage);
            _exit(0);
        }
        if (child > 0)
            waitpid(child, NULL, 0);
    }
    fclose(out);
    _exit(0); /* a leak checker cannot run under strace */
}

/* --- comparing --- */

static void read_log(const char *path, char *lines[CASES])
{
    static char line[LINE_BYTES * 4];
    int index = -1;
    FILE *log = fopen(path, "r");
    CHECK(log);
    while (fgets(line, sizeof line, log)) {
        line[strcspn(line, "\n")] = 0;
        int mark, at = 0;
        sscanf(line, "%*d %n", &at); /* the process */
        if (sscanf(line + at, "close(-%d", &mark) == 1 && mark >= FIRST_MARK) {
            index = mark - FIRST_MARK;
        } else if (strncmp(line + at, "rt_sigreturn", 12) == 0) {
            continue; /* a timer's signal came in front of the call */
        } else if (strstr(line + at, "<unfinished ...>")) {
            index = -1; /* strace has cut it in two: another process came between */
        } else if (index >= 0 && line[at] != '-') {
            lines[index] = strdup(line + at);
            index = -1;
        }
    }
    fclose(log);
}

/* strace aligns "= result" to a column. */
static void drop_padding(char *line)
{
    char *end = strstr(line, "  = "), *from;
    while (end && (from = strstr(end + 1, "  = ")))
        end = from;
    if (!end)
        return;
    from = end;
    while (*from == ' ')
        from++;
    while (end > line && end[-1] == ' ')
        end--;
    memmove(end + 1, from, strlen(from) + 1);
}

static bool may_differ(const char *name)
{
    for (size_t i = 0; i < sizeof differences / sizeof *differences; i++)
        if (strcmp(differences[i], name) == 0)
            return true;
    return false;
}

static uint32_t compare(const char *path, char *lines[CASES], uint32_t *different)
{
    static char line[LINE_BYTES + 64];
    uint32_t equal = 0;
    FILE *own = fopen(path, "r");
    CHECK(own);
    while (fgets(line, sizeof line, own)) {
        int index = -1, at = 0;
        line[strcspn(line, "\n")] = 0;
        if (sscanf(line, "%d %n", &index, &at) != 1 || index >= CASES || !lines[index])
            continue;
        drop_padding(lines[index]);
        bool same = strcmp(line + at, lines[index]) == 0;
        equal += same;
        if (same || may_differ(cases[index].name))
            continue;
        ++*different;
        printf("%s:\n  ours   %s\n  strace %s\n", cases[index].name, line + at, lines[index]);
    }
    fclose(own);
    return equal;
}

/* --- without strace --- */

static size_t read_nothing(void *context, rrs_addr addr, void *buffer, size_t bytes)
{
    (void)context, (void)addr, (void)buffer, (void)bytes;
    return 0;
}

static uint64_t random_number(uint64_t *state)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return *state >> (*state >> 58);
}

/* Memory in which any address has something. */
static size_t read_anything(void *context, rrs_addr addr, void *buffer, size_t bytes)
{
    uint8_t *to = buffer;
    (void)addr;
    for (size_t i = 0; i < bytes; i++)
        to[i] = (uint8_t)random_number(context);
    return bytes;
}

static void options_are_obeyed(void)
{
    static const char text[] = "0123456789";
    char line[128], small[8];
    struct rrs_memory_reader own = {.read = trial_read_own}, nothing = {.read = read_nothing};
    struct rrs_print_options few = {.max_string = 3}, entry = {.at_entry = true};
    struct rrs_syscall call = {
        .number = RRS_SYS_write, .args = {1, (uintptr_t)text, 10}, .result = 10};
    rrs_syscall_print(&call, &own, &few, line, sizeof line);
    CHECK_STRING(line, "write(1, \"012\"..., 10) = 10");
    CHECK_EQUAL(rrs_syscall_print(&call, &own, &few, small, sizeof small), strlen(line));
    CHECK_STRING(small, "write(1");
    CHECK_EQUAL(rrs_syscall_print(&call, &own, &few, NULL, 0), strlen(line));
    rrs_syscall_print(&call, &own, &entry, line, sizeof line);
    CHECK_STRING(line, "write(1, \"0123456789\", 10)");
    call.args[1] = 0x1000;
    rrs_syscall_print(&call, &nothing, NULL, line, sizeof line);
    CHECK_STRING(line, "write(1, 0x1000, 10) = 10");
    call.number = RRS_SYS_read;
    rrs_syscall_print(&call, &own, &entry, line, sizeof line);
    CHECK_STRING(line, "read(1, 0x1000, 10)");
}

static void signals_are_printed(void)
{
    char line[256];
    siginfo_t info = {.si_signo = SIGSEGV, .si_code = SEGV_MAPERR};
    info.si_addr = (void *)(uintptr_t)0x40;
    rrs_siginfo_print(&info, line, sizeof line);
    CHECK_STRING(line, "{si_signo=SIGSEGV, si_code=SEGV_MAPERR, si_addr=0x40}");
    CHECK_EQUAL(rrs_siginfo_print(&info, NULL, 0), strlen(line));
}

static struct rrs_error *ignore_range(void *context, const struct rrs_memory_range *range)
{
    (void)context;
    CHECK(range->bytes && range->addr + range->bytes - 1 >= range->addr);
    return NULL;
}

/* A trace may come from a stranger. */
static void anything_is_printed(void)
{
    enum { ROUNDS = 40 };
    static char line[LINE_BYTES];
    uint64_t seed = (uint64_t)time(NULL);
    printf("seed %" PRIu64 "\n", seed);
    struct rrs_memory_reader memory = {.read = read_anything, .context = &seed};
    for (int i = 0; i < RRS_SYSCALLS_END * ROUNDS; i++) {
        struct rrs_syscall call = {.number = i % (RRS_SYSCALLS_END + 2)};
        for (int j = 0; j < 6; j++)
            call.args[j] = random_number(&seed);
        call.result = (int64_t)random_number(&seed);
        CHECK(rrs_syscall_print(&call, &memory, NULL, line, sizeof line) >= 5);
        CHECK_OK(rrs_syscall_outputs(&call, &memory, ignore_range, NULL));
        rrs_syscall_note_entry(&call, &memory);
        CHECK_OK(rrs_syscall_outputs_at_entry(&call, &memory, ignore_range, NULL));
    }
}

int main(int argc, char **argv)
{
    char directory[] = "/tmp/rrs-print-XXXXXX", log[64], own[64], command[512];
    static char *lines[CASES];
    uint32_t different = 0;
    if (argc == 3 && strcmp(argv[1], "--make-calls") == 0)
        make_calls(argv[2]);
    options_are_obeyed();
    signals_are_printed();
    anything_is_printed();
    if (system("strace -o /dev/null true >/dev/null 2>&1") != 0) {
        puts("no strace, or it may not trace");
        return 77;
    }
    CHECK(mkdtemp(directory));
    snprintf(log, sizeof log, "%s/log", directory);
    snprintf(own, sizeof own, "%s/own", directory);
    snprintf(command, sizeof command, "strace -f -o %s %s --make-calls %s", log, argv[0], own);
    CHECK(system(command) == 0);
    read_log(log, lines);
    uint32_t equal = compare(own, lines, &different);
    snprintf(command, sizeof command, "rm -r %s", directory);
    CHECK(system(command) == 0);
    printf("%u lines are equal, %u are not and should be\n", equal, different);
    CHECK(equal >= ENOUGH);
    CHECK(!different || system("strace -V | grep -q 'version 6\\.1$'") != 0);
    return 0;
}
