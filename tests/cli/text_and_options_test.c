/* SPDX-License-Identifier: MIT */
/* Test that text is made harmless and readable, and that numbers and near words are recognised. */
#include "cli/json.h"
#include "cli/options.h"
#include "cli/suggest.h"
#include "cli/text.h"
#include "lmdb-store/scope.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static unsigned n_failures;

static void expect_text(int line, const char *actual, const char *expected)
{
    if (actual && strcmp(actual, expected) == 0)
        return;
    printf("line %d: \"%s\", expected \"%s\"\n", line, actual ? actual : "(null)", expected);
    n_failures++;
}

static void expect_number(int line, uint64_t actual, uint64_t expected)
{
    if (actual == expected)
        return;
    printf("line %d: %" PRIu64 ", expected %" PRIu64 "\n", line, actual, expected);
    n_failures++;
}

#define TEXT(actual, expected)   expect_text(__LINE__, actual, expected)
#define NUMBER(actual, expected) expect_number(__LINE__, actual, expected)

static void test_escape(void)
{
    static const struct {
        const char *bytes, *text;
    } cases[] = {
        {"", ""},
        {"plain caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x90\x9b",
         "plain caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x90\x9b"},
        {"a\nb\tc\x1b[0m\x7f", "a\\nb\\tc\\x1b[0m\\x7f"},
        {"back\\slash", "back\\\\slash"},
        {"\xff\xc3", "\\xff\\xc3"}, /* no UTF-8, and a character that is cut off */
        {"\xc0\xaf\xe0\x80\xaf", "\\xc0\\xaf\\xe0\\x80\\xaf"}, /* overlong forms */
        {"\xed\xa0\x80", "\\xed\\xa0\\x80"},                   /* a surrogate */
        {"\xf4\x90\x80\x80\xfc", "\\xf4\\x90\\x80\\x80\\xfc"}, /* above U+10FFFF */
        {"\xc2\x9b", "\\u009b"}, /* CSI of the second set of controls */
        {"\xe2\x80\xae\xe2\x81\xa6\xef\xbb\xbf", "\\u202e\\u2066\\ufeff"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        _cleanup_free_ char *text = text_escape(cases[i].bytes, strlen(cases[i].bytes));
        TEXT(text, cases[i].text);
    }
    _cleanup_free_ char *with_nul = text_escape("a\0b", 3);
    TEXT(with_nul, "a\\x00b");
}

static void test_quote(void)
{
    char *const arguments[] = {"a",  "",  "two words", "it's",       "it's\n",
                               "$x", "~", "#",         "back\\slash"};
    _cleanup_free_ char *text = text_quote_arguments(arguments, 9);
    TEXT(text, "a '' 'two words' 'it'\\''s' $'it\\'s\\n' '$x' '~' '#' 'back\\slash'");
    _cleanup_free_ char *none = text_quote_arguments(NULL, 0);
    TEXT(none, "");
}

static void test_formats(void)
{
    char text[TEXT_SIZE];
    TEXT(text_format_bytes(0, text), "0 B");
    TEXT(text_format_bytes(1023, text), "1023 B");
    TEXT(text_format_bytes(1024, text), "1.0 KiB");
    TEXT(text_format_bytes((1 << 20) - 1, text), "1.0 MiB");
    TEXT(text_format_bytes(UINT64_MAX, text), "16.0 EiB");
    TEXT(text_format_duration(0, text), "0.000 s");
    TEXT(text_format_duration(12300000000, text), "12.3 s");
    TEXT(text_format_duration(185000000000, text), "3 min 5 s");
    TEXT(text_format_duration(7800000000000, text), "2 h 10 min");
    TEXT(text_format_iso(0, text), "1970-01-01T00:00:00.000000000Z");
    TEXT(text_format_iso(1767323045000000007, text), "2026-01-02T03:04:05.000000007Z");
    text_format_iso(UINT64_MAX, text);
    text_format_time(UINT64_MAX, text);
    NUMBER(text_width("caf\xc3\xa9"), 4);
}

static void test_numbers(void)
{
    static const struct {
        const char *text;
        uint64_t value;
    } good[] = {
        {"0", 0},
        {"007", 7},
        {"81,234,567", 81234567},
        {"1_000", 1000},
        {"0x1f", 0x1f},
        {"0XFF_ff", 0xffff},
        {"18446744073709551615", UINT64_MAX},
    };
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        uint64_t value = 12345;
        NUMBER(options_parse_number(good[i].text, &value), true);
        NUMBER(value, good[i].value);
    }
    static const char *const bad[] = {"",
                                      "x",
                                      "0x",
                                      "1x",
                                      "0xg",
                                      "-1",
                                      "+1",
                                      " 1",
                                      "1 ",
                                      ",1",
                                      "1,",
                                      "1,,2",
                                      "1._2",
                                      "18446744073709551616",
                                      "0x10000000000000000"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        uint64_t value = 12345;
        NUMBER(options_parse_number(bad[i], &value), false);
        NUMBER(value, 12345);
    }
}

