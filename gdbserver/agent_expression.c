/* SPDX-License-Identifier: MIT */
/*
 * The interpreter of agent expressions; see the header. Operands are big-endian, memory is in the
 * order of the target. Each family of operations is one function, and says whether it could.
 */
#include "gdbserver/agent_expression.h"

#include "lmdb-store/bytes.h"

enum { STACK_CELLS = 64, MAX_STEPS = 10000 };

enum operation {
    OP_ADD = 0x02,
    OP_SUB,
    OP_MUL,
    OP_DIV_SIGNED,
    OP_DIV_UNSIGNED,
    OP_REM_SIGNED,
    OP_REM_UNSIGNED,
    OP_LSH,
    OP_RSH_SIGNED,
    OP_RSH_UNSIGNED,
    OP_LOG_NOT = 0x0e,
    OP_BIT_AND,
    OP_BIT_OR,
    OP_BIT_XOR,
    OP_BIT_NOT,
    OP_EQUAL,
    OP_LESS_SIGNED,
    OP_LESS_UNSIGNED,
    OP_EXT,
    OP_REF8,
    OP_REF16,
    OP_REF32,
    OP_REF64,
    OP_IF_GOTO = 0x20,
    OP_GOTO,
    OP_CONST8,
    OP_CONST16,
    OP_CONST32,
    OP_CONST64,
    OP_REG,
    OP_END,
    OP_DUP,
    OP_POP,
    OP_ZERO_EXT,
    OP_SWAP,
    OP_PICK = 0x32,
    OP_ROT,
};

struct run {
    const struct agent_machine *machine;
    const uint8_t *code;
    size_t size, at;
    uint64_t stack[STACK_CELLS];
    size_t depth;
};

static bool push(struct run *run, uint64_t value)
{
    if (run->depth == STACK_CELLS)
        return false;
    run->stack[run->depth++] = value;
    return true;
}

static bool pop(struct run *run, uint64_t *value)
{
    if (run->depth == 0)
        return false;
    *value = run->stack[--run->depth];
    return true;
}

static bool take_operand(struct run *run, size_t bytes, uint64_t *operand)
{
    if (run->size - run->at < bytes)
        return false;
    *operand = 0;
    while (bytes-- > 0)
        *operand = *operand << 8 | run->code[run->at++];
    return true;
}

/* Division by zero, and the one quotient that has no place, are errors. */
static bool divide(enum operation operation, uint64_t a, uint64_t b, uint64_t *result)
{
    bool is_signed = operation == OP_DIV_SIGNED || operation == OP_REM_SIGNED;
    if (b == 0 || (is_signed && (int64_t)a == INT64_MIN && (int64_t)b == -1))
        return false;
    switch (operation) {
    case OP_DIV_SIGNED:
        *result = (uint64_t)((int64_t)a / (int64_t)b);
        return true;
    case OP_REM_SIGNED:
        *result = (uint64_t)((int64_t)a % (int64_t)b);
        return true;
    case OP_DIV_UNSIGNED:
        *result = a / b;
        return true;
    default:
        *result = a % b;
        return true;
    }
}

static uint64_t shift(enum operation operation, uint64_t a, uint64_t b)
{
    if (operation == OP_RSH_SIGNED)
        return (uint64_t)((int64_t)a >> (b > 63 ? 63 : b));
    if (b > 63)
        return 0;
    return operation == OP_LSH ? a << b : a >> b;
}

static bool run_binary(struct run *run, enum operation operation)
{
    uint64_t a, b, result;
    if (!pop(run, &b) || !pop(run, &a))
        return false;
    switch (operation) {
    case OP_ADD:
        return push(run, a + b);
    case OP_SUB:
        return push(run, a - b);
    case OP_MUL:
        return push(run, a * b);
    case OP_BIT_AND:
        return push(run, a & b);
    case OP_BIT_OR:
        return push(run, a | b);
    case OP_BIT_XOR:
        return push(run, a ^ b);
    case OP_EQUAL:
        return push(run, a == b);
    case OP_LESS_SIGNED:
        return push(run, (int64_t)a < (int64_t)b);
    case OP_LESS_UNSIGNED:
        return push(run, a < b);
    case OP_LSH:
    case OP_RSH_SIGNED:
    case OP_RSH_UNSIGNED:
        return push(run, shift(operation, a, b));
    default:
        return divide(operation, a, b, &result) && push(run, result);
    }
}

