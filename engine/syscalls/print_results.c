/* SPDX-License-Identifier: MIT */
/* What is shown behind a result: which descriptors are ready, and the time that is left. */
#include "engine/syscalls/print_internal.h"

struct pollfd_layout {
    int32_t fd;
    int16_t events, revents;
};

static const char *print_ready(struct rrs_printer *p, const char *separator)
{
    const struct rrs_syscall *call = p->outputs.call;
    struct pollfd_layout polled;
    uint32_t shown = 0;
    for (uint32_t i = 0;
         i < (uint32_t)call->args[1] && i < RRS_PRINT_LOOPS_MAX && shown < p->max_elements; i++) {
        rrs_addr addr = call->args[0] + i * sizeof polled;
        if (!rrs_outputs_read(&p->outputs, addr, &polled, sizeof polled))
            break;
        if (!polled.revents)
            continue;
        rrs_print_text(p, "%s{fd=%d, revents=", shown++ ? ", " : "([", polled.fd);
        rrs_print_names(p, RRS_NAMES_poll_events, (uint16_t)polled.revents);
        rrs_print_text(p, "}");
    }
    if (!shown)
        return separator;
    rrs_print_text(p, "]");
    return ", ";
}

static const char *print_left(struct rrs_printer *p, unsigned index, enum rrs_argument_kind kind,
                              const char *separator)
{
    rrs_addr addr = p->outputs.call->args[index];
    if (!addr)
        return separator;
    rrs_print_text(p, "%sleft ", separator);
    if (!rrs_print_element(p, kind, addr))
        rrs_print_address(p, addr);
    return ", ";
}

static void print_poll(struct rrs_printer *p)
{
    const struct rrs_syscall *call = p->outputs.call;
    const char *separator = "(";
    if (!call->result)
        return rrs_print_text(p, " (Timeout)");
    rrs_print_text(p, " ");
    separator = print_ready(p, separator);
    if (call->number == RRS_SYS_ppoll)
        separator = print_left(p, 2, RRS_KIND_timespec, separator);
    rrs_print_text(p, *separator == ',' ? ")" : "");
}

static void print_select(struct rrs_printer *p)
{
    static const char *const names[] = {"in", "out", "except"};
    const struct rrs_syscall *call = p->outputs.call;
    const struct rrs_argument *sets = &p->outputs.shape->arguments[1];
    const char *separator = " (";
    if (!call->result)
        return rrs_print_text(p, " (Timeout)");
    for (unsigned i = 0; i < 3; i++) {
        rrs_addr addr = call->args[i + 1];
        uint64_t word = 0, words = rrs_outputs_count(&p->outputs, &sets[i], addr);
        for (uint64_t at = 0; addr && at < words && at < RRS_PRINT_LOOPS_MAX && !word; at++)
            word = rrs_outputs_read64(&p->outputs, addr + at * 8);
        if (!word)
            continue;
        rrs_print_text(p, "%s%s ", separator, names[i]);
        rrs_print_data(p, &sets[i], addr);
        separator = ", ";
    }
    separator = print_left(
        p, 4, call->number == RRS_SYS_select ? RRS_KIND_timeval : RRS_KIND_timespec, separator);
    rrs_print_text(p, *separator == ',' ? ")" : "");
}

void rrs_print_result_details(struct rrs_printer *p)
{
    switch (p->outputs.call->number) {
    case RRS_SYS_poll:
    case RRS_SYS_ppoll:
        return print_poll(p);
    case RRS_SYS_select:
    case RRS_SYS_pselect6:
        return print_select(p);
    default:
        return;
    }
}
