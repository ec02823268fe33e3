/* SPDX-License-Identifier: MIT */
/* Elements of data that take more than a list of fields: numbers, signals, terminals, times. */
#include "engine/syscalls/print_internal.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

/* --- numbers --- */

static bool print_number(struct rrs_printer *p, enum rrs_argument_kind kind, rrs_addr addr)
{
    uint64_t value = 0;
    size_t bytes = rrs_kind_bytes(kind);
    if (!rrs_outputs_read(&p->outputs, addr, &value, bytes))
        return false;
    switch (kind) {
    case RRS_KIND_byte:
    case RRS_KIND_int16:
    case RRS_KIND_uint32:
        rrs_print_text(p, "%u", (uint32_t)value);
        return true;
    case RRS_KIND_int32:
        rrs_print_text(p, "%d", (int32_t)value);
        return true;
    case RRS_KIND_signal32:
        rrs_print_signal(p, (uint32_t)value);
        return true;
    case RRS_KIND_id32:
        rrs_print_id(p, (uint32_t)value);
        return true;
    case RRS_KIND_mempolicy32:
        rrs_print_names(p, RRS_NAMES_mempolicy, (uint32_t)value);
        return true;
    case RRS_KIND_flags_tiocm:
        rrs_print_names(p, RRS_NAMES_tiocm, value);
        return true;
    case RRS_KIND_flags_fs:
        rrs_print_names(p, RRS_NAMES_fs_flags, value);
        return true;
    case RRS_KIND_int64:
    case RRS_KIND_offset64:
    case RRS_KIND_time64:
        rrs_print_text(p, "%ld", (int64_t)value);
        return true;
    case RRS_KIND_address64:
        rrs_print_address(p, value);
        return true;
    case RRS_KIND_node_set:
        rrs_print_text(p, "%016lx", value);
        return true;
    default:
        rrs_print_text(p, "%lu", value);
        return true;
    }
}

static bool is_number(enum rrs_argument_kind kind)
{
    switch (kind) {
    case RRS_KIND_byte:
    case RRS_KIND_int16:
    case RRS_KIND_int32:
    case RRS_KIND_uint32:
    case RRS_KIND_id32:
    case RRS_KIND_signal32:
    case RRS_KIND_mempolicy32:
    case RRS_KIND_flags_tiocm:
    case RRS_KIND_flags_fs:
    case RRS_KIND_int64:
    case RRS_KIND_uint64:
    case RRS_KIND_offset64:
    case RRS_KIND_time64:
    case RRS_KIND_address64:
    case RRS_KIND_node_set:
    case RRS_KIND_sched_param:
        return true;
    default:
        return false;
    }
}

/* --- signals --- */

static void print_signal_list(struct rrs_printer *p, uint64_t set)
{
    const char *separator = "[";
    for (int signal = 1; signal <= 64; signal++) {
        if (!(set >> (signal - 1) & 1))
            continue;
        rrs_print_text(p, "%s%s", separator, rrs_signal_name(signal) + strlen("SIG"));
        separator = " ";
    }
    rrs_print_text(p, *separator == '[' ? "[]" : "]");
}

/* A set of nearly all signals is shown by those that are not in it. */
void rrs_print_sigset(struct rrs_printer *p, uint64_t set)
{
    bool many = __builtin_popcountll(set) >= 64 * 2 / 3;
    if (many)
        rrs_print_text(p, "~");
    print_signal_list(p, many ? ~set : set);
}

/* The kernel's struct: handler, flags, restorer, mask. */
static bool print_sigaction(struct rrs_printer *p, rrs_addr addr)
{
    static const char *const handlers[] = {"SIG_DFL", "SIG_IGN"};
    const uint64_t restorer = 0x04000000;
    uint64_t action[4];
    if (!rrs_outputs_read(&p->outputs, addr, action, sizeof action))
        return false;
    if (action[0] < 2)
        rrs_print_text(p, "{sa_handler=%s, sa_mask=", handlers[action[0]]);
    else
        rrs_print_text(p, "{sa_handler=%#lx, sa_mask=", action[0]);
    rrs_print_sigset(p, action[3]);
    rrs_print_text(p, ", sa_flags=");
    rrs_print_names(p, RRS_NAMES_sigaction_flags, action[1]);
    if (action[1] & restorer)
        rrs_print_text(p, ", sa_restorer=%#lx", action[2]);
    rrs_print_text(p, "}");
    return true;
}

static bool is_fault(int signal)
{
    return signal == SIGSEGV || signal == SIGBUS || signal == SIGILL || signal == SIGFPE ||
           signal == SIGTRAP;
}

/* Codes above 0 mean another thing for each signal: man 2 sigaction. */
static enum rrs_names code_names(const siginfo_t *info)
{
    if (info->si_code <= 0)
        return RRS_NAMES_si_code;
    switch (info->si_signo) {
    case SIGCHLD:
        return RRS_NAMES_cld_code;
    case SIGSEGV:
        return RRS_NAMES_segv_code;
    case SIGBUS:
        return RRS_NAMES_bus_code;
    case SIGILL:
        return RRS_NAMES_ill_code;
    case SIGFPE:
        return RRS_NAMES_fpe_code;
    case SIGTRAP:
        return RRS_NAMES_trap_code;
    default:
        return RRS_NAMES_si_code;
    }
}

