/* SPDX-License-Identifier: MIT */
/* `dis`: instructions as text, by capstone, with symbols. */
#include "cli/console/registers.h"
#include "cli/console/symbols.h"
#include "cli/console/words.h"

#include <capstone/capstone.h>
#include <inttypes.h>
#include <stdio.h>

enum { INSTRUCTION_MAX_BYTES = 15 };

/* The address that an instruction names: a jump's target, or memory beside the code. */
static bool named_address(const cs_insn *insn, uint64_t *address)
{
    const cs_x86 *x86 = &insn->detail->x86;
    for (uint8_t i = 0; i < x86->op_count; i++) {
        const cs_x86_op *operand = &x86->operands[i];
        if (operand->type == X86_OP_MEM && operand->mem.base == X86_REG_RIP) {
            *address = insn->address + insn->size + (uint64_t)operand->mem.disp;
            return true;
        }
        if (operand->type == X86_OP_IMM) {
            *address = (uint64_t)operand->imm;
            return true;
        }
    }
    return false;
}

static void print_head(struct console *console, rrs_addr address, rrs_addr pc)
{
    char text[SYMBOL_TEXT_BYTES];
    printf("%s 0x%016" PRIx64, address == pc ? "=>" : "  ", address);
    if (symbols_describe(console, address, text))
        printf(" %s", text);
    printf(":  ");
}

static void print_instruction(struct console *console, const cs_insn *insn)
{
    char text[SYMBOL_TEXT_BYTES];
    uint64_t address;
    printf(insn->op_str[0] ? "%s %s" : "%s", insn->mnemonic, insn->op_str);
    if (named_address(insn, &address) && symbols_describe(console, address, text))
        printf("  # 0x%" PRIx64 " %s", address, text);
    putchar('\n');
}

static size_t print_one(struct console *console, csh capstone, rrs_addr address, rrs_addr pc)
{
    uint8_t bytes[INSTRUCTION_MAX_BYTES];
    size_t size = rrs_timeline_read(console->timeline, console->tid, address, bytes, sizeof bytes);
    cs_insn *insn;
    if (size == 0)
        return 0;
    print_head(console, address, pc);
    if (cs_disasm(capstone, bytes, size, address, 1, &insn) == 0) {
        printf(".byte 0x%02x\n", bytes[0]);
        return 1;
    }
    print_instruction(console, insn);
    size = insn->size;
    cs_free(insn, 1);
    return size;
}

struct rrs_error *console_print_instructions(struct console *console, rrs_addr address,
                                             uint64_t count, rrs_addr *next)
{
    csh capstone;
    struct user_regs_struct regs;
    size_t size = 1;
    RRS_TRY(registers_read(console, &regs));
    if (cs_open(CS_ARCH_X86, CS_MODE_64, &capstone) != CS_ERR_OK)
        return rrs_error_no_memory();
    cs_option(capstone, CS_OPT_DETAIL, CS_OPT_ON);
    *next = address;
    for (uint64_t i = 0; i < count && size && !console_is_interrupted(console); i++) {
        size = print_one(console, capstone, *next, regs.rip);
        *next += size;
    }
    cs_close(&capstone);
    if (size == 0)
        return rrs_error_create(RRS_ERROR_NOT_FOUND, "no memory at 0x%" PRIx64, *next);
    return NULL;
}

struct rrs_error *console_disassemble(struct console *console, const char *rest)
{
    struct user_regs_struct regs;
    uint64_t address, count;
    rrs_addr next;
    RRS_TRY(registers_read(console, &regs));
    RRS_TRY(expression_take(console, &rest, regs.rip, &address));
    RRS_TRY(expression_take(console, &rest, 10, &count));
    RRS_TRY(words_end(rest));
    return console_print_instructions(console, address, count, &next);
}
