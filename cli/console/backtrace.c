/* SPDX-License-Identifier: MIT */
/* `bt`: the call stack, unwound by elfutils with the .eh_frame of the recorded files. Registers and
 * memory are those of the replay at this place. */
#include "cli/console/registers.h"
#include "cli/console/symbols.h"
#include "cli/console/words.h"

#include <stdio.h>

struct walk {
    struct console *console;
    struct user_regs_struct regs;
    uint64_t n_frames, max_frames;
};

static pid_t next_thread(Dwfl *dwfl, void *context, void **thread_context)
{
    struct walk *walk = context;
    (void)dwfl;
    if (*thread_context)
        return 0;
    *thread_context = walk;
    return walk->console->tid;
}

static bool get_thread(Dwfl *dwfl, pid_t tid, void *context, void **thread_context)
{
    (void)dwfl, (void)tid;
    *thread_context = context;
    return true;
}

static bool read_word(Dwfl *dwfl, Dwarf_Addr address, Dwarf_Word *result, void *context)
{
    struct walk *walk = context;
    (void)dwfl;
    return rrs_timeline_read(walk->console->timeline, walk->console->tid, address, result,
                             sizeof *result) == sizeof *result;
}

/* In the order of DWARF (System V ABI for AMD64, figure 3.36). */
static bool set_registers(Dwfl_Thread *thread, void *context)
{
    const struct user_regs_struct *r = &((struct walk *)context)->regs;
    const Dwarf_Word values[] = {r->rax, r->rdx, r->rcx, r->rbx, r->rsi, r->rdi,
                                 r->rbp, r->rsp, r->r8,  r->r9,  r->r10, r->r11,
                                 r->r12, r->r13, r->r14, r->r15, r->rip};
    return dwfl_thread_state_registers(thread, 0, sizeof values / sizeof values[0], values);
}

static const Dwfl_Thread_Callbacks callbacks = {
    .next_thread = next_thread,
    .get_thread = get_thread,
    .memory_read = read_word,
    .set_initial_registers = set_registers,
};

/* A return address stands behind its call, whose line and function are meant. */
static int print_frame(Dwfl_Frame *frame, void *context)
{
    struct walk *walk = context;
    char text[SYMBOL_TEXT_BYTES];
    Dwarf_Addr pc;
    bool is_activation;
    if (walk->n_frames == walk->max_frames || !dwfl_frame_pc(frame, &pc, &is_activation))
        return DWARF_CB_ABORT;
    rrs_addr at = pc - !is_activation;
    printf("#%-3llu 0x%016llx", (unsigned long long)walk->n_frames++, (unsigned long long)pc);
    printf(" in %s", symbols_describe(walk->console, at, text) ? text : "??");
    if (symbols_line(walk->console, at, text))
        printf(" at %s", text);
    putchar('\n');
    return DWARF_CB_OK;
}

struct rrs_error *console_backtrace(struct console *console, const char *rest)
{
    struct walk walk = {.console = console};
    RRS_TRY(expression_take(console, &rest, 1000, &walk.max_frames));
    RRS_TRY(words_end(rest));
    RRS_TRY(registers_read(console, &walk.regs));
    symbols_destroy(console->symbols); /* a Dwfl can be attached to one state only */
    console->symbols = NULL;
    Dwfl *dwfl = symbols_dwfl(console);
    if (!dwfl || !dwfl_attach_state(dwfl, NULL, console->tid, &callbacks, &walk))
        return rrs_error_create(RRS_ERROR_UNSUPPORTED, "the stack cannot be walked: %s",
                                dwfl ? dwfl_errmsg(-1) : "no files are mapped here");
    int result = dwfl_getthread_frames(dwfl, console->tid, print_frame, &walk);
    if (result < 0 && walk.n_frames == 0)
        return rrs_error_create(RRS_ERROR_UNSUPPORTED, "the stack cannot be walked: %s",
                                dwfl_errmsg(-1));
    return NULL;
}
