/* SPDX-License-Identifier: MIT */
/* Test that seccomp filters are refused, inherited, shared and obeyed as the kernel does it. */
#include "tests/guest/guest.h"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#define LOAD(field)   BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field))
#define RETURN(value) BPF_STMT(BPF_RET | BPF_K, value)
#define LENGTH(array) (sizeof(array) / sizeof(array)[0])

static long install(unsigned flags, struct sock_filter *code, size_t length)
{
    struct sock_fprog program = {(unsigned short)length, code};
    return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &program);
}

/* `action` for getppid, everything else is allowed. */
static long install_for_getppid(unsigned flags, uint32_t action)
{
    struct sock_filter code[] = {
        LOAD(nr),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_getppid, 0, 1),
        RETURN(action),
        RETURN(SECCOMP_RET_ALLOW),
    };
    return install(flags, code, LENGTH(code));
}

static int status_of(void (*child)(void))
{
    int word;
    pid_t pid = fork();
    CHECK(pid >= 0);
    if (!pid) {
        child();
        _exit(0);
    }
    CHECK_EQUAL(waitpid(pid, &word, 0), pid);
    return word & ~0x80; /* whether a core was dumped is the machine's business */
}

static void bad_filters(void)
{
    struct sock_filter no_return[] = {LOAD(nr)};
    struct sock_filter beyond[] = {BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 1, 1, 0), RETURN(0)};
    struct sock_filter unaligned[] = {BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 2), RETURN(0)};
    struct sock_filter outside[] = {BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 64), RETURN(0)};
    struct sock_filter bytes[] = {BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 0), RETURN(0)};
    struct sock_filter by_zero[] = {BPF_STMT(BPF_ALU | BPF_DIV | BPF_K, 0), RETURN(0)};
    CHECK(install(0, no_return, 1) == -1 && errno == EINVAL);
    CHECK(install(0, beyond, 2) == -1 && errno == EINVAL);
    CHECK(install(0, unaligned, 2) == -1 && errno == EINVAL);
    CHECK(install(0, outside, 2) == -1 && errno == EINVAL);
    CHECK(install(0, bytes, 2) == -1 && errno == EINVAL);
    CHECK(install(0, by_zero, 2) == -1 && errno == EINVAL);
    CHECK(install(0, no_return, 0) == -1 && errno == EINVAL);
    CHECK(install(1u << 30, no_return, 1) == -1 && errno == EINVAL);
    CHECK(syscall(SYS_seccomp, 99, 0, NULL) == -1 && errno == EINVAL);
    CHECK(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, NULL) == -1 && errno == EFAULT);
    CHECK_EQUAL(prctl(PR_GET_SECCOMP), 0);
}

static void strictly(void)
{
    CHECK(!prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT));
    CHECK_EQUAL(write(STDOUT_FILENO, "strict\n", 7), 7);
    syscall(SYS_exit, 7);
}

static void strictly_killed(void)
{
    CHECK(!syscall(SYS_seccomp, SECCOMP_SET_MODE_STRICT, 0, NULL));
    syscall(SYS_getpid);
}

static void killed(void)
{
    CHECK(!install_for_getppid(0, SECCOMP_RET_KILL_THREAD));
    syscall(SYS_getppid);
}

static void on_signal(int signal_number)
{
    (void)signal_number;
    _exit(11);
}

static void killed_whatever_handler(void)
{
    signal(SIGSYS, on_signal);
    CHECK(!install_for_getppid(0, SECCOMP_RET_KILL_PROCESS));
    syscall(SYS_getppid);
}

static void trapped_while_blocked(void)
{
    sigset_t all;
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, NULL);
    CHECK(!install_for_getppid(0, SECCOMP_RET_TRAP));
    syscall(SYS_getppid);
}

/* The highest precedence wins, the newest filter of equal ones; values reach from 0 to 4095. */
static void several(void)
{
    CHECK(!install_for_getppid(0, SECCOMP_RET_ERRNO | 1));
    CHECK(syscall(SYS_getppid) == -1 && errno == 1);
    CHECK(!install_for_getppid(0, SECCOMP_RET_ERRNO | 2));
    CHECK(syscall(SYS_getppid) == -1 && errno == 2);
    CHECK(!install_for_getppid(0, SECCOMP_RET_ALLOW));
    CHECK(syscall(SYS_getppid) == -1 && errno == 2);
    CHECK(!install_for_getppid(0, SECCOMP_RET_ERRNO | 60000));
    CHECK(syscall(SYS_getppid) == -1 && errno == 4095);
    CHECK(!install_for_getppid(0, SECCOMP_RET_TRACE | 5));
    CHECK(syscall(SYS_getppid) == -1 && errno == 4095);
    CHECK_EQUAL(prctl(PR_GET_SECCOMP), 2);
}

