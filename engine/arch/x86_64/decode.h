/* SPDX-License-Identifier: MIT */
/*
 * One x86-64 instruction, reduced to what translation has to know: its length, how it moves the
 * program counter, which arithmetic flags it reads and surely overwrites, and where its
 * RIP-relative displacement stands. All else stays in the bytes, which are copied.
 */
#ifndef RRS_ENGINE_ARCH_X86_64_DECODE_H
#define RRS_ENGINE_ARCH_X86_64_DECODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { RRS_INSN_MAX_BYTES = 15 };

/* The six arithmetic flags at their places in RFLAGS (SDM vol. 1 §3.4.3). */
enum {
    RRS_FLAG_CF = 1 << 0,
    RRS_FLAG_PF = 1 << 2,
    RRS_FLAG_AF = 1 << 4,
    RRS_FLAG_ZF = 1 << 6,
    RRS_FLAG_SF = 1 << 7,
    RRS_FLAG_OF = 1 << 11,
    RRS_FLAGS_ARITHMETIC =
        RRS_FLAG_CF | RRS_FLAG_PF | RRS_FLAG_AF | RRS_FLAG_ZF | RRS_FLAG_SF | RRS_FLAG_OF,
    RRS_FLAGS_OF_CALLS = RRS_FLAG_ZF | RRS_FLAG_PF, /* what every call leaves: nobody reads it */
};

enum rrs_insn_kind {
    RRS_INSN_PLAIN,         /* copied; falls through to the next instruction */
    RRS_INSN_JCC,           /* conditional jump, `condition` is the SDM's cc */
    RRS_INSN_LOOP,          /* loop, loope, loopne, jrcxz, jecxz */
    RRS_INSN_JMP,           /* direct */
    RRS_INSN_CALL,          /* direct */
    RRS_INSN_JMP_INDIRECT,  /* register or memory */
    RRS_INSN_CALL_INDIRECT, /* register or memory */
    RRS_INSN_RET,           /* near; `ret_bytes` more are popped */
    RRS_INSN_SYSCALL,       /* 0f 05 */
    RRS_INSN_XBEGIN,        /* direct; always aborts */
    RRS_INSN_TRAPPED,       /* its result is no function of the program's state: the engine's */
    RRS_INSN_XSAVE,         /* its family: TRAPPED if it will store the x87 state, else PLAIN */
    RRS_INSN_IRET,          /* the engine loads the frame */
    RRS_INSN_REFUSED,       /* far transfers, int 0x80, sysenter */
    RRS_INSN_UNKNOWN,       /* the decoder does not know it: executed alone */
};

/* What the engine does for a RRS_INSN_TRAPPED instruction. */
enum rrs_trapped_op {
    RRS_TRAPPED_NONE,
    RRS_TRAPPED_RDTSC,
    RRS_TRAPPED_RDTSCP,
    RRS_TRAPPED_CPUID,
    RRS_TRAPPED_XGETBV,
    RRS_TRAPPED_ALONE,        /* executed alone by the CPU, with the program's registers */
    RRS_TRAPPED_X87_POINTERS, /* the same; then the x87 pointers that it stored become 0 */
};

struct rrs_insn {
    uint8_t length; /* bytes, prefixes included */
    uint8_t kind;   /* enum rrs_insn_kind */
    uint8_t condition;
    uint8_t trapped_op; /* enum rrs_trapped_op */
    bool may_write;     /* PLAIN: may store to memory (said of loads too, where that is easier) */
    uint8_t opcode_offset; /* of the opcode byte within `bytes` */
    uint8_t modrm_offset;  /* 0: no ModRM byte */
    uint8_t disp_offset;   /* of the RIP-relative displacement; 0: not RIP-relative */
    uint16_t ret_bytes;
    uint16_t flags_read;   /* RRS_FLAG_* that it may read */
    uint16_t flags_killed; /* RRS_FLAG_* that it overwrites whatever its operands are */
    int32_t disp;          /* of a RIP-relative operand, from the end of the instruction */
    int64_t branch;        /* direct transfers: target minus the end of the instruction */
    uint8_t bytes[RRS_INSN_MAX_BYTES];
};

struct rrs_decoder;

/** Makes a decoder for 64-bit code as this machine's CPU reads it. NULL if memory is out. */
struct rrs_decoder *rrs_decoder_create(void);
void rrs_decoder_destroy(struct rrs_decoder *decoder);

/**
 * Decodes the instruction at `bytes[0..size)`. Returns false, with nothing written, if the bytes
 * end before the instruction does. Bytes that are no instruction give RRS_INSN_UNKNOWN with all of
 * the (at most 15) bytes as its length.
 */
bool rrs_decode(const struct rrs_decoder *decoder, const uint8_t *bytes, size_t size,
                struct rrs_insn *insn);

/** Whether this is a tick instruction: a near transfer that can lead to its own or a lower address.
 */
bool rrs_insn_ticks(const struct rrs_insn *insn);

/**
 * Whether nobody reads the arithmetic flags across this transfer: by the ABI, that holds for calls.
 * It does not hold for indirect jumps (gcc tests a flag before a switch and branches on it in the
 * cases), nor for returns (Go interrupts a loop by a call that ends in popf, pops and ret).
 */
bool rrs_insn_ends_flags(const struct rrs_insn *insn);

/** Whether control may go elsewhere than to the next instruction: such an instruction ends a block.
 */
bool rrs_insn_ends_block(const struct rrs_insn *insn);

#endif