static bool print_siginfo(struct rrs_printer *p, rrs_addr addr)
{
    siginfo_t info;
    if (!rrs_outputs_read(&p->outputs, addr, &info, sizeof info))
        return false;
    if (!info.si_signo) {
        rrs_print_text(p, "{}");
        return true;
    }
    bool of_child = info.si_signo == SIGCHLD && info.si_code > 0;
    rrs_print_text(p, "{si_signo=");
    rrs_print_signal(p, (uint32_t)info.si_signo);
    rrs_print_text(p, ", si_code=");
    rrs_print_names(p, code_names(&info), (uint32_t)info.si_code);
    if (is_fault(info.si_signo) && info.si_code > 0) {
        rrs_print_text(p, ", si_addr=");
        rrs_print_address(p, (uintptr_t)info.si_addr);
    } else {
        rrs_print_text(p, ", si_pid=%d, si_uid=%u", info.si_pid, info.si_uid);
    }
    if (of_child && info.si_code == CLD_EXITED)
        rrs_print_text(p, ", si_status=%d", info.si_status);
    else if (of_child) {
        rrs_print_text(p, ", si_status=");
        rrs_print_signal(p, (uint32_t)info.si_status);
    }
    if (of_child)
        rrs_print_text(p, ", si_utime=%ld, si_stime=%ld", info.si_utime, info.si_stime);
    rrs_print_text(p, "}");
    return true;
}

static bool print_wait_status(struct rrs_printer *p, rrs_addr addr)
{
    int status;
    if (!rrs_outputs_read(&p->outputs, addr, &status, sizeof status))
        return false;
    if (WIFEXITED(status)) {
        rrs_print_text(p, "[{WIFEXITED(s) && WEXITSTATUS(s) == %d}]", WEXITSTATUS(status));
        return true;
    }
    if (WIFCONTINUED(status)) {
        rrs_print_text(p, "[{WIFCONTINUED(s)}]");
        return true;
    }
    bool stopped = WIFSTOPPED(status);
    rrs_print_text(p, stopped ? "[{WIFSTOPPED(s) && WSTOPSIG(s) == "
                              : "[{WIFSIGNALED(s) && WTERMSIG(s) == ");
    rrs_print_signal(p, (uint32_t)(stopped ? WSTOPSIG(status) : WTERMSIG(status)));
    rrs_print_text(p, !stopped && WCOREDUMP(status) ? " && WCOREDUMP(s)}]" : "}]");
    return true;
}

/* --- terminals --- */

/* Baud rates by the CBAUD bits of c_cflag: include/uapi/asm-generic/termbits.h */
static const char *baud_name(uint32_t flags)
{
    static const char *const names[32] = {
        "B0",       "B50",      "B75",      "B110",     "B134",     "B150",     "B200",
        "B300",     "B600",     "B1200",    "B1800",    "B2400",    "B4800",    "B9600",
        "B19200",   "B38400",   "BOTHER",   "B57600",   "B115200",  "B230400",  "B460800",
        "B500000",  "B576000",  "B921600",  "B1000000", "B1152000", "B1500000", "B2000000",
        "B2500000", "B3000000", "B3500000", "B4000000",
    };
    return names[(flags & 15) | (flags >> 12 & 1) << 4];
}

static void print_flag_rest(struct rrs_printer *p, enum rrs_names set, uint32_t flags)
{
    if (flags) {
        rrs_print_text(p, "|");
        rrs_print_names(p, set, flags);
    }
}

static void print_termios_flags(struct rrs_printer *p, const uint32_t flags[4])
{
    const uint32_t baud = 0x100f, size = 0x30, delays = 0xff00 & ~0xffu, other = 0xffff0000;
    rrs_print_text(p, "{c_iflag=");
    if (flags[0])
        rrs_print_names(p, RRS_NAMES_termios_iflag, flags[0]);
    rrs_print_text(p, ", c_oflag=NL%u|CR%u|TAB%u|BS%u|VT%u|FF%u", flags[1] >> 8 & 1,
                   flags[1] >> 9 & 3, flags[1] >> 11 & 3, flags[1] >> 13 & 1, flags[1] >> 14 & 1,
                   flags[1] >> 15 & 1);
    print_flag_rest(p, RRS_NAMES_termios_oflag, flags[1] & ~delays);
    rrs_print_text(p, ", c_cflag=%s|CS%u", baud_name(flags[2]), 5 + (flags[2] >> 4 & 3));
    print_flag_rest(p, RRS_NAMES_termios_cflag, flags[2] & ~(baud | size | (other & 0x100f0000)));
    rrs_print_text(p, ", c_lflag=");
    if (flags[3])
        rrs_print_names(p, RRS_NAMES_termios_lflag, flags[3]);
    rrs_print_text(p, ", ...}");
}

