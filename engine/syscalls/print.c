/* SPDX-License-Identifier: MIT */
/* A call as a line of text: see print.h. */
#include "engine/syscalls/print_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/sysmacros.h>

enum { DEFAULT_STRING = 32, DEFAULT_ELEMENTS = 32, FUTEX_PRIVATE = 128, FUTEX_CLOCK = 256 };

/* --- errors and signals --- */

/* Results that only a tracer sees: include/linux/errno.h */
static const struct {
    int error;
    const char *name, *text;
} restarts[] = {
    {512, "ERESTARTSYS", "To be restarted if SA_RESTART is set"},
    {513, "ERESTARTNOINTR", "To be restarted"},
    {514, "ERESTARTNOHAND", "To be restarted if no handler"},
    {516, "ERESTART_RESTARTBLOCK", "Interrupted by signal"},
};

const char *rrs_errno_name(int error)
{
    return strerrorname_np(error);
}

const char *rrs_signal_name(int signal)
{
    static const char *const names[] = {
        NULL,       "SIGHUP",   "SIGINT",    "SIGQUIT",  "SIGILL",   "SIGTRAP",   "SIGABRT",
        "SIGBUS",   "SIGFPE",   "SIGKILL",   "SIGUSR1",  "SIGSEGV",  "SIGUSR2",   "SIGPIPE",
        "SIGALRM",  "SIGTERM",  "SIGSTKFLT", "SIGCHLD",  "SIGCONT",  "SIGSTOP",   "SIGTSTP",
        "SIGTTIN",  "SIGTTOU",  "SIGURG",    "SIGXCPU",  "SIGXFSZ",  "SIGVTALRM", "SIGPROF",
        "SIGWINCH", "SIGIO",    "SIGPWR",    "SIGSYS",   "SIGRTMIN", "SIGRT_1",   "SIGRT_2",
        "SIGRT_3",  "SIGRT_4",  "SIGRT_5",   "SIGRT_6",  "SIGRT_7",  "SIGRT_8",   "SIGRT_9",
        "SIGRT_10", "SIGRT_11", "SIGRT_12",  "SIGRT_13", "SIGRT_14", "SIGRT_15",  "SIGRT_16",
        "SIGRT_17", "SIGRT_18", "SIGRT_19",  "SIGRT_20", "SIGRT_21", "SIGRT_22",  "SIGRT_23",
        "SIGRT_24", "SIGRT_25", "SIGRT_26",  "SIGRT_27", "SIGRT_28", "SIGRT_29",  "SIGRT_30",
        "SIGRT_31", "SIGRT_32",
    };
    return signal > 0 && signal < (int)(sizeof names / sizeof *names) ? names[signal] : NULL;
}

static void print_error(struct rrs_printer *p, int error)
{
    const char *name = rrs_errno_name(error);
    for (size_t i = 0; i < sizeof restarts / sizeof *restarts; i++)
        if (restarts[i].error == error)
            return rrs_print_text(p, "? %s (%s)", restarts[i].name, restarts[i].text);
    if (name)
        rrs_print_text(p, "-1 %s (%s)", name, strerrordesc_np(error));
    else
        rrs_print_text(p, "-1 (errno %d)", error);
}

/* --- commands --- */

/* What a command without a row is called in the comment. */
static const char *unknown_command(int number)
{
    switch (number) {
    case RRS_SYS_fcntl:
        return "F_???";
    case RRS_SYS_madvise:
        return "MADV_???";
    case RRS_SYS_prctl:
        return "PR_???";
    case RRS_SYS_arch_prctl:
        return "ARCH_???";
    case RRS_SYS_futex:
        return "FUTEX_???";
    case RRS_SYS_bpf:
        return "BPF_???";
    case RRS_SYS_keyctl:
        return "KEYCTL_???";
    case RRS_SYS_ptrace:
        return "PTRACE_???";
    default:
        return "???";
    }
}