/* A filter sees arguments, and the program's own addresses. */
static void arguments_and_places(void)
{
    uintptr_t place = (uintptr_t)syscall;
    struct sock_filter code[] = {
        LOAD(nr),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_dup2, 0, 5),
        LOAD(args[1]),
        BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, 50, 0, 3),
        LOAD(instruction_pointer),
        BPF_STMT(BPF_ALU | BPF_SUB | BPF_K, (uint32_t)place),
        BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, 200, 0, 1),
        RETURN(SECCOMP_RET_ALLOW),
        RETURN(SECCOMP_RET_ERRNO | EXDEV),
    };
    CHECK(!install(0, code, LENGTH(code)));
    CHECK_EQUAL(syscall(SYS_dup2, 0, 50), 50);
    CHECK(syscall(SYS_dup2, 0, 51) == -1 && errno == EXDEV);
}

static void *die(void *unused)
{
    syscall(SYS_getppid);
    return unused;
}

static void thread_dies_alone(void)
{
    pthread_t thread;
    void *result;
    CHECK(!install_for_getppid(0, SECCOMP_RET_KILL_THREAD));
    CHECK(!pthread_create(&thread, NULL, die, NULL));
    CHECK(!pthread_join(thread, &result));
    _exit(12);
}

static int go_on[2];
static void *wait_and_ask(void *unused)
{
    char byte;
    CHECK_EQUAL(read(go_on[0], &byte, 1), 1);
    CHECK_EQUAL(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0), 1);
    CHECK(syscall(SYS_getppid) == -1 && errno == EXDEV);
    return unused;
}

static void all_threads(void)
{
    pthread_t thread;
    CHECK(!pipe(go_on));
    CHECK(!pthread_create(&thread, NULL, wait_and_ask, NULL));
    CHECK(!install_for_getppid(SECCOMP_FILTER_FLAG_TSYNC, SECCOMP_RET_ERRNO | EXDEV));
    CHECK_EQUAL(write(go_on[1], "", 1), 1);
    CHECK(!pthread_join(thread, NULL));
}

static void kept_over_exec(void)
{
    CHECK(!install_for_getppid(0, SECCOMP_RET_ERRNO | EXDEV));
    execl("/proc/self/exe", "guest", "again", NULL);
}

static int after_exec(void)
{
    CHECK_EQUAL(prctl(PR_GET_SECCOMP), 2);
    CHECK(syscall(SYS_getppid) == -1 && errno == EXDEV);
    if (!fork())
        _exit(syscall(SYS_getppid) == -1 && errno == EXDEV ? 14 : 1);
    int word;
    CHECK(wait(&word) > 0);
    return WEXITSTATUS(word);
}

static void unprivileged(void)
{
    if (getuid() == 0)
        CHECK(!setresuid(65534, 65534, 65534));
    CHECK(install_for_getppid(0, SECCOMP_RET_ALLOW) == -1 && errno == EACCES);
    CHECK(!prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
    CHECK(!install_for_getppid(0, SECCOMP_RET_ALLOW));
}

int main(int argc, char *argv[])
{
    (void)argv;
    if (argc > 1)
        return after_exec();
    CHECK_EQUAL(status_of(unprivileged), 0);
    CHECK(!prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
    bad_filters();
    CHECK_EQUAL(status_of(strictly), 7 << 8);
    CHECK_EQUAL(status_of(strictly_killed), SIGKILL);
    CHECK_EQUAL(status_of(killed), SIGSYS);
    CHECK_EQUAL(status_of(killed_whatever_handler), SIGSYS);
    CHECK_EQUAL(status_of(trapped_while_blocked), SIGSYS);
    CHECK_EQUAL(status_of(several), 0);
    CHECK_EQUAL(status_of(arguments_and_places), 0);
    CHECK_EQUAL(status_of(thread_dies_alone), 12 << 8);
    CHECK_EQUAL(status_of(all_threads), 0);
    CHECK_EQUAL(status_of(kept_over_exec), 14 << 8);
    CHECK_EQUAL(prctl(PR_GET_SECCOMP), 0);
    puts("filtered");
    return 0;
}
