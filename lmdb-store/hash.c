/* SPDX-License-Identifier: MIT */
/* The content hash, by libcrypto (man 3 EVP_DigestInit). */
#include "lmdb-store/hash.h"

#include "lmdb-store/invariant.h"
#include "lmdb-store/scope.h"

#include <openssl/evp.h>
#include <string.h>

struct rrs_hasher {
    EVP_MD *algorithm; /* fetched once: a fetch costs more than hashing a page */
    EVP_MD_CTX *context;
};

struct rrs_error *rrs_hasher_create(struct rrs_hasher **hasher)
{
    _cleanup_free_ struct rrs_hasher *made = calloc(1, sizeof *made);
    if (!made)
        return rrs_error_no_memory();
    made->algorithm = EVP_MD_fetch(NULL, "BLAKE2B-512", NULL);
    if (!made->algorithm)
        return rrs_error_create(RRS_ERROR_UNSUPPORTED, "libcrypto here has no BLAKE2b-512");
    made->context = EVP_MD_CTX_new();
    if (!made->context) {
        EVP_MD_free(made->algorithm);
        return rrs_error_no_memory();
    }
    *hasher = rrs_steal_pointer(&made);
    return NULL;
}

void rrs_hasher_destroy(struct rrs_hasher *hasher)
{
    if (!hasher)
        return;
    EVP_MD_CTX_free(hasher->context);
    EVP_MD_free(hasher->algorithm);
    free(hasher);
}

void rrs_hasher_begin(struct rrs_hasher *hasher)
{
    RRS_INVARIANT(EVP_DigestInit_ex2(hasher->context, hasher->algorithm, NULL),
                  "libcrypto can begin a hash");
}

void rrs_hasher_add(struct rrs_hasher *hasher, const void *data, size_t size_bytes)
{
    RRS_INVARIANT(EVP_DigestUpdate(hasher->context, data, size_bytes), "libcrypto can hash");
}

void rrs_hasher_end(struct rrs_hasher *hasher, struct rrs_hash *hash)
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    RRS_INVARIANT(EVP_DigestFinal_ex(hasher->context, digest, NULL), "libcrypto can end a hash");
    memcpy(hash->bytes, digest, RRS_HASH_BYTES);
}

void rrs_hasher_digest(struct rrs_hasher *hasher, const void *data, size_t size_bytes,
                       struct rrs_hash *hash)
{
    rrs_hasher_begin(hasher);
    rrs_hasher_add(hasher, data, size_bytes);
    rrs_hasher_end(hasher, hash);
}

char *rrs_hash_format(const struct rrs_hash *hash, char text[RRS_HASH_TEXT_BYTES])
{
    static const char digits[] = "0123456789abcdef";
    for (int i = 0; i < RRS_HASH_BYTES; i++) {
        text[2 * i] = digits[hash->bytes[i] >> 4];
        text[2 * i + 1] = digits[hash->bytes[i] & 15];
    }
    text[RRS_HASH_TEXT_BYTES - 1] = '\0';
    return text;
}

static int digit_value(char digit)
{
    if (digit >= '0' && digit <= '9')
        return digit - '0';
    if (digit >= 'a' && digit <= 'f')
        return digit - 'a' + 10;
    if (digit >= 'A' && digit <= 'F')
        return digit - 'A' + 10;
    return -1;
}

struct rrs_error *rrs_hash_parse(const char *text, struct rrs_hash *hash)
{
    struct rrs_hash parsed;
    for (int i = 0; i < 2 * RRS_HASH_BYTES; i++) {
        int value = digit_value(text[i]);
        if (value < 0)
            return rrs_error_create(RRS_ERROR_USAGE, "'%s' is no hash of %d hexadecimal digits",
                                    text, 2 * RRS_HASH_BYTES);
        parsed.bytes[i / 2] = (uint8_t)(i % 2 ? parsed.bytes[i / 2] | value : value << 4);
    }
    if (text[2 * RRS_HASH_BYTES])
        return rrs_error_create(RRS_ERROR_USAGE, "'%s' is longer than a hash", text);
    *hash = parsed;
    return NULL;
}
