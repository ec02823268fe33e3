/* SPDX-License-Identifier: MIT */
/*
 * Runs code from signal frames. A trap of the test itself gives the frame that is overwritten with
 * the state to start from; the signal that ends the run gives the state at the end, and its frame
 * is overwritten with that of the trap. So the handler is all that runs between test and code.
 */
#include "tests/translate/sandbox.h"

#include "engine/arch/x86_64/lower.h"

#include <asm/prctl.h>
#include <cpuid.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <ucontext.h>
#include <unistd.h>

enum {
    PAGE = 4096,
    TRAP_FLAG = 0x100,
    HANDLER_STACK_BYTES = 1 << 18,
    TRAPS_MAX = 20000, /* single steps of one run; a rep instruction takes many */
    SW_RESERVED = 464, /* of the FXSAVE image: the kernel's, see asm/sigcontext.h */
    XSTATE_HEADER = 512,
    XSTATE_HEADER_BYTES = 64,
    FP_COMPONENTS = 0xe7, /* x87, SSE, AVX, opmask, ZMM_Hi256, Hi16_ZMM */
};

enum phase { IDLE, ENTERING, RUNNING };

static const int gpr_places[16] = {REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP,
                                   REG_RSI, REG_RDI, REG_R8,  REG_R9,  REG_R10, REG_R11,
                                   REG_R12, REG_R13, REG_R14, REG_R15};

/* What the handler works on; a signal handler has no other way to it. */
static struct {
    volatile sig_atomic_t phase;
    const struct sandbox *sandbox;
    const struct machine_state *in;
    struct machine_state *out;
    struct run_end *end;
    struct step *steps; /* NULL: not stepping */
    int step_count;
    int traps;
    bool overflow;
    gregset_t home;
    uint8_t home_fp[STATE_FP_BYTES];
    uint64_t run_number, alarm_saw;
} run;

static void load_fp(uint8_t *frame, const uint8_t *fp)
{
    uint32_t bytes = run.sandbox->fp_bytes;
    memcpy(frame, fp, SW_RESERVED);
    memcpy(frame + XSTATE_HEADER, fp + XSTATE_HEADER, bytes - XSTATE_HEADER);
}

static void load_state(ucontext_t *context, const struct machine_state *state)
{
    greg_t *regs = context->uc_mcontext.gregs;
    for (int i = 0; i < 16; i++)
        regs[gpr_places[i]] = (greg_t)state->gpr[i];
    regs[REG_RIP] = (greg_t)state->rip;
    regs[REG_EFL] = (greg_t)((state->flags & STATE_FLAGS) | 0x202 | (run.steps ? TRAP_FLAG : 0));
    load_fp((uint8_t *)context->uc_mcontext.fpregs, state->fp);
}

/* Components in their initial state may hold anything in memory: give them what they mean. */
static void make_fp_canonical(const struct sandbox *s, uint8_t *fp)
{
    uint64_t present;
    memcpy(&present, fp + XSTATE_HEADER, sizeof present);
    if (!(present & 1)) {
        memset(fp, 0, 24);
        fp[0] = 0x7f;
        fp[1] = 0x03;
        memset(fp + 32, 0, 128);
    }
    for (int i = 0; i < 8; i++)
        memset(fp + 42 + i * 16, 0, 6); /* behind 80 bits, reserved */
    memset(fp + 6, 0, 18);              /* FOP, FIP, FDP: where the code lies */
    if (!(present & 2))
        memset(fp + 160, 0, 256);
    for (int i = 2; i < 8; i++)
        if (s->fp_size[i] && !(present & (1u << i)))
            memset(fp + s->fp_offset[i], 0, s->fp_size[i]);
    memset(fp + 416, 0, XSTATE_HEADER + 64 - 416);
    memcpy(fp + XSTATE_HEADER, &s->fp_features, sizeof s->fp_features);
}

static void store_gprs(const greg_t *regs, uint64_t *gpr)
{
    for (int i = 0; i < 16; i++)
        gpr[i] = (uint64_t)regs[gpr_places[i]];
}

static void store_state(const ucontext_t *context, struct machine_state *state)
{
    const greg_t *regs = context->uc_mcontext.gregs;
    store_gprs(regs, state->gpr);
    state->rip = (uint64_t)regs[REG_RIP];
    state->flags = (uint64_t)regs[REG_EFL] & STATE_FLAGS;
    memcpy(state->fp, context->uc_mcontext.fpregs, run.sandbox->fp_bytes);
    make_fp_canonical(run.sandbox, state->fp);
}

