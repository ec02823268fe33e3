/* SPDX-License-Identifier: MIT */
/* Test that the content hash is BLAKE2b-512 cut to 256 bits, and that its text form reads back. */
#include "lmdb-store/hash.h"

#include "tests/unit/test.h"

int main(void)
{
    struct rrs_hasher *hasher;
    struct rrs_hash hash, parsed;
    char text[RRS_HASH_TEXT_BYTES];
    CHECK_OK(rrs_hasher_create(&hasher));
    /* RFC 7693, appendix A */
    rrs_hasher_digest(hasher, "abc", 3, &hash);
    CHECK_STRING(rrs_hash_format(&hash, text),
                 "ba80a53f981c4d0d6a2797b69f12f6e94c212f14685ac4b74b12bb6fdbffa2d1");
    CHECK_OK(rrs_hash_parse(text, &parsed));
    CHECK(memcmp(&hash, &parsed, sizeof hash) == 0);
    rrs_hasher_begin(hasher);
    rrs_hasher_add(hasher, "a", 1);
    rrs_hasher_add(hasher, NULL, 0);
    rrs_hasher_add(hasher, "bc", 2);
    rrs_hasher_end(hasher, &parsed);
    CHECK(memcmp(&hash, &parsed, sizeof hash) == 0);
    CHECK_FAILS(rrs_hash_parse("ba80", &parsed), USAGE);
    text[5] = 'x';
    CHECK_FAILS(rrs_hash_parse(text, &parsed), USAGE);
    CHECK_FAILS(rrs_hash_parse("ba80a53f981c4d0d6a2797b69f12f6e94c212f14685ac4b74b12bb6fdbffa2d10",
                               &parsed),
                USAGE);
    rrs_hasher_destroy(hasher);
    return 0;
}
