/* SPDX-License-Identifier: MIT */
/* Zydis's view of an instruction, reduced to struct rrs_insn. */
#include "engine/arch/x86_64/decode.h"

#include <Zydis/Zydis.h>
#include <cpuid.h>
#include <stdlib.h>
#include <string.h>

struct rrs_decoder {
    ZydisDecoder zydis;
    bool has_rtm;
    bool obeys_66; /* an operand-size prefix cuts the target of a near branch to 16 bits */
};

static bool cpu_is_amd(void)
{
    unsigned a, b, c, d;
    return __get_cpuid(0, &a, &b, &c, &d) && b == signature_AMD_ebx;
}

static bool cpu_has_rtm(void)
{
    unsigned a, b, c, d;
    return __get_cpuid_count(7, 0, &a, &b, &c, &d) && (b & bit_RTM);
}

struct rrs_decoder *rrs_decoder_create(void)
{
    struct rrs_decoder *decoder = calloc(1, sizeof *decoder);
    if (!decoder)
        return NULL;
    ZydisDecoderInit(&decoder->zydis, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
    /* An operand-size prefix on a near branch is ignored by Intel and obeyed by AMD. */
    decoder->obeys_66 = cpu_is_amd();
    ZydisDecoderEnableMode(&decoder->zydis, ZYDIS_DECODER_MODE_AMD_BRANCHES, decoder->obeys_66);
    decoder->has_rtm = cpu_has_rtm();
    return decoder;
}

void rrs_decoder_destroy(struct rrs_decoder *decoder)
{
    free(decoder);
}

/*
 * Flags that an instruction leaves "undefined" are not taken as overwritten: some CPUs keep the old
 * value then, and with it a trace of the tick count. The one exception is AF after and/or/xor/test,
 * which both vendors clear.
 */
static uint16_t flags_killed(const ZydisDecodedInstruction *z)
{
    const ZydisAccessedFlags *flags = z->cpu_flags;
    if (!flags)
        return 0;
    switch (z->meta.category) {
    case ZYDIS_CATEGORY_SHIFT:
    case ZYDIS_CATEGORY_ROTATE:
        return 0; /* a count of zero leaves all flags */
    case ZYDIS_CATEGORY_STRINGOP:
        if (z->attributes & (ZYDIS_ATTRIB_HAS_REP | ZYDIS_ATTRIB_HAS_REPE | ZYDIS_ATTRIB_HAS_REPNE))
            return 0;
        break;
    default:
        break;
    }
    uint32_t killed = flags->modified | flags->set_0 | flags->set_1;
    switch (z->mnemonic) {
    case ZYDIS_MNEMONIC_AND:
    case ZYDIS_MNEMONIC_OR:
    case ZYDIS_MNEMONIC_XOR:
    case ZYDIS_MNEMONIC_TEST:
        killed |= RRS_FLAG_AF;
        break;
    case ZYDIS_MNEMONIC_SHLD:
    case ZYDIS_MNEMONIC_SHRD:
        return 0;
    default:
        break;
    }
    return killed & RRS_FLAGS_ARITHMETIC;
}

static uint16_t flags_read(const ZydisDecodedInstruction *z)
{
    switch (z->meta.category) {
    case ZYDIS_CATEGORY_INTERRUPT:
    case ZYDIS_CATEGORY_SYSCALL:
    case ZYDIS_CATEGORY_SYSTEM:
        return RRS_FLAGS_ARITHMETIC;
    default:
        break;
    }
    switch (z->mnemonic) {
    case ZYDIS_MNEMONIC_UD0:
    case ZYDIS_MNEMONIC_UD1:
    case ZYDIS_MNEMONIC_UD2:
    case ZYDIS_MNEMONIC_PUSHF:
    case ZYDIS_MNEMONIC_PUSHFQ:
    case ZYDIS_MNEMONIC_LAHF:
        return RRS_FLAGS_ARITHMETIC;
    default:
        return z->cpu_flags ? z->cpu_flags->tested & RRS_FLAGS_ARITHMETIC : 0;
    }
}

static bool is_xsave(ZydisMnemonic mnemonic)
{
    switch (mnemonic) {
    case ZYDIS_MNEMONIC_XSAVE:
    case ZYDIS_MNEMONIC_XSAVE64:
    case ZYDIS_MNEMONIC_XSAVEC:
    case ZYDIS_MNEMONIC_XSAVEC64:
    case ZYDIS_MNEMONIC_XSAVEOPT:
    case ZYDIS_MNEMONIC_XSAVEOPT64:
        return true;
    default:
        return false;
    }
}

static enum rrs_trapped_op trapped_op(ZydisMnemonic mnemonic)
{
    switch (mnemonic) {
    case ZYDIS_MNEMONIC_RDTSC:
        return RRS_TRAPPED_RDTSC;
    case ZYDIS_MNEMONIC_RDTSCP:
        return RRS_TRAPPED_RDTSCP;
    case ZYDIS_MNEMONIC_CPUID:
        return RRS_TRAPPED_CPUID;
    case ZYDIS_MNEMONIC_XGETBV:
        return RRS_TRAPPED_XGETBV;
    case ZYDIS_MNEMONIC_RDPMC:
    case ZYDIS_MNEMONIC_RDRAND:
    case ZYDIS_MNEMONIC_RDSEED:
    case ZYDIS_MNEMONIC_RDPID:
    case ZYDIS_MNEMONIC_LSL:
    case ZYDIS_MNEMONIC_SGDT:
    case ZYDIS_MNEMONIC_SIDT:
    case ZYDIS_MNEMONIC_SLDT:
    case ZYDIS_MNEMONIC_STR:
    case ZYDIS_MNEMONIC_SMSW:
    case ZYDIS_MNEMONIC_UMWAIT:
    case ZYDIS_MNEMONIC_TPAUSE:
    case ZYDIS_MNEMONIC_ENQCMD:
        return RRS_TRAPPED_ALONE;
    case ZYDIS_MNEMONIC_FNSTENV:
    case ZYDIS_MNEMONIC_FNSAVE:
    case ZYDIS_MNEMONIC_FXSAVE:
    case ZYDIS_MNEMONIC_FXSAVE64:
        return RRS_TRAPPED_X87_POINTERS;
    default:
        return is_xsave(mnemonic) ? RRS_TRAPPED_X87_POINTERS : RRS_TRAPPED_NONE;
    }
}

static enum rrs_insn_kind branch_kind(const ZydisDecodedInstruction *z)
{
    bool direct = z->raw.imm[0].is_relative;
    if (z->meta.branch_type == ZYDIS_BRANCH_TYPE_FAR)
        return RRS_INSN_REFUSED;
    switch (z->meta.category) {
    case ZYDIS_CATEGORY_CALL:
        return direct ? RRS_INSN_CALL : RRS_INSN_CALL_INDIRECT;
    case ZYDIS_CATEGORY_UNCOND_BR:
        return direct ? RRS_INSN_JMP : RRS_INSN_JMP_INDIRECT;
    default:
        return RRS_INSN_RET;
    }
}

static bool is_near_branch(const ZydisDecodedInstruction *z)
{
    switch (z->meta.category) {
    case ZYDIS_CATEGORY_COND_BR:
    case ZYDIS_CATEGORY_CALL:
    case ZYDIS_CATEGORY_UNCOND_BR:
    case ZYDIS_CATEGORY_RET:
        return z->mnemonic != ZYDIS_MNEMONIC_XBEGIN;
    default:
        return false;
    }
}

/* Zydis gives most of these the width of 64 bits: the prefixes have to say it. */
static bool is_cut_to_16_bits(const struct rrs_decoder *decoder, const ZydisDecodedInstruction *z)
{
    return decoder->obeys_66 && is_near_branch(z) &&
           (z->attributes & ZYDIS_ATTRIB_HAS_OPERANDSIZE) && !z->raw.rex.W;
}

static enum rrs_insn_kind kind_of(const struct rrs_decoder *decoder,
                                  const ZydisDecodedInstruction *z)
{
    if (is_cut_to_16_bits(decoder, z))
        return RRS_INSN_REFUSED;
    switch (z->mnemonic) {
    case ZYDIS_MNEMONIC_LOOP:
    case ZYDIS_MNEMONIC_LOOPE:
    case ZYDIS_MNEMONIC_LOOPNE:
    case ZYDIS_MNEMONIC_JRCXZ:
    case ZYDIS_MNEMONIC_JECXZ:
        return RRS_INSN_LOOP;
    case ZYDIS_MNEMONIC_SYSCALL:
        return RRS_INSN_SYSCALL;
    case ZYDIS_MNEMONIC_SYSENTER:
    case ZYDIS_MNEMONIC_SYSEXIT:
        return RRS_INSN_REFUSED;
    case ZYDIS_MNEMONIC_INT:
        return z->raw.imm[0].value.u == 0x80 ? RRS_INSN_REFUSED : RRS_INSN_PLAIN;
    case ZYDIS_MNEMONIC_IRET:
    case ZYDIS_MNEMONIC_IRETD:
        return RRS_INSN_REFUSED;
    case ZYDIS_MNEMONIC_IRETQ:
        return RRS_INSN_IRET;
    case ZYDIS_MNEMONIC_XBEGIN:
        return decoder->has_rtm ? RRS_INSN_XBEGIN : RRS_INSN_UNKNOWN;
    default:
        break;
    }
    if (is_xsave(z->mnemonic))
        return RRS_INSN_XSAVE;
    if (trapped_op(z->mnemonic) != RRS_TRAPPED_NONE)
        return RRS_INSN_TRAPPED;
    switch (z->meta.category) {
    case ZYDIS_CATEGORY_COND_BR:
        return RRS_INSN_JCC;
    case ZYDIS_CATEGORY_CALL:
    case ZYDIS_CATEGORY_UNCOND_BR:
    case ZYDIS_CATEGORY_RET:
        return branch_kind(z);
    default:
        return RRS_INSN_PLAIN;
    }
}

static void set_unknown(struct rrs_insn *insn, const uint8_t *bytes, size_t size)
{
    *insn = (struct rrs_insn){
        .kind = RRS_INSN_UNKNOWN,
        .length = size < RRS_INSN_MAX_BYTES ? size : RRS_INSN_MAX_BYTES,
        .flags_read = RRS_FLAGS_ARITHMETIC,
    };
    memcpy(insn->bytes, bytes, insn->length);
}

/* The opcode byte is the last one before ModRM, or before displacement and immediate. */
static uint8_t opcode_offset(const ZydisDecodedInstruction *z)
{
    if (z->raw.modrm.offset)
        return z->raw.modrm.offset - 1;
    if (z->raw.disp.size)
        return z->raw.disp.offset - 1;
    if (z->raw.imm[0].size)
        return z->raw.imm[0].offset - 1;
    return z->length - 1;
}

static bool may_write(const ZydisDecodedInstruction *z)
{
    switch (z->meta.category) {
    case ZYDIS_CATEGORY_PUSH:
    case ZYDIS_CATEGORY_STRINGOP:
        return true;
    case ZYDIS_CATEGORY_NOP:
    case ZYDIS_CATEGORY_WIDENOP:
    case ZYDIS_CATEGORY_PREFETCH:
        return false;
    default:
        break;
    }
    if (z->mnemonic == ZYDIS_MNEMONIC_LEA || z->mnemonic == ZYDIS_MNEMONIC_CMP ||
        z->mnemonic == ZYDIS_MNEMONIC_TEST || z->mnemonic == ZYDIS_MNEMONIC_POP)
        return false;
    bool moffs_store = z->opcode_map == ZYDIS_OPCODE_MAP_DEFAULT && (z->opcode & 0xfe) == 0xa2;
    bool load = z->opcode_map == ZYDIS_OPCODE_MAP_DEFAULT && (z->opcode & 0xfe) == 0x8a;
    bool memory = (z->attributes & ZYDIS_ATTRIB_HAS_MODRM) && z->raw.modrm.mod != 3;
    return moffs_store || (memory && !load) || z->mnemonic == ZYDIS_MNEMONIC_ENTER;
}

bool rrs_decode(const struct rrs_decoder *decoder, const uint8_t *bytes, size_t size,
                struct rrs_insn *insn)
{
    ZydisDecodedInstruction z;
    ZyanStatus status = ZydisDecoderDecodeInstruction(&decoder->zydis, NULL, bytes, size, &z);
    if (!ZYAN_SUCCESS(status)) {
        if (status == ZYDIS_STATUS_NO_MORE_DATA)
            return false;
        set_unknown(insn, bytes, size);
        return true;
    }
    *insn = (struct rrs_insn){
        .length = z.length,
        .kind = kind_of(decoder, &z),
        .trapped_op = trapped_op(z.mnemonic),
        .may_write = may_write(&z),
        .opcode_offset = opcode_offset(&z),
        .flags_read = flags_read(&z),
        .flags_killed = flags_killed(&z),
    };
    memcpy(insn->bytes, bytes, z.length);
    if (z.attributes & ZYDIS_ATTRIB_HAS_MODRM) {
        insn->modrm_offset = z.raw.modrm.offset;
        if (z.raw.modrm.mod == 0 && z.raw.modrm.rm == 5) {
            insn->disp_offset = z.raw.disp.offset;
            insn->disp = (int32_t)z.raw.disp.value;
        }
    }
    if (z.raw.imm[0].is_relative)
        insn->branch = z.raw.imm[0].value.s;
    if (insn->kind == RRS_INSN_JCC)
        insn->condition = insn->bytes[insn->opcode_offset] & 15;
    if (insn->kind == RRS_INSN_RET && z.raw.imm[0].size)
        insn->ret_bytes = (uint16_t)z.raw.imm[0].value.u;
    return true;
}

bool rrs_insn_ticks(const struct rrs_insn *insn)
{
    switch (insn->kind) {
    case RRS_INSN_RET:
    case RRS_INSN_JMP_INDIRECT:
    case RRS_INSN_CALL_INDIRECT:
        return true;
    case RRS_INSN_JCC:
    case RRS_INSN_LOOP:
    case RRS_INSN_JMP:
    case RRS_INSN_CALL:
    case RRS_INSN_XBEGIN:
        return insn->branch <= -(int64_t)insn->length;
    default:
        return false;
    }
}

bool rrs_insn_ends_flags(const struct rrs_insn *insn)
{
    return insn->kind == RRS_INSN_CALL || insn->kind == RRS_INSN_CALL_INDIRECT;
}

bool rrs_insn_ends_block(const struct rrs_insn *insn)
{
    return insn->kind != RRS_INSN_PLAIN;
}
