/* SPDX-License-Identifier: MIT */
/* Recording by single steps; see the header. */
#include "tests/gdb/fake_program.h"

#include <asm/unistd.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MAX_STEPS = 400000, WINDOW_BELOW_STACK_POINTER = 512, PAGE = 4096 };

static void run_child(const char *path)
{
    char *const argv[] = {(char *)path, NULL}, *const envp[] = {NULL};
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    personality(ADDR_NO_RANDOMIZE);
    int nowhere = open("/dev/null", O_RDWR | O_CLOEXEC);
    dup2(nowhere, 0);
    dup2(nowhere, 1);
    ptrace(PTRACE_TRACEME, 0, 0, 0);
    execve(path, argv, envp);
    _exit(127);
}

static struct rrs_error *start(struct fake_program *program)
{
    int status;
    program->pid = fork();
    if (program->pid < 0)
        return rrs_error_os(errno, NULL, "cannot fork");
    if (program->pid == 0)
        run_child(program->path);
    if (waitpid(program->pid, &status, 0) < 0 || !WIFSTOPPED(status))
        return rrs_error_path(RRS_ERROR_NOT_FOUND, program->path, "cannot be executed");
    ptrace(PTRACE_SETOPTIONS, program->pid, 0, PTRACE_O_EXITKILL);
    return NULL;
}

static struct rrs_error *add_segment(struct fake_program *program, const char *line)
{
    struct rrs_timeline_mapping mapping = {0};
    char prot[5] = "", path[512] = "";
    if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %4s %" SCNx64 " %*s %*s %511[^\n]", &mapping.start,
               &mapping.end, prot, &mapping.file_offset, path) < 4 ||
        strcmp(path, "[vsyscall]") == 0 || strcmp(path, "[vvar]") == 0)
        return NULL;
    mapping.prot = (prot[0] == 'r' ? PROT_READ : 0) | (prot[1] == 'w' ? PROT_WRITE : 0) |
                   (prot[2] == 'x' ? PROT_EXEC : 0);
    mapping.path = strdup(path);
    size_t bytes = mapping.end - mapping.start;
    struct fake_segment segment = {mapping, calloc(1, bytes), calloc(1, bytes)};
    struct fake_segment *grown =
        realloc(program->segments, (program->n_segments + 1) * sizeof segment);
    if (!mapping.path || !segment.bytes || !segment.scratch || !grown)
        return rrs_error_no_memory();
    rrs_tracee_read(program->pid, mapping.start, segment.bytes, bytes);
    program->segments = grown;
    program->segments[program->n_segments++] = segment;
    return NULL;
}

