/* SPDX-License-Identifier: MIT */
/*
 * Structs of ioctl and bpf that name other memory, or have an array behind them. The layouts are
 * those of the kernel's include/uapi/linux: they are fixed, so numbers do.
 */
#include "engine/syscalls/outputs_internal.h"

/* A header followed by elements; some of its fields say how many. */
static struct rrs_error *with_array(const struct rrs_outputs *o, rrs_addr addr, uint32_t header,
                                    uint64_t count, uint32_t element)
{
    return rrs_outputs_range(o, addr, header + count * element);
}

/*
 * if.h struct ifconf:
 *   0  int ifc_len
 *   8  ifc_buf
 */
struct rrs_error *rrs_follow_ifconf(const struct rrs_outputs *o,
                                    const struct rrs_argument *argument, rrs_addr addr)
{
    (void)argument;
    RRS_TRY(rrs_outputs_range(o, addr, 4));
    return rrs_outputs_range(o, rrs_outputs_read64(o, addr + 8), rrs_outputs_read32(o, addr));
}

/*
 * fiemap.h struct fiemap: (the extents, of 56 bytes each, begin at 32)
 *  20  u32 fm_mapped_extents
 *  24  u32 fm_extent_count
 */
struct rrs_error *rrs_follow_fiemap(const struct rrs_outputs *o,
                                    const struct rrs_argument *argument, rrs_addr addr)
{
    uint32_t mapped = rrs_outputs_read32(o, addr + 20), room = rrs_outputs_read32(o, addr + 24);
    uint32_t count = o->whole || mapped > room ? room : mapped;
    return with_array(o, addr, rrs_kind_bytes(argument->kind), count, 56);
}

/* fs.h struct file_dedupe_range: u16 dest_count at 16; the destinations, of 32 bytes, at 24. */
struct rrs_error *rrs_follow_dedupe(const struct rrs_outputs *o,
                                    const struct rrs_argument *argument, rrs_addr addr)
{
    uint32_t count = rrs_outputs_read32(o, addr + 16) & 0xffff;
    return with_array(o, addr, rrs_kind_bytes(argument->kind), count, 32);
}

/* blkzoned.h struct blk_zone_report: u32 nr_zones at 8; the zones, of 64 bytes, at 16. */
struct rrs_error *rrs_follow_zone_report(const struct rrs_outputs *o,
                                         const struct rrs_argument *argument, rrs_addr addr)
{
    uint32_t count = rrs_outputs_read32(o, addr + 8);
    return with_array(o, addr, rrs_kind_bytes(argument->kind), count, 64);
}

/*
 * scsi/sg.h struct sg_io_hdr:
 *   4  int dxfer_direction      10  u16 iovec_count      16  dxferp
 *   9  u8 mx_sb_len             12  u32 dxfer_len        32  sbp
 */
struct rrs_error *rrs_follow_sg_io_hdr(const struct rrs_outputs *o,
                                       const struct rrs_argument *argument, rrs_addr addr)
{
    enum { FROM_DEVICE = -3, TO_FROM_DEVICE = -4 };
    int direction = (int)rrs_outputs_read32(o, addr + 4);
    uint32_t sense = rrs_outputs_read32(o, addr + 8) >> 8 & 0xff;
    uint32_t vectors = rrs_outputs_read32(o, addr + 8) >> 16;
    uint64_t bytes = rrs_outputs_read32(o, addr + 12), data = rrs_outputs_read64(o, addr + 16);
    RRS_TRY(rrs_outputs_range(o, addr, rrs_kind_bytes(argument->kind)));
    RRS_TRY(rrs_outputs_range(o, rrs_outputs_read64(o, addr + 32), sense));
    if (direction != FROM_DEVICE && direction != TO_FROM_DEVICE)
        return NULL;
    if (vectors)
        return rrs_outputs_vector(o, data, vectors, bytes);
    return rrs_outputs_range(o, data, bytes);
}

/* --- bpf --- */

/*
 * Where the attributes of a command have a pointer to memory that is written, and the length of
 * that: bpf.h union bpf_attr, kernel/bpf/syscall.c. Without a length it is the size of the map's
 * values or keys, which only the kernel knows.
 */
static const struct bpf_output {
    uint8_t command, pointer_at, length_at, element;
} bpf_outputs[] = {
    {1, 16, 0, 0},                                  /* MAP_LOOKUP_ELEM: value */
    {4, 16, 0, 0},                                  /* MAP_GET_NEXT_KEY: next_key */
    {5, 32, 28, 1},                                 /* PROG_LOAD: log_buf, log_size */
    {10, 24, 12, 1},                                /* PROG_TEST_RUN: data_out, data_size_out */
    {10, 56, 44, 1},                                /* PROG_TEST_RUN: ctx_out, ctx_size_out */
    {15, 8, 4, 1},                                  /* OBJ_GET_INFO_BY_FD: info, info_len */
    {16, 16, 24, 4},                                /* PROG_QUERY: prog_ids, prog_cnt */
    {18, 8, 20, 1},                                 /* BTF_LOAD: btf_log_buf, btf_log_size */
    {20, 16, 12, 1},                                /* TASK_FD_QUERY: buf, buf_len */
    {21, 16, 0, 0},                                 /* MAP_LOOKUP_AND_DELETE_ELEM: value */
    {24, 8, 0, 0},                                  /* MAP_LOOKUP_BATCH: out_batch, keys, values */
    {24, 16, 0, 0},  {24, 24, 0, 0}, {25, 8, 0, 0}, /* MAP_LOOKUP_AND_DELETE_BATCH: the same */
    {25, 16, 0, 0},  {25, 24, 0, 0},
};

static struct rrs_error *bpf_output(const struct rrs_outputs *o, const struct bpf_output *output,
                                    rrs_addr attr, uint64_t attr_bytes)
{
    const uint32_t page = 4096, most = 16 << 20; /* no log is longer */
    if (output->pointer_at + 8u > attr_bytes || output->length_at + 4u > attr_bytes)
        return NULL;
    rrs_addr data = rrs_outputs_read64(o, attr + output->pointer_at);
    if (!output->length_at)
        return rrs_outputs_unsure(o, data, page - data % page, RRS_RANGE_UNKNOWN);
    uint64_t bytes = (uint64_t)rrs_outputs_read32(o, attr + output->length_at) * output->element;
    /* what is in an info may name more memory */
    return rrs_outputs_unsure(o, data, bytes < most ? bytes : most, RRS_RANGE_GUESSED);
}

struct rrs_error *rrs_follow_bpf_attr(const struct rrs_outputs *o,
                                      const struct rrs_argument *argument, rrs_addr addr)
{
    uint64_t bytes = rrs_outputs_count(o, argument, addr);
    RRS_TRY(rrs_outputs_range(o, addr, bytes));
    for (size_t i = 0; i < sizeof bpf_outputs / sizeof *bpf_outputs; i++)
        if (bpf_outputs[i].command == (uint32_t)o->call->args[0])
            RRS_TRY(bpf_output(o, &bpf_outputs[i], addr, bytes));
    return NULL;
}