/* include/uapi/asm-generic/ioctl.h: number, kind, size, direction from the lowest bit on. */
static void print_ioctl_number(struct rrs_printer *p, uint32_t number)
{
    static const char *const directions[] = {"_IOC_NONE", "_IOC_WRITE", "_IOC_READ",
                                             "_IOC_READ|_IOC_WRITE"};
    rrs_print_text(p, "_IOC(%s, %#x, %#x, %#x)", directions[number >> 30], number >> 8 & 0xff,
                   number & 0xff, number >> 16 & 0x3fff);
}

static void print_command(struct rrs_printer *p, uint64_t value)
{
    const struct rrs_syscall *call = p->outputs.call;
    const struct rrs_syscall_shape *variant = rrs_syscall_variant(call->number, call->args);
    bool futex = call->number == RRS_SYS_futex;
    if (!variant && call->number == RRS_SYS_ioctl)
        return print_ioctl_number(p, (uint32_t)value);
    if (!variant) {
        rrs_print_text(p, "%#lx /* %s */", value, unknown_command(call->number));
        return;
    }
    if (call->number == RRS_SYS_quotactl || call->number == RRS_SYS_quotactl_fd) {
        rrs_print_text(p, "QCMD(%s, %lu)", variant->name, value & 0xff);
        return;
    }
    rrs_print_text(p, "%s%s%s", variant->name, futex && (value & FUTEX_PRIVATE) ? "_PRIVATE" : "",
                   futex && (value & FUTEX_CLOCK) ? "|FUTEX_CLOCK_REALTIME" : "");
}

/* --- values --- */

static enum rrs_names option_names(const struct rrs_printer *p)
{
    switch ((uint32_t)p->outputs.call->args[1]) {
    case 0:
        return RRS_NAMES_sockopt_ip;
    case 6:
        return RRS_NAMES_sockopt_tcp;
    case 41:
        return RRS_NAMES_sockopt_ipv6;
    default:
        return RRS_NAMES_sockopt;
    }
}

/* Sets whose numbers hold more than names: clone's signal, the mode of a System V object. */
static void print_named(struct rrs_printer *p, enum rrs_names set, uint64_t value)
{
    const uint32_t signal = 0xff, mode = 0777;
    uint64_t lowest = 0;
    if (set == RRS_NAMES_personality && (uint32_t)value == UINT32_MAX)
        return rrs_print_text(p, "0xffffffff"); /* asks only */
    if (set == RRS_NAMES_sockopt)
        set = option_names(p);
    if (set == RRS_NAMES_clone && p->outputs.call->number != RRS_SYS_setns)
        lowest = value & signal;
    if (set == RRS_NAMES_ipc_get || set == RRS_NAMES_shmget)
        lowest = value & mode;
    if (value != lowest || !lowest)
        rrs_print_names(p, set, value & ~lowest);
    if (lowest && value != lowest)
        rrs_print_text(p, "|");
    if (lowest && set == RRS_NAMES_clone)
        rrs_print_signal(p, (uint32_t)lowest);
    else if (lowest)
        rrs_print_mode(p, (uint32_t)lowest, false);
}

/* Protocols have names of their own only in the internet families. */
static bool is_plain_protocol(const struct rrs_printer *p, const struct rrs_argument *argument)
{
    const uint64_t family = p->outputs.call->args[0];
    return argument->names == RRS_NAMES_protocol && family != 2 && family != 10;
}

static void print_device(struct rrs_printer *p, uint64_t device)
{
    rrs_print_text(p, "makedev(%#x, %#x)", major(device), minor(device));
}