static void store_end(const ucontext_t *context, int signal, const siginfo_t *info)
{
    const greg_t *regs = context->uc_mcontext.gregs;
    *run.end = (struct run_end){
        .signal = signal,
        .code = info->si_code,
        .address = (uint64_t)(uintptr_t)info->si_addr,
        .trap = (uint64_t)regs[REG_TRAPNO],
        .error = (uint64_t)regs[REG_ERR],
        .cr2 = (uint64_t)regs[REG_CR2],
        .stuck = signal == SIGALRM,
    };
}

static void go_home(ucontext_t *context)
{
    memcpy(context->uc_mcontext.gregs, run.home, sizeof run.home);
    load_fp((uint8_t *)context->uc_mcontext.fpregs, run.home_fp);
    run.phase = IDLE;
}

/* A rep instruction traps after each round, and yet is one. */
static bool is_repeated(const uint8_t *code)
{
    while (*code == 0x66 || *code == 0x67)
        code++;
    return *code == 0xf2 || *code == 0xf3;
}

/* Whether this is a step's trap and the run goes on. */
static bool note_step(const greg_t *regs, int signal, const siginfo_t *info)
{
    if (!run.steps || signal != SIGTRAP || info->si_code != TRAP_TRACE)
        return false;
    if (run.step_count == STEPS_MAX || ++run.traps == TRAPS_MAX) {
        run.overflow = true;
        return false;
    }
    uint64_t before = run.steps[run.step_count - 1].rip;
    if (before == (uint64_t)regs[REG_RIP] && is_repeated((const uint8_t *)(uintptr_t)before))
        return true;
    struct step *step = &run.steps[run.step_count++];
    store_gprs(regs, step->gpr);
    step->rip = (uint64_t)regs[REG_RIP];
    step->flags = (uint64_t)regs[REG_EFL] & STATE_FLAGS;
    return true;
}

static bool alarm_is_early(void)
{
    bool early = run.alarm_saw != run.run_number;
    run.alarm_saw = run.run_number;
    return early;
}

static void on_signal(int signal, siginfo_t *info, void *raw)
{
    ucontext_t *context = raw;
    if (signal == SIGALRM && (run.phase != RUNNING || alarm_is_early()))
        return;
    if (run.phase == ENTERING && signal == SIGTRAP) {
        memcpy(run.home, context->uc_mcontext.gregs, sizeof run.home);
        memcpy(run.home_fp, context->uc_mcontext.fpregs, run.sandbox->fp_bytes);
        load_state(context, run.in);
        run.phase = RUNNING;
    } else if (run.phase == RUNNING) {
        if (note_step(context->uc_mcontext.gregs, signal, info))
            return;
        store_state(context, run.out);
        store_end(context, signal, info);
        go_home(context);
    } else { /* a fault of the test: let it die of it */
        struct sigaction action = {.sa_handler = SIG_DFL};
        sigaction(signal, &action, NULL);
    }
}

void sandbox_run(const struct sandbox *sandbox, const struct machine_state *in,
                 struct machine_state *out, struct run_end *end)
{
    run.sandbox = sandbox;
    run.in = in;
    run.out = out;
    run.end = end;
    run.run_number++;
    run.phase = ENTERING;
    __asm__ volatile("int3" ::: "memory");
}

int sandbox_step(const struct sandbox *sandbox, const struct machine_state *in,
                 struct machine_state *out, struct run_end *end, struct step *steps)
{
    run.steps = steps;
    run.overflow = false;
    run.step_count = 1;
    run.traps = 0;
    memcpy(steps[0].gpr, in->gpr, sizeof in->gpr);
    steps[0].rip = in->rip;
    steps[0].flags = in->flags & STATE_FLAGS;
    sandbox_run(sandbox, in, out, end);
    run.steps = NULL;
    return run.overflow ? -1 : run.step_count;
}

/* --- making it --- */

