/* SPDX-License-Identifier: MIT */
/*
 * The language is that of Linux v6.1 kernel/seccomp.c, seccomp_check_filter(), and
 * net/core/filter.c, bpf_check_classic().
 */
#include "engine/run/seccomp_filter.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* --- checking --- */

static bool jump_is_in_range(const struct sock_filter *insn, uint32_t behind)
{
    if (BPF_OP(insn->code) == BPF_JA)
        return insn->k < behind;
    return insn->jt < behind && insn->jf < behind;
}

/* `behind`: how many instructions follow. */
static bool is_valid(const struct sock_filter *insn, uint32_t behind)
{
    switch (insn->code) {
    case BPF_LD | BPF_W | BPF_ABS:
        return insn->k < sizeof(struct seccomp_data) && insn->k % 4 == 0;
    case BPF_LD | BPF_MEM:
    case BPF_LDX | BPF_MEM:
    case BPF_ST:
    case BPF_STX:
        return insn->k < BPF_MEMWORDS;
    case BPF_ALU | BPF_DIV | BPF_K:
        return insn->k != 0;
    case BPF_ALU | BPF_LSH | BPF_K:
    case BPF_ALU | BPF_RSH | BPF_K:
        return insn->k < 32;
    case BPF_LD | BPF_W | BPF_LEN:
    case BPF_LDX | BPF_W | BPF_LEN:
    case BPF_LD | BPF_IMM:
    case BPF_LDX | BPF_IMM:
    case BPF_MISC | BPF_TAX:
    case BPF_MISC | BPF_TXA:
    case BPF_ALU | BPF_NEG:
    case BPF_RET | BPF_K:
    case BPF_RET | BPF_A:
        return true;
    default:
        break;
    }
    switch (insn->code & ~BPF_X) {
    case BPF_ALU | BPF_ADD:
    case BPF_ALU | BPF_SUB:
    case BPF_ALU | BPF_MUL:
    case BPF_ALU | BPF_DIV:
    case BPF_ALU | BPF_AND:
    case BPF_ALU | BPF_OR:
    case BPF_ALU | BPF_XOR:
    case BPF_ALU | BPF_LSH:
    case BPF_ALU | BPF_RSH:
        return true;
    case BPF_JMP | BPF_JA:
    case BPF_JMP | BPF_JEQ:
    case BPF_JMP | BPF_JGT:
    case BPF_JMP | BPF_JGE:
    case BPF_JMP | BPF_JSET:
        return jump_is_in_range(insn, behind);
    default:
        return false;
    }
}

static bool is_valid_program(const struct sock_filter *code, uint32_t length)
{
    if (length == 0 || length > BPF_MAXINSNS || BPF_CLASS(code[length - 1].code) != BPF_RET)
        return false;
    for (uint32_t i = 0; i < length; i++)
        if (!is_valid(&code[i], length - i - 1))
            return false;
    return true;
}

/* --- interpreting --- */

struct machine {
    uint32_t a, x, memory[BPF_MEMWORDS];
};

/* False: a division by zero, which ends the program with 0. */
static bool calculate(struct machine *m, const struct sock_filter *insn)
{
    uint32_t operand = BPF_SRC(insn->code) == BPF_X ? m->x : insn->k;
    switch (BPF_OP(insn->code)) {
    case BPF_ADD:
        m->a += operand;
        return true;
    case BPF_SUB:
        m->a -= operand;
        return true;
    case BPF_MUL:
        m->a *= operand;
        return true;
    case BPF_DIV:
        m->a = operand ? m->a / operand : 0;
        return operand != 0;
    case BPF_AND:
        m->a &= operand;
        return true;
    case BPF_OR:
        m->a |= operand;
        return true;
    case BPF_XOR:
        m->a ^= operand;
        return true;
    case BPF_LSH:
        m->a <<= operand & 31;
        return true;
    case BPF_RSH:
        m->a >>= operand & 31;
        return true;
    default:
        m->a = -m->a;
        return true;
    }
}

static uint32_t jump_distance(const struct machine *m, const struct sock_filter *insn)
{
    uint32_t operand = BPF_SRC(insn->code) == BPF_X ? m->x : insn->k;
    switch (BPF_OP(insn->code)) {
    case BPF_JEQ:
        return m->a == operand ? insn->jt : insn->jf;
    case BPF_JGT:
        return m->a > operand ? insn->jt : insn->jf;
    case BPF_JGE:
        return m->a >= operand ? insn->jt : insn->jf;
    case BPF_JSET:
        return m->a & operand ? insn->jt : insn->jf;
    default:
        return insn->k;
    }
}

static uint32_t loaded(const struct machine *m, const struct sock_filter *insn,
                       const struct seccomp_data *data)
{
    uint32_t word;
    switch (BPF_MODE(insn->code)) {
    case BPF_ABS:
        memcpy(&word, (const char *)data + insn->k, sizeof word);
        return word;
    case BPF_LEN:
        return sizeof *data;
    case BPF_MEM:
        return m->memory[insn->k];
    default:
        return insn->k;
    }
}

static uint32_t run(const struct rrs_filter *filter, const struct seccomp_data *data)
{
    struct machine m = {0};
    for (const struct sock_filter *insn = filter->code;; insn++)
        switch (BPF_CLASS(insn->code)) {
        case BPF_LD:
            m.a = loaded(&m, insn, data);
            break;
        case BPF_LDX:
            m.x = loaded(&m, insn, data);
            break;
        case BPF_ST:
            m.memory[insn->k] = m.a;
            break;
        case BPF_STX:
            m.memory[insn->k] = m.x;
            break;
        case BPF_ALU:
            if (!calculate(&m, insn))
                return 0;
            break;
        case BPF_JMP:
            insn += jump_distance(&m, insn);
            break;
        case BPF_MISC:
            if (BPF_MISCOP(insn->code) == BPF_TAX)
                m.x = m.a;
            else
                m.a = m.x;
            break;
        default:
            return BPF_RVAL(insn->code) == BPF_A ? m.a : insn->k;
        }
}

/* --- chains --- */

int rrs_filter_create(const struct sock_filter *code, uint32_t length, struct rrs_filter *older,
                      struct rrs_filter **filter)
{
    if (!is_valid_program(code, length))
        return -EINVAL;
    struct rrs_filter *made = malloc(sizeof *made + length * sizeof *code);
    if (!made)
        return -ENOMEM;
    made->references = 1;
    made->older = older;
    made->length = length;
    memcpy(made->code, code, length * sizeof *code);
    *filter = made;
    return 0;
}

struct rrs_filter *rrs_filter_keep(struct rrs_filter *filter)
{
    if (filter)
        filter->references++;
    return filter;
}

void rrs_filter_release(struct rrs_filter *filter)
{
    while (filter && --filter->references == 0) {
        struct rrs_filter *older = filter->older;
        free(filter);
        filter = older;
    }
}

uint32_t rrs_filter_evaluate(const struct rrs_filter *newest, const struct seccomp_data *data)
{
    uint32_t result = SECCOMP_RET_ALLOW;
    for (const struct rrs_filter *filter = newest; filter; filter = filter->older) {
        uint32_t value = run(filter, data);
        if ((int32_t)(value & SECCOMP_RET_ACTION_FULL) <
            (int32_t)(result & SECCOMP_RET_ACTION_FULL))
            result = value;
    }
    return result;
}