static void print_value(struct rrs_printer *p, const struct rrs_argument *argument, uint64_t value)
{
    bool is_node =
        p->outputs.call->number == RRS_SYS_mknod || p->outputs.call->number == RRS_SYS_mknodat;
    switch ((enum rrs_argument_kind)argument->kind) {
    case RRS_KIND_int:
    case RRS_KIND_fd:
    case RRS_KIND_pid:
        return rrs_print_text(p, "%d", (int)value);
    case RRS_KIND_dirfd:
        return (int)value == AT_FDCWD ? rrs_print_text(p, "AT_FDCWD")
                                      : rrs_print_text(p, "%d", (int)value);
    case RRS_KIND_long:
    case RRS_KIND_offset:
        return rrs_print_text(p, "%ld", (int64_t)value);
    case RRS_KIND_uint:
    case RRS_KIND_ulong:
    case RRS_KIND_size:
        return rrs_print_text(p, "%lu", value);
    case RRS_KIND_uid:
    case RRS_KIND_gid:
        return rrs_print_id(p, (uint32_t)value);
    case RRS_KIND_signal:
        return rrs_print_signal(p, (uint32_t)value);
    case RRS_KIND_mode:
        return rrs_print_mode(p, (uint32_t)value & 0xffff, is_node);
    case RRS_KIND_address:
        return rrs_print_address(p, value);
    case RRS_KIND_dev:
        return print_device(p, value);
    case RRS_KIND_key:
        return value ? rrs_print_text(p, "%#lx", value) : rrs_print_text(p, "IPC_PRIVATE");
    case RRS_KIND_command:
        return print_command(p, value);
    case RRS_KIND_flags:
    case RRS_KIND_enum:
        if (is_plain_protocol(p, argument))
            return rrs_print_text(p, "%d", (int)value);
        return print_named(p, argument->names,
                           argument->kind == RRS_KIND_enum ? (uint32_t)value : value);
    default:
        return rrs_print_text(p, "%#lx", value);
    }
}

/* --- arguments --- */

static bool failed(const struct rrs_syscall *call)
{
    return (uint64_t)call->result >= (uint64_t)-4095;
}

/* Outputs that this call has not made. */
static bool is_unwritten(const struct rrs_printer *p, const struct rrs_argument *argument)
{
    if (argument->direction != RRS_DIRECTION_OUT)
        return false;
    if (p->outputs.at_entry)
        return true;
    return failed(p->outputs.call) == (argument->when != RRS_WHEN_FAILED);
}

/* Arguments that mean something only with a certain flag in another. */
static bool is_left_out(const struct rrs_syscall *call, unsigned index)
{
    const uint64_t creates = O_CREAT | (O_TMPFILE & ~O_DIRECTORY);
    switch (call->number) {
    case RRS_SYS_open:
    case RRS_SYS_mq_open:
        return index >= 2 && !(call->args[1] & creates);
    case RRS_SYS_openat:
        return index == 3 && !(call->args[2] & creates);
    case RRS_SYS_mremap:
        return index == 4 && !(call->args[3] & 6); /* MREMAP_FIXED, MREMAP_DONTUNMAP */
    case RRS_SYS_mknod:
        return index == 2 && (call->args[1] & 0170000) != 0020000 &&
               (call->args[1] & 0170000) != 0060000;
    case RRS_SYS_mknodat:
        return index == 3 && (call->args[2] & 0170000) != 0020000 &&
               (call->args[2] & 0170000) != 0060000;
    default:
        return false;
    }
}

static void print_argument(struct rrs_printer *p, unsigned index)
{
    const struct rrs_argument *argument = &p->outputs.shape->arguments[index];
    uint64_t value = p->outputs.call->args[index];
    if (!argument->direction)
        print_value(p, argument,
                    rrs_argument_value(p->outputs.shape, p->outputs.call->args, index));
    else if (!value || is_unwritten(p, argument))
        rrs_print_address(p, value);
    else
        rrs_print_data(p, argument, value);
}

static void print_arguments(struct rrs_printer *p)
{
    const struct rrs_syscall_shape *shape = p->outputs.shape;
    const char *separator = "";
    for (unsigned i = 0; i < shape->argument_count; i++) {
        if (shape->arguments[i].kind == RRS_KIND_unused || is_left_out(p->outputs.call, i))
            continue;
        rrs_print_text(p, "%s", separator);
        print_argument(p, i);
        separator = ", ";
    }
}

/* --- results --- */

static void print_named_result(struct rrs_printer *p, uint64_t result)
{
    enum rrs_names set = p->outputs.shape->result_names;
    bool flags = rrs_name_set(set)->field != UINT32_MAX && set != RRS_NAMES_sched_policy &&
                 set != RRS_NAMES_personality;
    if (flags && !result) {
        rrs_print_text(p, "0");
        return;
    }
    rrs_print_text(p, flags ? "%#lx (flags " : "%lu (", result);
    rrs_print_names(p, set, result);
    rrs_print_text(p, ")");
}

