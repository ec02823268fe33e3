/* SPDX-License-Identifier: MIT */
/* The first tracee: seized before it does anything, with the system call filter in place. */
#include "engine/run/launch.h"

#include "engine/run/exec_search.h"
#include "lmdb-store/scope.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <unistd.h>

/*
 * Every system call goes to the tracer, except those of the one instruction in the runtime's code
 * page. The filter outlives every exec, so it knows all places where the runtime may lie.
 */
static int install_filter(void)
{
    enum { IP_LOW = offsetof(struct seccomp_data, instruction_pointer), IP_HIGH = IP_LOW + 4 };
    enum { BASES = RRS_RUNTIME_BASES };
    struct sock_filter code[3 + BASES + 2];
    int n = 0;
    code[n++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, IP_HIGH);
    code[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 0, BASES + 1);
    code[n++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, IP_LOW);
    for (int i = 0; i < BASES; i++) {
        uint32_t behind = rrs_runtime_bases[i] + RRS_RUNTIME_CODE + RRS_CODE_UNTRACED + 2;
        code[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, behind, BASES - i, 0);
    }
    code[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRACE);
    code[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    struct sock_fprog program = {.len = (unsigned short)n, .filter = code};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        return -1;
    return (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program);
}

static void __attribute__((noreturn))
run_child(const struct rrs_session_options *options, char *const argv[], int go_fd, int error_fd)
{
    char go;
    if (read(go_fd, &go, 1) == 1) {
        if (!options->keep_aslr)
            personality((unsigned long)personality(0xffffffff) | ADDR_NO_RANDOMIZE);
        int failure = install_filter() == 0 ? rrs_exec_search(argv) : errno;
        ssize_t written = write(error_fd, &failure, sizeof failure);
        (void)written;
    }
    _exit(127);
}

struct rrs_error *rrs_launch(const struct rrs_session_options *options, char *const argv[],
                             pid_t *pid, int *error_fd)
{
    enum { READ, WRITE };
    int go[2], failure[2];
    if (pipe2(go, O_CLOEXEC) < 0 || pipe2(failure, O_CLOEXEC) < 0)
        return rrs_error_os(errno, NULL, "pipe");
    *pid = fork();
    if (*pid < 0)
        return rrs_error_os(errno, NULL, "fork");
    if (*pid == 0) {
        close(go[WRITE]);
        run_child(options, argv, go[READ], failure[WRITE]);
    }
    close(go[READ]);
    close(failure[WRITE]);
    _cleanup_close_ int go_fd = go[WRITE];
    _cleanup_close_ int failure_fd = failure[READ];
    struct rrs_error *error =
        rrs_ptrace_seize(*pid, PTRACE_O_EXITKILL | PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACESECCOMP |
                                   PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK | PTRACE_O_TRACECLONE |
                                   PTRACE_O_TRACEEXEC);
    if (error)
        return error; /* the child sees its pipe closed and ends */
    if (write(go_fd, "", 1) != 1)
        return rrs_error_os(errno, NULL, "starting the program");
    *error_fd = rrs_steal_fd(&failure_fd);
    return NULL;
}
