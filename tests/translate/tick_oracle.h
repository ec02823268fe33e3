/* SPDX-License-Identifier: MIT */
/*
 * What single steps of the CPU say about ticks and flags. Which instruction ticks is decided from
 * its opcode here, apart from the decoder under test.
 */
#ifndef RRS_TESTS_TRANSLATE_TICK_ORACLE_H
#define RRS_TESTS_TRANSLATE_TICK_ORACLE_H

#include "tests/translate/generate.h"
#include "tests/translate/shadow.h"

/** Whether the instruction at `code` ticks, by its bytes. */
bool oracle_is_tick(const uint8_t *code);

/** Tick instructions retired before the last of `steps`, which did not retire. */
uint64_t oracle_ticks(const struct step *steps, int count);

/** The step before tick instruction number `tick`, from 0. */
int oracle_step_of_tick(const struct step *steps, int count, uint64_t tick);

/** Flags whose values at `steps[step]` are defined: not older than the last transfer that ends
 * them.
 */
uint64_t oracle_valid_flags(const struct shadow *shadow, const struct step *steps, int step);

/** Whether an instruction computes with flags that a call has ended: what it gives is undefined. */
bool oracle_reads_dead_flags(const struct shadow *shadow, const struct step *steps, int count);

/** Zeroes what the program's fnstenv, fnsave, fxsave or xsave stored of code addresses. */
void oracle_clear_pointers(const struct shadow *shadow, const struct program *program,
                           const struct step *steps, int count);

/**
 * Whether one of the steps may have read or written the memory in which AddressSanitizer keeps its
 * notes: it lies where odd pointers lead, and what is in it changes from run to run. False in a
 * build without it.
 */
bool oracle_met_sanitizer(const struct shadow *shadow, const struct step *steps, int count);

#endif
