/* SPDX-License-Identifier: MIT */
/* The sets of names that arguments and results of system calls are made of. */
#ifndef RRS_ENGINE_SYSCALLS_NAMES_H
#define RRS_ENGINE_SYSCALLS_NAMES_H

#define RRS_NAME_SETS(X)                                                                      \
    X(access) X(at) X(at_access) X(at_handle) X(at_mount) X(at_remove) X(at_statx)            \
    X(cap_ambient) X(capability) X(clock) X(clone) X(close_range) X(dnotify) X(epoll_create)  \
    X(epoll_ctl) X(eventfd) X(fadvise) X(fallocate) X(family) X(fanotify_event)               \
    X(fanotify_init) X(fanotify_mark) X(fd_flags) X(finit_module) X(flock) X(fsconfig)        \
    X(fsmount) X(fsopen) X(fspick) X(futex2) X(futex_bitset) X(futex_wake_op)                 \
    X(get_mempolicy) X(getrandom) X(idtype) X(inotify) X(inotify_init) X(ioprio) X(ipc_get)   \
    X(itimer) X(kcmp) X(keyring) X(landlock_create) X(landlock_rule) X(lock_kind) X(madvise)  \
    X(map) X(mbind) X(membarrier) X(memfd_create) X(mempolicy) X(mlock2) X(mlockall) X(mount) \
    X(mount_attr) X(move_mount) X(mremap) X(msg) X(msgflg) X(msync) X(open) X(open_only)      \
    X(open_tree) X(perf_event_open) X(personality) X(pidfd_open) X(pkey_access) X(priority)   \
    X(prot) X(protocol) X(rename) X(rlimit) X(rusage_who) X(rwf) X(sched_policy) X(seals)     \
    X(seccomp) X(seccomp_mode) X(shmat) X(shmget) X(shutdown) X(signalfd)              \
    X(sigprocmask) X(socket_flags) X(socket_type) X(sockopt) X(sol) X(splice) X(statx)        \
    X(sync_file_range) X(syslog) X(tcflsh) X(tcxonc) X(timer) X(timerfd_create)               \
    X(timerfd_settime) X(timex_state) X(umount) X(wait) X(whence) X(xattr)

enum rrs_names {
#define X(set) RRS_NAMES_##set,
    RRS_NAME_SETS(X)
#undef X
    RRS_NAMES_COUNT
};

#endif