static struct rrs_error *look_around(struct fake_program *program)
{
    char path[64], line[1024];
    snprintf(path, sizeof path, "/proc/%d/maps", program->pid);
    FILE *maps = fopen(path, "re");
    if (!maps)
        return rrs_error_os(errno, path, "cannot open");
    struct rrs_error *error = NULL;
    while (!error && fgets(line, sizeof line, maps))
        error = add_segment(program, line);
    fclose(maps);
    snprintf(path, sizeof path, "/proc/%d/auxv", program->pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t bytes = fd < 0 ? 0 : read(fd, program->auxv, sizeof program->auxv);
    program->auxv_bytes = bytes > 0 ? (size_t)bytes : 0;
    close(fd);
    struct iovec piece = {program->xstate, sizeof program->xstate};
    if (ptrace(PTRACE_GETREGSET, program->pid, NT_X86_XSTATE, &piece) == 0)
        program->xstate_bytes = piece.iov_len;
    return error;
}

static struct rrs_error *add_change(struct fake_program *program, rrs_addr address, uint64_t before,
                                    uint64_t after)
{
    if ((program->n_changes & (program->n_changes + 1)) == 0) {
        size_t capacity = 2 * (program->n_changes + 1);
        struct fake_change *grown = realloc(program->changes, capacity * sizeof *grown);
        if (!grown)
            return rrs_error_no_memory();
        program->changes = grown;
    }
    program->changes[program->n_changes++] = (struct fake_change){address, before, after};
    return NULL;
}

/* Of the stack, only what is in use can change. */
static struct rrs_error *compare_segment(struct fake_program *program, struct fake_segment *segment,
                                         rrs_addr stack_pointer)
{
    rrs_addr low = segment->mapping.start, high = segment->mapping.end;
    if (stack_pointer >= low && stack_pointer < high)
        low = (stack_pointer - WINDOW_BELOW_STACK_POINTER) & ~7ULL;
    if (low < segment->mapping.start)
        low = segment->mapping.start;
    size_t bytes = high - low;
    uint64_t *now = segment->scratch;
    uint64_t *kept = (uint64_t *)(segment->bytes + (low - segment->mapping.start));
    rrs_tracee_read(program->pid, low, now, bytes);
    for (size_t i = 0; i < bytes / 8; i++) {
        if (now[i] == kept[i])
            continue;
        RRS_TRY(add_change(program, low + 8 * i, kept[i], now[i]));
        kept[i] = now[i];
    }
    return NULL;
}

static struct rrs_error *compare_memory(struct fake_program *program,
                                        const struct user_regs_struct *regs)
{
    for (size_t i = 0; i < program->n_segments; i++)
        if (program->segments[i].mapping.prot & PROT_WRITE)
            RRS_TRY(compare_segment(program, &program->segments[i], regs->rsp));
    return NULL;
}

static bool is_syscall(const struct fake_program *program, const struct user_regs_struct *regs)
{
    const uint8_t *code = fake_program_memory(program, regs->rip, 2);
    return code && code[0] == 0x0f && code[1] == 0x05;
}

static bool exits(const struct fake_program *program, const struct user_regs_struct *regs)
{
    return is_syscall(program, regs) && (regs->rax == __NR_exit || regs->rax == __NR_exit_group);
}

static struct rrs_error *step_on(struct fake_program *program, struct user_regs_struct *regs)
{
    int status;
    if (ptrace(PTRACE_SINGLESTEP, program->pid, 0, 0) < 0 ||
        waitpid(program->pid, &status, 0) < 0 || !WIFSTOPPED(status) || WSTOPSIG(status) != SIGTRAP)
        return rrs_error_create(RRS_ERROR_UNSUPPORTED, "the program got a signal or ended");
    RRS_TRY(rrs_ptrace_get_regs(program->pid, regs));
    return compare_memory(program, regs);
}

static struct rrs_error *run(struct fake_program *program)
{
    struct user_regs_struct regs;
    struct fake_step here = {.event = 1};
    program->steps = calloc(MAX_STEPS, sizeof *program->steps);
    if (!program->steps)
        return rrs_error_no_memory();
    RRS_TRY(rrs_ptrace_get_regs(program->pid, &regs));
    while (program->n_steps + 1 < MAX_STEPS) {
        here.regs = regs;
        here.first_change = program->n_changes;
        program->steps[program->n_steps++] = here;
        if (exits(program, &regs))
            break;
        here.event += is_syscall(program, &regs);
        RRS_TRY(step_on(program, &regs));
        here.tick += regs.rip <= here.regs.rip;
    }
    here.event++;
    here.first_change = program->n_changes;
    program->steps[program->n_steps] = here; /* the end, where there is no task any more */
    return NULL;
}

struct rrs_error *fake_program_record(const char *path, struct fake_program *program)
{
    *program = (struct fake_program){0};
    snprintf(program->path, sizeof program->path, "%s", path);
    RRS_TRY(start(program));
    RRS_TRY(look_around(program));
    return run(program);
}

void fake_program_deinit(struct fake_program *program)
{
    if (program->pid > 0) {
        kill(program->pid, SIGKILL);
        waitpid(program->pid, NULL, __WALL);
    }
    for (size_t i = 0; i < program->n_segments; i++) {
        free(program->segments[i].mapping.path);
        free(program->segments[i].bytes);
        free(program->segments[i].scratch);
    }
    free(program->segments);
    free(program->steps);
    free(program->changes);
}

uint8_t *fake_program_memory(const struct fake_program *program, rrs_addr address, size_t bytes)
{
    for (size_t i = 0; i < program->n_segments; i++) {
        const struct rrs_timeline_mapping *mapping = &program->segments[i].mapping;
        if (address >= mapping->start && address < mapping->end && bytes <= mapping->end - address)
            return program->segments[i].bytes + (address - mapping->start);
    }
    return NULL;
}