static void print_result(struct rrs_printer *p)
{
    const struct rrs_syscall *call = p->outputs.call;
    uint64_t result = (uint64_t)call->result;
    enum rrs_syscall_result kind = p->outputs.shape->result;
    if (kind == RRS_RESULT_NEVER && !failed(call))
        return rrs_print_text(p, "?");
    if (failed(call) && kind != RRS_RESULT_TIME)
        return print_error(p, (int)-call->result);
    switch (kind) {
    case RRS_RESULT_ADDRESS:
    case RRS_RESULT_HEX:
        return rrs_print_text(p, "%#lx", result);
    case RRS_RESULT_MODE:
        return rrs_print_mode(p, (uint32_t)result, false);
    case RRS_RESULT_NAMED:
        return print_named_result(p, result);
    default:
        rrs_print_text(p, "%ld", call->result);
    }
    if (call->number == RRS_SYS_rt_sigtimedwait) {
        rrs_print_text(p, " (");
        rrs_print_signal(p, (uint32_t)result);
        rrs_print_text(p, ")");
    }
    rrs_print_result_details(p);
}

/* A number that the table does not have. */
static const struct rrs_syscall_shape unknown_shape = {
    .argument_count = 6,
    .arguments = {{.kind = RRS_KIND_hex},
                  {.kind = RRS_KIND_hex},
                  {.kind = RRS_KIND_hex},
                  {.kind = RRS_KIND_hex},
                  {.kind = RRS_KIND_hex},
                  {.kind = RRS_KIND_hex}},
};

static void print_name(struct rrs_printer *p)
{
    const struct rrs_syscall_row *row = rrs_syscall_row(p->outputs.call->number);
    if (row)
        rrs_print_text(p, "%s(", row->shape.name);
    else
        rrs_print_text(p, "syscall_%#x(", (unsigned)p->outputs.call->number);
}

size_t rrs_syscall_print(const struct rrs_syscall *call, const struct rrs_memory_reader *memory,
                         const struct rrs_print_options *options, char *buffer, size_t bytes)
{
    static const struct rrs_print_options defaults;
    const struct rrs_print_options *o = options ? options : &defaults;
    struct rrs_printer p = {
        .outputs = {.call = call, .memory = memory, .at_entry = o->at_entry, .whole = o->at_entry},
        .in_part = o->in_part,
        .reads_only = o->reads_only,
        .max_string = o->max_string ? o->max_string : DEFAULT_STRING,
        .max_elements = o->max_elements ? o->max_elements : DEFAULT_ELEMENTS,
        .buffer = buffer,
        .size = bytes,
    };
    if (bytes)
        *buffer = 0;
    p.outputs.shape = rrs_syscall_shape(call->number, call->args);
    if (!p.outputs.shape)
        p.outputs.shape = &unknown_shape;
    print_name(&p);
    print_arguments(&p);
    rrs_print_text(&p, ")");
    if (!o->at_entry) {
        rrs_print_text(&p, " = ");
        print_result(&p);
    }
    return p.length;
}

/* The element's printer reads memory: the information is all that there is, at this address. */
static const rrs_addr siginfo_address = 4096;

static size_t read_siginfo(void *context, rrs_addr addr, void *buffer, size_t bytes)
{
    const siginfo_t *info = context;
    if (addr != siginfo_address || bytes > sizeof *info)
        return 0;
    memcpy(buffer, info, bytes);
    return bytes;
}

size_t rrs_siginfo_print(const siginfo_t *info, char *buffer, size_t bytes)
{
    siginfo_t copy = *info;
    const struct rrs_memory_reader memory = {.read = read_siginfo, .context = &copy};
    struct rrs_printer p = {.outputs.memory = &memory, .buffer = buffer, .size = bytes};
    if (bytes)
        *buffer = 0;
    rrs_print_element(&p, RRS_KIND_siginfo, siginfo_address);
    return p.length;
}
