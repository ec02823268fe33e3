/* SPDX-License-Identifier: MIT */
/* Test that prctl, seccomp filters, affinity and /proc/self answer the program as they would if
 * nobody looked on. */
#include "tests/guest/guest.h"

#include <fcntl.h>
#include <limits.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <ucontext.h>

static void names(void)
{
    char name[16], file[32] = "";
    CHECK(!prctl(PR_SET_NAME, "renamed"));
    CHECK(!prctl(PR_GET_NAME, name) && !strcmp(name, "renamed"));
    int fd = open("/proc/self/comm", O_RDONLY);
    CHECK(read(fd, file, sizeof file - 1) == 8 && !strcmp(file, "renamed\n"));
    close(fd);
    CHECK_EQUAL(prctl(PR_GET_DUMPABLE), 1);
    CHECK(!prctl(PR_SET_DUMPABLE, 0));
    CHECK_EQUAL(prctl(PR_GET_DUMPABLE), 0);
    CHECK(!prctl(PR_SET_DUMPABLE, 1));
    CHECK_EQUAL(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0), 0);
    CHECK_EQUAL(prctl(PR_GET_SECCOMP), 0);
    CHECK_EQUAL(prctl(PR_GET_TSC, name), 0);
    CHECK_EQUAL(prctl(12345), -1);
    CHECK_EQUAL(errno, EINVAL);
    puts("prctl");
}

/* What /proc/self/status says: no tracer, no seccomp, one thread. */
static void status(void)
{
    char line[256];
    FILE *file = fopen("/proc/self/status", "r");
    CHECK(file);
    while (fgets(line, sizeof line, file))
        if (!strncmp(line, "TracerPid:", 10) || !strncmp(line, "Seccomp:", 8) ||
            !strncmp(line, "NoNewPrivs:", 11) || !strncmp(line, "Threads:", 8) ||
            !strncmp(line, "State:", 6) || (!strncmp(line, "Sig", 3) && line[3] != 'Q') ||
            !strncmp(line, "ShdPnd", 6))
            printf("%s", line);
    fclose(file);
    char exe[PATH_MAX], argument[PATH_MAX] = "";
    ssize_t length = readlink("/proc/self/exe", exe, sizeof exe - 1);
    CHECK(length > 0);
    exe[length] = 0;
    printf("exe %s\n", strrchr(exe, '/') + 1);
    int fd = open("/proc/self/cmdline", O_RDONLY);
    CHECK(read(fd, argument, sizeof argument - 1) > 0);
    CHECK(!strcmp(argument, exe));
    close(fd);
    CHECK_EQUAL(syscall(SYS_getpid), getpid());
    CHECK_EQUAL(syscall(SYS_gettid), getpid());
}

static void affinity(void)
{
    cpu_set_t before, one, now;
    CHECK(!sched_getaffinity(0, sizeof before, &before));
    printf("%d CPUs, %ld online\n", CPU_COUNT(&before), sysconf(_SC_NPROCESSORS_ONLN));
    for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
        if (!CPU_ISSET(cpu, &before))
            continue;
        CPU_ZERO(&one);
        CPU_SET(cpu, &one);
        CHECK(!sched_setaffinity(0, sizeof one, &one));
        CHECK(!sched_getaffinity(0, sizeof now, &now) && CPU_EQUAL(&now, &one));
    }
    CHECK(!sched_setaffinity(0, sizeof before, &before));
    CPU_ZERO(&one);
    CHECK_EQUAL(sched_setaffinity(0, sizeof one, &one), -1);
    CHECK_EQUAL(errno, EINVAL);
}

static volatile int trapped;
static void on_sys(int signal_number, siginfo_t *info, void *context)
{
    (void)signal_number;
    greg_t *registers = ((ucontext_t *)context)->uc_mcontext.gregs;
    trapped = info->si_syscall;
    registers[REG_RAX] = 4711;
    CHECK_EQUAL((greg_t)info->si_call_addr, registers[REG_RIP]);
}

static void filter(void)
{
    struct sock_filter program[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_getppid, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EXDEV),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_getuid, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRAP),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_getgid, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog filter = {sizeof program / sizeof program[0], program};
    struct sigaction action = {.sa_sigaction = on_sys, .sa_flags = SA_SIGINFO};
    CHECK(!sigaction(SIGSYS, &action, NULL));
    CHECK(!prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
    CHECK_EQUAL(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0), 1);
    CHECK(!prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter));
    CHECK_EQUAL(prctl(PR_GET_SECCOMP), 2);
    CHECK_EQUAL(syscall(SYS_getppid), -1);
    CHECK_EQUAL(errno, EXDEV);
    CHECK_EQUAL(syscall(SYS_getuid), 4711);
    CHECK_EQUAL(trapped, SYS_getuid);
    CHECK(getpid() > 0);
    syscall(SYS_getgid);
    _exit(3);
}

int main(void)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    names();
    status();
    affinity();
    pid_t child = fork();
    CHECK(child >= 0);
    if (!child)
        filter();
    int word;
    CHECK_EQUAL(waitpid(child, &word, 0), child);
    CHECK_EQUAL(word & 0x7f, SIGSYS);
    puts("seccomp");
    return 0;
}
