/* SPDX-License-Identifier: MIT */
/*
 * Random programs of a few instructions, from the patterns of instructions.def, and random machine
 * states that suit them: what an operand addresses lies mostly in the sandbox's data.
 */
#ifndef RRS_TESTS_TRANSLATE_GENERATE_H
#define RRS_TESTS_TRANSLATE_GENERATE_H

#include "tests/translate/random.h"
#include "tests/translate/sandbox.h"

enum {
    PROGRAM_BYTES_MAX = 700,
    PROGRAM_MEMORY_WORDS_MAX = 16,
    SLOT_BYTES = 1024,
    SLOT_START = 256, /* where the program begins: hlt before and behind it */
};

/* What a row of instructions.def may say about its instruction. */
enum row_flags {
    ROW_TO_REGISTER = 1 << 0, /* goes where its register operand says */
    ROW_TO_MEMORY = 1 << 1,   /* goes where its operand says, a register or memory */
    ROW_TO_STACK = 1 << 2,    /* goes where the top of the stack says */
    ROW_EXIT = 1 << 3,        /* the engine carries it out: here, nothing may be changed before */
    ROW_ALONE = 1 << 4,       /* the engine executes it alone */
    ROW_NO_STEP = 1 << 5,     /* a single step would show in its result */
    ROW_SYSCALL = 1 << 6,
    ROW_XSAVE = 1 << 7,       /* its operand is aligned, eax says what is stored */
    ROW_STRING = 1 << 8,      /* rsi, rdi and rcx suit it */
    ROW_LOAD_FLAGS = 1 << 9,  /* the stack's top suits popf */
    ROW_BIT_MEMORY = 1 << 10, /* the register operand moves the address */
    ROW_RIP = 1 << 11,        /* its memory operand is RIP-relative */
};

struct row {
    const char *class_name, *pattern;
    uint32_t flags;
};

extern const struct row rows[];
extern const uint32_t row_count;

struct memory_word {
    uint64_t address, value;
};

struct program {
    uint64_t start; /* address of the first byte; SLOT_START bytes of hlt stand before it */
    uint8_t bytes[PROGRAM_BYTES_MAX];
    uint32_t count;
    uint32_t flags;   /* of its rows, together */
    uint32_t exit_at; /* offset of a ROW_EXIT instruction */
    uint16_t fixed;   /* bit n: register n must hold value[n] */
    uint64_t value[16];
    struct memory_word words[PROGRAM_MEMORY_WORDS_MAX];
    uint32_t word_count;
    uint64_t target; /* where ROW_TO_STACK goes */
};

/** One instruction of `row`, between a few plain ones. */
void generate_one(struct program *program, const struct sandbox *sandbox, struct random *r,
                  const struct row *row);

/** Loops, calls and jumps with plain instructions between them. */
void generate_flow(struct program *program, const struct sandbox *sandbox, struct random *r);

/** Instructions for generate_flow() beside those of instructions.def; borrowed. */
struct plain_insn {
    uint8_t length, disp_offset;
    uint8_t bytes[15];
};
void generate_use_plain(const struct plain_insn *insns, uint32_t count);

/** Copies the program to its place, with hlt around it. */
void program_place(const struct program *program, const struct sandbox *sandbox);

/** A state to run the program from, and data and stack. */
void generate_state(const struct program *program, const struct sandbox *sandbox, struct random *r,
                    struct machine_state *state);

/** Which of the calls that ROW_SYSCALL makes are untraced. */
void generate_call_classes(const struct sandbox *sandbox, struct random *r);

#endif
