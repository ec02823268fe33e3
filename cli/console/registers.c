/* SPDX-License-Identifier: MIT */
/* `regs`, and registers in expressions. */
#include "cli/console/registers.h"

#include "cli/console/symbols.h"
#include "cli/console/words.h"

#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

static const struct {
    const char *name;
    size_t offset;
} registers[] = {
#define R(name)                                        \
    {                                                  \
#name, offsetof(struct user_regs_struct, name) \
    }
    R(rax), R(rbx), R(rcx), R(rdx), R(rsi), R(rdi), R(rbp),     R(rsp),     R(r8),
    R(r9),  R(r10), R(r11), R(r12), R(r13), R(r14), R(r15),     R(rip),     R(eflags),
    R(cs),  R(ss),  R(ds),  R(es),  R(fs),  R(gs),  R(fs_base), R(gs_base), R(orig_rax),
#undef R
};

enum { N_REGISTERS = sizeof registers / sizeof registers[0] };

static uint64_t value_of(const struct user_regs_struct *regs, size_t i)
{
    uint64_t value;
    memcpy(&value, (const char *)regs + registers[i].offset, sizeof value);
    return value;
}

struct rrs_error *registers_read(struct console *console, struct user_regs_struct *regs)
{
    if (!console->tid)
        return rrs_error_create(RRS_ERROR_NOT_FOUND, "no task is alive here");
    return rrs_timeline_get_regs(console->timeline, console->tid, regs);
}

static const char *full_name(const char *name)
{
    return strcmp(name, "pc") == 0 ? "rip" : strcmp(name, "sp") == 0 ? "rsp" : name;
}

struct rrs_error *register_value(struct console *console, const char *name, uint64_t *value)
{
    struct user_regs_struct regs;
    RRS_TRY(registers_read(console, &regs));
    for (size_t i = 0; i < N_REGISTERS; i++)
        if (strcmp(registers[i].name, full_name(name)) == 0) {
            *value = value_of(&regs, i);
            return NULL;
        }
    return rrs_error_create(RRS_ERROR_NOT_FOUND, "no register '$%s'", name);
}

static void print_flags(uint64_t flags)
{
    static const struct {
        const char *name;
        unsigned bit;
    } names[] = {{"CF", 0}, {"PF", 2}, {"AF", 4},  {"ZF", 6}, {"SF", 7},
                 {"TF", 8}, {"IF", 9}, {"DF", 10}, {"OF", 11}};
    printf(" [");
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (flags >> names[i].bit & 1)
            printf(" %s", names[i].name);
    printf(" ]");
}

static void print_register(struct console *console, const struct user_regs_struct *regs, size_t i)
{
    uint64_t value = value_of(regs, i);
    char text[SYMBOL_TEXT_BYTES];
    printf("%-8s  0x%-16" PRIx64, registers[i].name, value);
    if (strcmp(registers[i].name, "eflags") == 0)
        print_flags(value);
    else if (symbols_describe(console, value, text))
        printf("  %s", text);
    else
        printf("  %" PRId64, (int64_t)value);
    putchar('\n');
}

struct rrs_error *console_regs(struct console *console, const char *rest)
{
    struct user_regs_struct regs;
    char word[WORD_BYTES];
    RRS_TRY(registers_read(console, &regs));
    for (size_t i = 0; !*rest && i < N_REGISTERS; i++)
        print_register(console, &regs, i);
    while (word_take(&rest, word)) {
        const char *name = full_name(word[0] == '$' ? word + 1 : word);
        size_t i = 0;
        while (i < N_REGISTERS && strcmp(registers[i].name, name) != 0)
            i++;
        if (i == N_REGISTERS)
            return rrs_error_create(RRS_ERROR_NOT_FOUND, "no register '%s'", word);
        print_register(console, &regs, i);
    }
    return NULL;
}
