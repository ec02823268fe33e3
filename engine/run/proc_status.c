/* SPDX-License-Identifier: MIT */
/*
 * /proc/PID/status and stat: without the tracer, its stops, its filter and its choice of a CPU. The
 * sizes of the address space stay the real ones, with shadow code in them.
 */
#include "engine/run/proc_view.h"

#include "engine/run/seccomp_filter.h"
#include "lmdb-store/scope.h"

#include <errno.h>
#include <string.h>

/* The state that takes the place of "stopped by a tracer". */
static char state_of(const struct rrs_proc_request *request)
{
    const struct rrs_task *subject = request->subject;
    if (subject == request->reader)
        return 'R';
    if (subject->job_stopped)
        return 'T';
    return subject->state == RRS_TASK_IN_SYSCALL ? 'S' : 'R';
}

static void write_state(const struct rrs_proc_request *request, const char *value, FILE *out)
{
    char state = state_of(request);
    if (value[0] != 't' && request->subject != request->reader)
        fputs(value, out);
    else
        fprintf(out, "%c (%s)\n", state,
                state == 'R'   ? "running"
                : state == 'S' ? "sleeping"
                               : "stopped");
}

static void write_zero(const struct rrs_proc_request *request, const char *value, FILE *out)
{
    (void)request;
    (void)value;
    fputs("0\n", out);
}

static void write_no_new_privs(const struct rrs_proc_request *request, const char *value, FILE *out)
{
    (void)value;
    fprintf(out, "%d\n", request->subject->virtual.no_new_privs);
}

static void write_seccomp(const struct rrs_proc_request *request, const char *value, FILE *out)
{
    (void)value;
    fprintf(out, "%d\n", rrs_virtual_seccomp_mode(&request->subject->virtual));
}

static void write_filter_count(const struct rrs_proc_request *request, const char *value, FILE *out)
{
    unsigned count = 0;
    (void)value;
    for (const struct rrs_filter *f = request->subject->virtual.filters; f; f = f->older)
        count++;
    fprintf(out, "%u\n", count);
}

/* Groups of hexadecimal digits, the highest first: as many as the kernel wrote. */
static void write_cpu_mask(const struct rrs_proc_request *request, const char *value, FILE *out)
{
    size_t length = strcspn(value, "\n"), digits = 0;
    if (!request->session->cpus.pinned) {
        fputs(value, out);
        return;
    }
    for (size_t i = 0; i < length; i++)
        digits += value[i] != ',';
    for (size_t i = 0; i < length; i++) {
        unsigned digit = 0;
        if (value[i] == ',') {
            fputc(',', out);
            continue;
        }
        digits--;
        for (unsigned bit = 0; bit < 4; bit++)
            digit |= (CPU_ISSET(digits * 4 + bit, &request->subject->virtual.cpus) ? 1u : 0u)
                     << bit;
        fprintf(out, "%x", digit);
    }
    fputc('\n', out);
}

static void write_cpu_list(const struct rrs_proc_request *request, const char *value, FILE *out)
{
    const cpu_set_t *cpus = &request->subject->virtual.cpus;
    const char *separator = "";
    if (!request->session->cpus.pinned) {
        fputs(value, out);
        return;
    }
    for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
        if (!CPU_ISSET(cpu, cpus))
            continue;
        int last = cpu;
        while (last + 1 < CPU_SETSIZE && CPU_ISSET(last + 1, cpus))
            last++;
        fprintf(out, last > cpu ? "%s%d-%d" : "%s%d", separator, cpu, last);
        separator = ",";
        cpu = last;
    }
    fputc('\n', out);
}

static const struct status_line {
    const char *name;
    void (*write)(const struct rrs_proc_request *request, const char *value, FILE *out);
} lines[] = {
    {"State:\t", write_state},
    {"TracerPid:\t", write_zero},
    {"NoNewPrivs:\t", write_no_new_privs},
    {"Seccomp:\t", write_seccomp},
    {"Seccomp_filters:\t", write_filter_count},
    {"Cpus_allowed:\t", write_cpu_mask},
    {"Cpus_allowed_list:\t", write_cpu_list},
};

static void write_line(const struct rrs_proc_request *request, const char *line, FILE *out)
{
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        size_t length = strlen(lines[i].name);
        if (!strncmp(line, lines[i].name, length)) {
            fputs(lines[i].name, out);
            lines[i].write(request, line + length, out);
            return;
        }
    }
    fputs(line, out);
}

struct rrs_error *rrs_proc_write_status(const struct rrs_proc_request *request, FILE *out)
{
    char line[4096];
    _cleanup_fclose_ FILE *file = fopen(request->source, "re");
    if (!file)
        return rrs_error_os(errno, request->source, "cannot open");
    while (fgets(line, sizeof line, file))
        write_line(request, line, out);
    return NULL;
}

/* "PID (NAME) STATE …"; the name may hold anything. */
struct rrs_error *rrs_proc_write_stat(const struct rrs_proc_request *request, FILE *out)
{
    char text[4096];
    _cleanup_fclose_ FILE *file = fopen(request->source, "re");
    if (!file)
        return rrs_error_os(errno, request->source, "cannot open");
    size_t size = fread(text, 1, sizeof text - 1, file);
    text[size] = 0;
    char *state = strrchr(text, ')');
    if (state && state[1] == ' ' && (state[2] == 't' || request->subject == request->reader))
        state[2] = state_of(request);
    fputs(text, out);
    return NULL;
}