static bool is_near(const char *typed, const char *candidate)
{
    unsigned best_distance = 0;
    return suggest_is_nearer(typed, candidate, &best_distance);
}

static void test_suggestions(void)
{
    NUMBER(is_near("evnets", "events"), true);
    NUMBER(is_near("ev", "events"), true);
    NUMBER(is_near("sl", "ls"), true);
    NUMBER(is_near("ls", "rm"), false);
    NUMBER(is_near("", "ls"), false);
    NUMBER(is_near("frobnicate", "events"), false);
    NUMBER(is_near("a word that is far too long for any command", "events"), false);
    unsigned best_distance = 0;
    NUMBER(suggest_is_nearer("rn", "rm", &best_distance), true);
    NUMBER(suggest_is_nearer("rn", "ru", &best_distance), false); /* no nearer than the first */
}

static void test_json(void)
{
    char *text = NULL;
    size_t text_bytes;
    FILE *stream = open_memstream(&text, &text_bytes);
    struct json json = {.stream = stream};
    json_open_object(&json, NULL);
    json_open_array(&json, "empty");
    json_close_array(&json);
    json_open_array(&json, "mixed");
    json_number(&json, NULL, UINT64_MAX);
    json_signed(&json, NULL, INT64_MIN);
    json_bool(&json, NULL, true);
    json_bytes(&json, NULL, "\0\"\\\n\xff\x7f", 6);
    json_close_array(&json);
    json_string(&json, "caf\xc3\xa9", "");
    json_close_object(&json);
    fclose(stream);
    TEXT(text, "{\n\"empty\": [],\n\"mixed\": [18446744073709551615, -9223372036854775808, true, "
               "\"\\u0000\\\"\\\\\\u000a\xef\xbf\xbd\\u007f\"],\n\"caf\xc3\xa9\": \"\"\n}\n");
    free(text);
}

static void test_quantities(void)
{
    static const struct {
        const char *text;
        uint64_t bytes, ns; /* 0: none of these */
    } cases[] = {
        {"7", 7, 7000000000},
        {"1.5K", 1536, 0},
        {"2GiB", 2ull << 30, 0},
        {"500m", 500ull << 20, 30000000000000},
        {"250ms", 0, 250000000},
        {"1.5min", 0, 90000000000},
        {"2h", 0, 7200000000000},
        {"", 0, 0},
        {"M", 0, 0},
        {"-1", 0, 0},
        {" 1", 0, 0},
        {"1 ", 0, 0},
        {"1e3", 0, 0},
        {"0x10", 0, 0},
        {"1.2.3", 0, 0},
        {".5", 0, 0},
        {"inf", 0, 0},
        {"99999999999999999999", 0, 0},
        {"9000000T", 0, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint64_t bytes = 0, ns = 0;
        NUMBER(options_parse_bytes(cases[i].text, &bytes), cases[i].bytes != 0);
        NUMBER(bytes, cases[i].bytes);
        NUMBER(options_parse_time(cases[i].text, &ns), cases[i].ns != 0);
        NUMBER(ns, cases[i].ns);
    }
}

int main(void)
{
    test_escape();
    test_quote();
    test_formats();
    test_numbers();
    test_quantities();
    test_suggestions();
    test_json();
    printf("%u failures\n", n_failures);
    return n_failures > 0;
}
