/* SPDX-License-Identifier: MIT */
/* Test that variable-length numbers survive, and that cut or overlong ones are refused. */
#include "lmdb-store/varint.h"

#include "tests/unit/test.h"

static void check_round_trip(uint64_t value)
{
    uint8_t bytes[RRS_VARINT_MAX_BYTES];
    const uint8_t *from = bytes, *end = rrs_varint_write(bytes, value);
    uint64_t read;
    CHECK(rrs_varint_read(&from, end, &read));
    CHECK_EQUAL(read, value);
    CHECK(from == end);
    from = bytes;
    CHECK(!rrs_varint_read(&from, end - 1, &read));
    CHECK_EQUAL(rrs_zigzag_unfold(rrs_zigzag_fold((int64_t)value)), value);
}

int main(void)
{
    for (int bit = 0; bit < 64; bit++)
        for (int delta = -1; delta <= 1; delta++)
            check_round_trip((UINT64_C(1) << bit) + (uint64_t)delta);
    check_round_trip(UINT64_MAX);
    const uint8_t too_large[] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2};
    const uint8_t too_long[] = {0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0};
    const uint8_t *from = too_large;
    uint64_t read;
    CHECK(!rrs_varint_read(&from, too_large + sizeof too_large, &read));
    from = too_long;
    CHECK(!rrs_varint_read(&from, too_long + sizeof too_long, &read));
    return 0;
}