static bool run_extend(struct run *run, bool is_signed)
{
    uint64_t bits, value;
    if (!take_operand(run, 1, &bits) || !pop(run, &value))
        return false;
    if (bits == 0 || bits >= 64)
        return push(run, value);
    unsigned unused = 64 - (unsigned)bits;
    value <<= unused;
    return push(run, is_signed ? (uint64_t)((int64_t)value >> unused) : value >> unused);
}

static bool run_reference(struct run *run, size_t bytes)
{
    uint64_t address;
    uint8_t data[8] = {0};
    return pop(run, &address) &&
           run->machine->read_memory(run->machine->context, address, data, bytes) &&
           push(run, rrs_load_le64(data));
}

static bool run_jump(struct run *run, bool conditional)
{
    uint64_t target, condition = 1;
    if (!take_operand(run, 2, &target) || (conditional && !pop(run, &condition)))
        return false;
    if (condition)
        run->at = target;
    return run->at < run->size;
}

static bool run_register(struct run *run)
{
    uint64_t number, value;
    return take_operand(run, 2, &number) &&
           run->machine->read_register(run->machine->context, (unsigned)number, &value) &&
           push(run, value);
}

static bool run_constant(struct run *run, size_t bytes)
{
    uint64_t value;
    return take_operand(run, bytes, &value) && push(run, value);
}

static bool run_pick(struct run *run, uint64_t from_top)
{
    return from_top < run->depth && push(run, run->stack[run->depth - 1 - from_top]);
}

static bool run_swap(struct run *run)
{
    uint64_t a, b;
    return pop(run, &b) && pop(run, &a) && push(run, b) && push(run, a);
}

/* a b c becomes c a b. */
static bool run_rotate(struct run *run)
{
    uint64_t a, b, c;
    return pop(run, &c) && pop(run, &b) && pop(run, &a) && push(run, c) && push(run, a) &&
           push(run, b);
}

static bool run_operation(struct run *run, enum operation operation)
{
    uint64_t value;
    switch (operation) {
    case OP_LOG_NOT:
        return pop(run, &value) && push(run, !value);
    case OP_BIT_NOT:
        return pop(run, &value) && push(run, ~value);
    case OP_EXT:
    case OP_ZERO_EXT:
        return run_extend(run, operation == OP_EXT);
    case OP_REF8:
    case OP_REF16:
    case OP_REF32:
    case OP_REF64:
        return run_reference(run, (size_t)1 << (operation - OP_REF8));
    case OP_IF_GOTO:
    case OP_GOTO:
        return run_jump(run, operation == OP_IF_GOTO);
    case OP_CONST8:
    case OP_CONST16:
    case OP_CONST32:
    case OP_CONST64:
        return run_constant(run, (size_t)1 << (operation - OP_CONST8));
    case OP_REG:
        return run_register(run);
    case OP_DUP:
        return run_pick(run, 0);
    case OP_POP:
        return pop(run, &value);
    case OP_SWAP:
        return run_swap(run);
    case OP_PICK:
        return take_operand(run, 1, &value) && run_pick(run, value);
    case OP_ROT:
        return run_rotate(run);
    default:
        return ((operation >= OP_ADD && operation <= OP_RSH_UNSIGNED) ||
                (operation >= OP_BIT_AND && operation <= OP_LESS_UNSIGNED)) &&
               run_binary(run, operation);
    }
}

bool agent_evaluate(const struct agent_machine *machine, const uint8_t *code, size_t size,
                    uint64_t *result)
{
    struct run run = {.machine = machine, .code = code, .size = size};
    for (int steps = 0; steps < MAX_STEPS && run.at < size; steps++) {
        enum operation operation = code[run.at++];
        if (operation == OP_END)
            return pop(&run, result);
        if (!run_operation(&run, operation))
            return false;
    }
    return false;
}
