/* SPDX-License-Identifier: MIT */
/*
 * gdb's agent expressions: the bytecode in which it hands over the condition of a breakpoint (gdb
 * manual, appendix "The GDB Agent Expression Mechanism"). Only what conditions need: nothing that
 * traces, prints or has side effects.
 */
#ifndef RRS_GDBSERVER_AGENT_EXPRESSION_H
#define RRS_GDBSERVER_AGENT_EXPRESSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct agent_machine {
    bool (*read_memory)(void *context, uint64_t address, void *to, size_t bytes);
    bool (*read_register)(void *context, unsigned number, uint64_t *value);
    void *context;
};

/** Runs the bytecode and gives what is on top of the stack at its end. False if it cannot: unknown
 * operation, unreadable memory, division by zero, no end. */
bool agent_evaluate(const struct agent_machine *machine, const uint8_t *code, size_t size,
                    uint64_t *result);

#endif
