/* SPDX-License-Identifier: MIT */
#include "tests/translate/tick_oracle.h"

#include "engine/arch/x86_64/emulate.h"

#ifdef __SANITIZE_ADDRESS__
enum { SANITIZED = true };
#else
enum { SANITIZED = false };
#endif

static bool is_prefix(uint8_t byte)
{
    switch (byte) {
    case 0x26:
    case 0x2e:
    case 0x36:
    case 0x3e:
    case 0x64:
    case 0x65:
    case 0x66:
    case 0x67:
    case 0xf0:
    case 0xf2:
    case 0xf3:
        return true;
    default:
        return (byte & 0xf0) == 0x40;
    }
}

static bool goes_back(const uint8_t *code, const uint8_t *displacement, int bytes)
{
    int32_t disp = 0;
    memcpy(&disp, displacement, (size_t)bytes);
    if (bytes == 1)
        disp = (int8_t)disp;
    if (bytes == 2)
        disp = (int16_t)disp;
    return disp <= code - (displacement + bytes); /* a target below address 0 is one behind */
}

bool oracle_is_tick(const uint8_t *code)
{
    const uint8_t *at = code;
    int wide = 4; /* AMD CPUs obey an operand-size prefix */
    for (; is_prefix(*at); at++)
        if (*at == 0x66 && __builtin_cpu_is("amd"))
            wide = 2;
    switch (at[0]) {
    case 0xc2:
    case 0xc3:
        return true;
    case 0xff:
        return (at[1] >> 3 & 7) == 2 || (at[1] >> 3 & 7) == 4;
    case 0xe0:
    case 0xe1:
    case 0xe2:
    case 0xe3:
    case 0xeb:
        return goes_back(code, at + 1, 1);
    case 0xe8:
    case 0xe9:
        return goes_back(code, at + 1, wide);
    case 0x0f:
        return (at[1] & 0xf0) == 0x80 && goes_back(code, at + 2, wide);
    default:
        return (at[0] & 0xf0) == 0x70 && goes_back(code, at + 1, 1);
    }
}

static const uint8_t *code_at(const struct step *step)
{
    return (const uint8_t *)(uintptr_t)step->rip;
}

uint64_t oracle_ticks(const struct step *steps, int count)
{
    uint64_t ticks = 0;
    for (int i = 0; i + 1 < count; i++)
        ticks += oracle_is_tick(code_at(&steps[i]));
    return ticks;
}

int oracle_step_of_tick(const struct step *steps, int count, uint64_t tick)
{
    for (int i = 0; i + 1 < count; i++)
        if (oracle_is_tick(code_at(&steps[i])) && tick-- == 0)
            return i;
    return count - 1;
}

uint64_t oracle_valid_flags(const struct shadow *shadow, const struct step *steps, int step)
{
    uint64_t valid = STATE_FLAGS;
    for (int i = 0; i < step; i++) {
        struct rrs_insn insn;
        if (!rrs_decode(shadow->translator.decoder, code_at(&steps[i]), RRS_INSN_MAX_BYTES, &insn))
            continue;
        valid |= insn.flags_killed;
        if (rrs_insn_ends_flags(&insn))
            valid &= ~(uint64_t)RRS_FLAGS_ARITHMETIC;
    }
    return valid;
}

static uint64_t operand_address(const struct shadow *shadow, const struct rrs_insn *insn,
                                const struct step *step)
{
    const uint64_t *g = step->gpr;
    struct user_regs_struct regs = {.rax = g[0],
                                    .rcx = g[1],
                                    .rdx = g[2],
                                    .rbx = g[3],
                                    .rsp = g[4],
                                    .rbp = g[5],
                                    .rsi = g[6],
                                    .rdi = g[7],
                                    .r8 = g[8],
                                    .r9 = g[9],
                                    .r10 = g[10],
                                    .r11 = g[11],
                                    .r12 = g[12],
                                    .r13 = g[13],
                                    .r14 = g[14],
                                    .r15 = g[15],
                                    .rip = step->rip};
    regs.gs_base = shadow->sandbox->base + SANDBOX_DATA;
    return rrs_operand_address(insn, &regs);
}

bool oracle_reads_dead_flags(const struct shadow *shadow, const struct step *steps, int count)
{
    uint64_t valid = STATE_FLAGS;
    for (int i = 0; i + 1 < count; i++) {
        struct rrs_insn insn;
        if (!rrs_decode(shadow->translator.decoder, code_at(&steps[i]), RRS_INSN_MAX_BYTES, &insn))
            continue;
        if (insn.kind == RRS_INSN_PLAIN && (insn.flags_read & ~valid & RRS_FLAGS_ARITHMETIC))
            return true;
        valid |= insn.flags_killed;
        if (rrs_insn_ends_flags(&insn))
            valid &= ~(uint64_t)RRS_FLAGS_ARITHMETIC;
    }
    return false;
}

void oracle_clear_pointers(const struct shadow *shadow, const struct program *program,
                           const struct step *steps, int count)
{
    uint64_t insn_pc = program->start + program->exit_at;
    for (int i = 0; i + 1 < count; i++) {
        struct rrs_insn insn;
        struct rrs_x87_pointer_field fields[2];
        if (steps[i].rip != insn_pc ||
            !rrs_decode(shadow->translator.decoder, code_at(&steps[i]), 15, &insn))
            continue;
        if (insn.kind == RRS_INSN_XSAVE && !(steps[i].gpr[0] & 1))
            return;
        uint64_t image = operand_address(shadow, &insn, &steps[i]);
        int found = rrs_x87_pointer_fields(&insn, fields);
        for (int f = 0; f < found; f++)
            memset((void *)(uintptr_t)(image + fields[f].offset), 0, fields[f].bytes);
    }
}

/* Where AddressSanitizer keeps its notes about memory: compiler-rt, asan_mapping.h. */
static bool is_sanitizers(uint64_t address)
{
    static const uint64_t from = 0x7fff7000, to = 0x10007fff8000, gap = 0x8fff7000,
                          gap_end = 0x2008fff7000;
    return SANITIZED && address >= from && address < to && !(address >= gap && address < gap_end);
}

bool oracle_met_sanitizer(const struct shadow *shadow, const struct step *steps, int count)
{
    enum { RBX_OF_XLAT = 3, RSP_OF_STACK, RSI_OF_STRING = 6, RDI_OF_STRING };
    for (int i = 0; i < count; i++) {
        const struct step *step = &steps[i];
        struct rrs_insn insn;
        if (is_sanitizers(step->gpr[RBX_OF_XLAT]) || is_sanitizers(step->gpr[RSP_OF_STACK]) ||
            is_sanitizers(step->gpr[RSI_OF_STRING]) || is_sanitizers(step->gpr[RDI_OF_STRING]))
            return true;
        uint8_t bytes[RRS_INSN_MAX_BYTES];
        size_t size =
            shadow->source.read(shadow->source.context,
                                (int64_t)(step->rip - shadow->sandbox->base), bytes, sizeof bytes);
        if (size && rrs_decode(shadow->translator.decoder, bytes, size, &insn) &&
            insn.modrm_offset && is_sanitizers(operand_address(shadow, &insn, step)))
            return true;
    }
    return false;
}
