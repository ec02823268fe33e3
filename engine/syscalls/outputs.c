#include "engine/syscalls/outputs.h"
#include <sys/syscall.h>
struct rrs_error *rrs_syscall_outputs(const struct rrs_syscall *call,
                                      const struct rrs_memory_reader *memory,
                                      struct rrs_error *(*visit)(void *, const struct rrs_memory_range *),
                                      void *context)
{
    (void)memory;
    const uint64_t *a = call->args;
    struct rrs_memory_range r = {0, 0};
    int64_t res = call->result;
    switch (call->number) {
    case SYS_read: case SYS_pread64: case SYS_getdents64: case SYS_recvfrom:
        r = (struct rrs_memory_range){a[1], res > 0 ? (size_t)res : 0}; break;
    case SYS_getrandom: case SYS_getcwd:
        r = (struct rrs_memory_range){a[0], res > 0 ? (size_t)res : 0}; break;
    case SYS_readlink:
        r = (struct rrs_memory_range){a[1], res > 0 ? (size_t)res : 0}; break;
    case SYS_fstat: case SYS_stat: case SYS_lstat:
        r = (struct rrs_memory_range){a[1], 144}; break;
    case SYS_newfstatat: r = (struct rrs_memory_range){a[2], 144}; break;
    case SYS_statx: r = (struct rrs_memory_range){a[4], 256}; break;
    case SYS_prlimit64: r = (struct rrs_memory_range){a[3], 16}; break;
    case SYS_getrlimit: case SYS_statfs: r = (struct rrs_memory_range){a[1], call->number == SYS_statfs ? 120 : 16}; break;
    case SYS_uname: r = (struct rrs_memory_range){a[0], 390}; break;
    case SYS_rt_sigaction: r = (struct rrs_memory_range){a[2], 32}; break;
    case SYS_rt_sigprocmask: r = (struct rrs_memory_range){a[2], 8}; break;
    case SYS_clock_gettime: case SYS_clock_getres: r = (struct rrs_memory_range){a[1], 16}; break;
    case SYS_gettimeofday: r = (struct rrs_memory_range){a[0], 16}; break;
    case SYS_pipe: case SYS_pipe2: r = (struct rrs_memory_range){a[0], 8}; break;
    case SYS_wait4: r = (struct rrs_memory_range){a[1], 4}; break;
    case SYS_sysinfo: r = (struct rrs_memory_range){a[0], 112}; break;
    case SYS_ioctl: r = (struct rrs_memory_range){a[2], a[1] == 0x5401 ? 36 : 0}; break;
    case SYS_clone: r = (struct rrs_memory_range){a[2], 4}; break;
    case SYS_nanosleep: r = (struct rrs_memory_range){a[1], res < 0 ? 16 : 0}; break;
    case SYS_clock_nanosleep: r = (struct rrs_memory_range){a[3], res < 0 ? 16 : 0}; break;
    case SYS_sched_getaffinity: r = (struct rrs_memory_range){a[2], res > 0 ? (size_t)res : 0}; break;
    }
    if (r.addr && r.bytes && (res >= 0 || call->number == SYS_nanosleep || call->number == SYS_clock_nanosleep))
        return visit(context, &r);
    return NULL;
}
