/* SPDX-License-Identifier: MIT */
/* What the parts of the generator share: a program that is being put together. */
#ifndef RRS_TESTS_TRANSLATE_BUILDER_H
#define RRS_TESTS_TRANSLATE_BUILDER_H

#include "tests/translate/generate.h"

struct builder {
    struct program *p;
    const struct sandbox *s;
    struct random *r;
    uint16_t avoid;      /* registers that plain instructions must leave alone */
    bool calm;           /* memory operands must not need registers of their own: r15 has data */
    bool registers_only; /* no memory operands */
    uint64_t target;     /* of an indirect branch */
    /* of the instruction at hand */
    const struct row *row;
    int rex_at;                 /* offset; -1: none */
    uint32_t rip_at, branch_at; /* offsets; 0: none */
    int branch_bytes;
    uint64_t rip_target;
    int rex_r, rex_x, rex_b;
    bool gs, vector, evex, no_vvvv, failed, short_immediate;
};

void put(struct builder *b, uint8_t byte);
void put_number(struct builder *b, uint64_t value, int bytes);
int vvvv(struct builder *b);

/** False, with nothing put, if it would need a register of `avoid`. */
bool put_instruction(struct builder *b, const struct row *row);

/** A plain instruction between registers. */
void put_filler(struct builder *b);

#endif