static bool print_termios(struct rrs_printer *p, rrs_addr addr)
{
    uint32_t flags[4];
    if (!rrs_outputs_read(&p->outputs, addr, flags, sizeof flags))
        return false;
    print_termios_flags(p, flags);
    return true;
}

static bool print_termio(struct rrs_printer *p, rrs_addr addr)
{
    uint16_t short_flags[4];
    if (!rrs_outputs_read(&p->outputs, addr, short_flags, sizeof short_flags))
        return false;
    uint32_t flags[4] = {short_flags[0], short_flags[1], short_flags[2], short_flags[3]};
    print_termios_flags(p, flags);
    return true;
}

/* --- the rest --- */

/* man 2 utimensat: two values of tv_nsec are no time. */
static bool print_timespec_or_now(struct rrs_printer *p, rrs_addr addr)
{
    uint64_t nanoseconds;
    if (!rrs_outputs_read(&p->outputs, addr + 8, &nanoseconds, sizeof nanoseconds))
        return false;
    if (nanoseconds == UTIME_NOW || nanoseconds == UTIME_OMIT) {
        rrs_print_text(p, nanoseconds == UTIME_NOW ? "UTIME_NOW" : "UTIME_OMIT");
        return true;
    }
    return rrs_print_struct(p, RRS_KIND_timespec, addr);
}

static bool print_name16(struct rrs_printer *p, rrs_addr addr)
{
    char name[16];
    if (!rrs_outputs_read(&p->outputs, addr, name, sizeof name))
        return false;
    rrs_print_bytes(p, name, strnlen(name, sizeof name));
    return true;
}

static bool print_fsid(struct rrs_printer *p, rrs_addr addr)
{
    uint32_t value[2];
    if (!rrs_outputs_read(&p->outputs, addr, value, sizeof value))
        return false;
    rrs_print_text(p, "{val=[%#x, %#x]}", value[0], value[1]);
    return true;
}

static bool print_loads(struct rrs_printer *p, rrs_addr addr)
{
    uint64_t loads[3];
    if (!rrs_outputs_read(&p->outputs, addr, loads, sizeof loads))
        return false;
    rrs_print_text(p, "[%lu, %lu, %lu]", loads[0], loads[1], loads[2]);
    return true;
}

static void print_capabilities(struct rrs_printer *p, uint64_t set)
{
    const char *separator = "";
    for (unsigned i = 0; i < 64; i++) {
        const char *name = rrs_name_of(RRS_NAMES_capability, i);
        if (!(set >> i & 1) || !name)
            continue;
        rrs_print_text(p, "%s1<<%s", separator, name);
        separator = "|";
    }
    if (!*separator)
        rrs_print_text(p, "0");
}

/* Two elements hold the halves of each set, except in version 1: man 2 capget. */
static bool print_cap_data(struct rrs_printer *p, rrs_addr addr)
{
    static const char *const names[] = {"{effective=", ", permitted=", ", inheritable="};
    const uint32_t version_1 = 0x19980330;
    uint32_t data[6] = {0};
    bool one = rrs_outputs_read32(&p->outputs, p->outputs.call->args[0]) == version_1;
    if (!rrs_outputs_read(&p->outputs, addr, data, one ? 12 : 24))
        return false;
    for (int i = 0; i < 3; i++) {
        rrs_print_text(p, "%s", names[i]);
        print_capabilities(p, data[i] | (uint64_t)data[i + 3] << 32);
    }
    rrs_print_text(p, "}");
    return true;
}

static bool print_ifreq(struct rrs_printer *p, rrs_addr addr)
{
    char name[16];
    if (!rrs_outputs_read(&p->outputs, addr, name, sizeof name))
        return false;
    rrs_print_text(p, "{ifr_name=");
    rrs_print_bytes(p, name, strnlen(name, sizeof name));
    rrs_print_text(p, ", ...}");
    return true;
}

bool rrs_print_element(struct rrs_printer *p, enum rrs_argument_kind kind, rrs_addr addr)
{
    static rrs_data_printer *const printers[RRS_KIND_COUNT] = {
        [RRS_KIND_sigaction] = print_sigaction,
        [RRS_KIND_siginfo] = print_siginfo,
        [RRS_KIND_wait_status] = print_wait_status,
        [RRS_KIND_termios] = print_termios,
        [RRS_KIND_termios2] = print_termios,
        [RRS_KIND_termio] = print_termio,
        [RRS_KIND_timespec_or_now] = print_timespec_or_now,
        [RRS_KIND_name16] = print_name16,
        [RRS_KIND_fsid] = print_fsid,
        [RRS_KIND_loads] = print_loads,
        [RRS_KIND_cap_data] = print_cap_data,
        [RRS_KIND_ifreq] = print_ifreq,
    };
    if (is_number(kind))
        return print_number(p, kind, addr);
    return printers[kind] ? printers[kind](p, addr) : rrs_print_struct(p, kind, addr);
}