static bool map_at(uint64_t address, size_t bytes, int protection)
{
    void *wanted = (void *)(uintptr_t)address;
    void *got =
        mmap(wanted, bytes, protection, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
    if (got == wanted)
        return true;
    printf("cannot map %zu bytes at %#llx\n", bytes, (unsigned long long)address);
    return false;
}

static void find_fp_layout(struct sandbox *s)
{
    unsigned a, b, c, d;
    __cpuid_count(13, 0, a, b, c, d);
    uint64_t supported = a;
    s->fp_bytes =
        XSTATE_HEADER + XSTATE_HEADER_BYTES; /* AMX may follow: not in frames unless asked for */
    s->fp_features = supported & FP_COMPONENTS;
    for (unsigned i = 2; i < 8; i++)
        if (s->fp_features & (1u << i)) {
            __cpuid_count(13, i, a, b, c, d);
            s->fp_size[i] = a;
            s->fp_offset[i] = b;
            s->fp_bytes = b + a > s->fp_bytes ? b + a : s->fp_bytes;
        }
}

static void take_signals(void)
{
    static uint8_t stack[HANDLER_STACK_BYTES];
    static const int signals[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP, SIGALRM};
    stack_t alternate = {.ss_sp = stack, .ss_size = sizeof stack};
    sigaltstack(&alternate, NULL);
    struct sigaction action = {.sa_sigaction = on_signal,
                               .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER};
    sigemptyset(&action.sa_mask);
    sigaddset(&action.sa_mask, SIGALRM);
    for (size_t i = 0; i < sizeof signals / sizeof signals[0]; i++)
        sigaction(signals[i], &action, NULL);
    struct itimerval every = {{5, 0}, {5, 0}};
    setitimer(ITIMER_REAL, &every, NULL);
}

/* Two views of the code: one to run, one to write. Code that writes to itself faults. */
static bool map_code(struct sandbox *s)
{
    void *wanted = sandbox_memory(s, 0);
    int fd = memfd_create("sandbox code", MFD_CLOEXEC);
    if (fd < 0 || ftruncate(fd, SANDBOX_CODE_BYTES) < 0)
        return false;
    void *run_view = mmap(wanted, SANDBOX_CODE_BYTES, PROT_READ, MAP_SHARED | MAP_FIXED, fd, 0);
    s->code = mmap(NULL, SANDBOX_CODE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    if (run_view != wanted || s->code == MAP_FAILED)
        return false;
    memset(s->code, SANDBOX_HLT, SANDBOX_CODE_BYTES);
    return true;
}

static bool map_runtime(struct sandbox *s)
{
    if (!map_at(s->runtime, RRS_RUNTIME_BYTES, PROT_READ | PROT_WRITE))
        return false;
    uint8_t *at = (uint8_t *)(uintptr_t)s->runtime;
    s->session = (struct rrs_session_page *)(at + RRS_RUNTIME_SESSION);
    s->cells = (struct rrs_cells *)(at + RRS_RUNTIME_CELLS);
    s->classes = at + RRS_RUNTIME_CLASSES;
    for (int i = 0; i < 256; i++)
        at[RRS_RUNTIME_ODD + i] = i & 1;
    s->l2 = (struct rrs_lookup_entry *)(at + RRS_RUNTIME_L2);
    rrs_lower_runtime_page(at + RRS_RUNTIME_CODE, s->runtime);
    return mprotect(at + RRS_RUNTIME_CODE, PAGE, PROT_READ | PROT_EXEC) == 0;
}

bool sandbox_init(struct sandbox *sandbox, uint64_t base, uint32_t runtime)
{
    *sandbox = (struct sandbox){.base = base, .runtime = runtime};
    find_fp_layout(sandbox);
    if (sandbox->fp_bytes > STATE_FP_BYTES) {
        printf("an XSAVE image of %u bytes has no room\n", sandbox->fp_bytes);
        return false;
    }
    if (!map_runtime(sandbox) || !map_at(base, 4 << 20, PROT_NONE))
        return false;
    if (!map_code(sandbox))
        return false;
    mprotect(sandbox_memory(sandbox, SANDBOX_DATA), SANDBOX_DATA_BYTES, PROT_READ | PROT_WRITE);
    mprotect(sandbox_memory(sandbox, SANDBOX_STACK), SANDBOX_STACK_BYTES, PROT_READ | PROT_WRITE);
    syscall(SYS_arch_prctl, ARCH_SET_GS, base + SANDBOX_DATA);
    take_signals();
    return true;
}

void sandbox_native(const struct sandbox *sandbox, bool native)
{
    uint8_t *runtime = (uint8_t *)(uintptr_t)sandbox->runtime;
    mprotect(runtime, RRS_RUNTIME_BYTES, native ? PROT_NONE : PROT_READ | PROT_WRITE);
    if (!native)
        mprotect(runtime + RRS_RUNTIME_CODE, PAGE, PROT_READ | PROT_EXEC);
    mprotect(sandbox_memory(sandbox, 0), SANDBOX_CODE_BYTES, PROT_READ | (native ? PROT_EXEC : 0));
}
