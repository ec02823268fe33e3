/* SPDX-License-Identifier: MIT */
/* Words and expressions; see the header. The grammar: SUM: TERM {(+|-) TERM}; TERM: *TERM, (SUM),
 * $REGISTER, NUMBER, NAME. */
#include "cli/console/words.h"

#include "cli/console/registers.h"
#include "cli/console/symbols.h"
#include "cli/options.h"

#include <ctype.h>
#include <string.h>

bool word_take(const char **text, char word[WORD_BYTES])
{
    size_t length = strcspn(*text, " \t");
    if (length == 0 || length >= WORD_BYTES)
        return false;
    memcpy(word, *text, length);
    word[length] = '\0';
    *text += length + strspn(*text + length, " \t");
    return true;
}

struct rrs_error *words_end(const char *text)
{
    return *text ? rrs_error_create(RRS_ERROR_USAGE, "'%s' is too much", text) : NULL;
}

struct parser {
    struct console *console;
    const char *at;
    uint64_t symbol_bytes;
    unsigned depth;
};

static struct rrs_error *parse_sum(struct parser *parser, uint64_t *value);

static bool is_name(char letter)
{
    return isalnum((unsigned char)letter) || (letter && strchr("_.:@$/", letter)) || letter & 0x80;
}

/* Numbers, registers and names are all made of letters of names; the first letter tells. */
static struct rrs_error *parse_atom(struct parser *parser, uint64_t *value)
{
    char name[WORD_BYTES];
    size_t length = 0;
    while (is_name(parser->at[length]) && length < sizeof name - 1)
        length++;
    if (length == 0)
        return *parser->at ? rrs_error_create(RRS_ERROR_USAGE, "cannot understand '%s'", parser->at)
                           : rrs_error_create(RRS_ERROR_USAGE, "the expression is not complete");
    memcpy(name, parser->at, length);
    name[length] = '\0';
    parser->at += length;
    if (name[0] == '$')
        return register_value(parser->console, name + 1, value);
    if (!isdigit((unsigned char)name[0]))
        return symbols_find(parser->console, name, value, &parser->symbol_bytes);
    if (!options_parse_number(name, value))
        return rrs_error_create(RRS_ERROR_USAGE, "'%s' is not a number", name);
    return NULL;
}

static struct rrs_error *parse_dereference(struct parser *parser, uint64_t *value);

static struct rrs_error *parse_term(struct parser *parser, uint64_t *value)
{
    enum { DEPTH_MAX = 100 };
    if (parser->depth++ > DEPTH_MAX)
        return rrs_error_create(RRS_ERROR_USAGE, "the expression is too deep");
    if (*parser->at == '*')
        return parse_dereference(parser, value);
    if (*parser->at != '(')
        return parse_atom(parser, value);
    parser->at++;
    RRS_TRY(parse_sum(parser, value));
    if (*parser->at++ != ')')
        return rrs_error_create(RRS_ERROR_USAGE, "a ')' is missing");
    return NULL;
}

static struct rrs_error *parse_dereference(struct parser *parser, uint64_t *value)
{
    uint64_t address, contents;
    parser->at++;
    RRS_TRY(parse_term(parser, &address));
    if (rrs_timeline_read(parser->console->timeline, parser->console->tid, address, &contents,
                          sizeof contents) != sizeof contents)
        return rrs_error_create(RRS_ERROR_FAULT, "no memory at 0x%llx",
                                (unsigned long long)address);
    *value = contents;
    return NULL;
}

static struct rrs_error *parse_sum(struct parser *parser, uint64_t *value)
{
    uint64_t term;
    RRS_TRY(parse_term(parser, value));
    while (*parser->at == '+' || *parser->at == '-') {
        bool minus = *parser->at++ == '-';
        RRS_TRY(parse_term(parser, &term));
        *value = minus ? *value - term : *value + term;
    }
    return NULL;
}

/* Whether the whole word is one name, so that the size of what it names is that of the value. */
static bool is_lone_name(const char *word)
{
    while (is_name(*word))
        word++;
    return *word == '\0';
}

struct rrs_error *expression_evaluate(struct console *console, const char *word, uint64_t *value,
                                      uint64_t *bytes)
{
    struct parser parser = {.console = console, .at = word};
    uint64_t result = 0;
    RRS_TRY(parse_sum(&parser, &result));
    if (*parser.at)
        return rrs_error_create(RRS_ERROR_USAGE, "cannot understand '%s'", parser.at);
    *value = result;
    if (bytes)
        *bytes = is_lone_name(word) ? parser.symbol_bytes : 0;
    return NULL;
}

struct rrs_error *expression_take(struct console *console, const char **text, uint64_t fallback,
                                  uint64_t *value)
{
    char word[WORD_BYTES];
    if (!**text) {
        *value = fallback;
        return NULL;
    }
    if (!word_take(text, word))
        return rrs_error_create(RRS_ERROR_USAGE, "the word is too long");
    return expression_evaluate(console, word, value, NULL);
}
