/* SPDX-License-Identifier: MIT */
/* The option parser; see the header for its rules. */
#include "cli/options.h"

#include "cli/command.h"
#include "cli/output.h"
#include "cli/suggest.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

struct parser {
    const struct usage *usage;
    int argc;
    char **argv;
    int next;      /* the word to read next */
    int arguments; /* words kept at the front of argv */
    bool only_arguments;
    bool help;
};

bool options_parse_number(const char *text, uint64_t *value)
{
    unsigned base = 10;
    if (text[0] == '0' && (text[1] == 'x' || text[1] == 'X')) {
        base = 16;
        text += 2;
    }
    uint64_t number = 0;
    bool after_digit = false;
    for (; *text; text++) {
        if ((*text == ',' || *text == '_') && after_digit && isxdigit((unsigned char)text[1])) {
            after_digit = false;
            continue;
        }
        unsigned digit = isdigit((unsigned char)*text)    ? (unsigned)(*text - '0')
                         : isxdigit((unsigned char)*text) ? (unsigned)((*text | 32) - 'a' + 10)
                                                          : 16;
        if (digit >= base || __builtin_mul_overflow(number, base, &number) ||
            __builtin_add_overflow(number, digit, &number))
            return false;
        after_digit = true;
    }
    if (after_digit)
        *value = number;
    return after_digit;
}

static void print_option(const struct option_row *row)
{
    char left[64];
    int length = snprintf(left, sizeof left, row->letter ? "-%c, " : "    ", row->letter);
    const char *value = row->value_name ? row->value_name : "";
    snprintf(left + length, sizeof left - length,
             row->kind == OPTION_COUNT ? "--%s%s[=%s]" : "--%s%s%s", row->name,
             row->value_name && row->kind != OPTION_COUNT ? " " : "", value);
    printf("  %-22s  %s\n", left, row->help);
}

static const struct option_row *find_letter(const struct usage *usage, char letter)
{
    for (const struct option_row *row = usage->options; row->name; row++)
        if (row->letter == letter)
            return row;
    return NULL;
}

static void print_help(const struct usage *usage)
{
    printf("Usage: rrsoft %s [OPTION]...%s%s\n\n%s\nOptions:\n", usage->command,
           *usage->arguments ? " " : "", usage->arguments, usage->description);
    for (const struct option_row *row = usage->options; row->name; row++)
        print_option(row);
    char letter = find_letter(usage, 'h') ? '\0' : 'h';
    print_option(&(struct option_row){.name = "help", .letter = letter, .help = "show this help"});
}

static bool complain_unknown(const struct usage *usage, const char *word, const char *name)
{
    const char *nearest = NULL;
    unsigned best_distance = 0;
    for (const struct option_row *row = usage->options; name && row->name; row++)
        if (suggest_is_nearer(name, row->name, &best_distance))
            nearest = row->name;
    if (nearest)
        print_error("%s: no option '%s'; did you mean '--%s'?", usage->command, word, nearest);
    else
        print_error("%s: no option '%s'; see 'rrsoft %s --help'", usage->command, word,
                    usage->command);
    return false;
}

static bool add_to_list(const struct usage *usage, const struct option_row *row, const char *value)
{
    struct option_list *list = row->target;
    if (list->n_items == OPTION_LIST_MAX) {
        print_error("%s: --%s is given too often", usage->command, row->name);
        return false;
    }
    list->items[list->n_items++] = value;
    return true;
}

static bool set_value(const struct usage *usage, const struct option_row *row, const char *value)
{
    static const struct {
        bool (*parse)(const char *text, uint64_t *value);
        const char *what;
    } parsers[] = {
        [OPTION_NUMBER] = {options_parse_number, "a number"},
        [OPTION_COUNT] = {options_parse_number, "a number"},
        [OPTION_BYTES] = {options_parse_bytes, "a size (500M, 2G)"},
        [OPTION_TIME] = {options_parse_time, "a time (90s, 10min)"},
    };
    if (row->kind == OPTION_TEXT) {
        *(const char **)row->target = value;
        return true;
    }
    if (row->kind == OPTION_LIST)
        return add_to_list(usage, row, value);
    struct option_number *number = row->target;
    if (!parsers[row->kind].parse(value, &number->value)) {
        print_error("%s: --%s needs %s, not '%s'", usage->command, row->name,
                    parsers[row->kind].what, value);
        return false;
    }
    number->given = true;
    return true;
}

/* `value` is the text glued to the option, NULL if there is none. */
static bool apply(struct parser *parser, const struct option_row *row, const char *value)
{
    const struct usage *usage = parser->usage;
    if (row->kind == OPTION_FLAG) {
        *(bool *)row->target = true;
        return true;
    }
    if (row->kind == OPTION_COUNT && !value) {
        ((struct option_number *)row->target)->given = true;
        return true;
    }
    if (!value && parser->next == parser->argc) {
        print_error("%s: --%s needs a value: %s", usage->command, row->name, row->value_name);
        return false;
    }
    return set_value(usage, row, value ? value : parser->argv[parser->next++]);
}

static bool parse_long(struct parser *parser, const char *word)
{
    const char *name = word + 2;
    const char *equals = strchr(name, '=');
    size_t length = equals ? (size_t)(equals - name) : strlen(name);
    if (strcmp(name, "help") == 0) {
        parser->help = true;
        return true;
    }
    for (const struct option_row *row = parser->usage->options; row->name; row++) {
        if (strlen(row->name) != length || strncmp(row->name, name, length) != 0)
            continue;
        if (equals && row->kind == OPTION_FLAG) {
            print_error("%s: --%s takes no value", parser->usage->command, row->name);
            return false;
        }
        return apply(parser, row, equals ? equals + 1 : NULL);
    }
    return complain_unknown(parser->usage, word, name);
}

/* One word of letters: flags may share it, and the first option with a value takes the rest. */
static bool parse_letters(struct parser *parser, const char *word)
{
    for (const char *letter = word + 1; *letter; letter++) {
        const struct option_row *row = find_letter(parser->usage, *letter);
        if (!row && *letter == 'h') {
            parser->help = true;
            continue;
        }
        if (!row)
            return complain_unknown(parser->usage, word, NULL);
        if (row->kind != OPTION_FLAG)
            return apply(parser, row, letter[1] ? letter + 1 : NULL);
        apply(parser, row, NULL);
    }
    return true;
}

static bool parse_word(struct parser *parser, char *word)
{
    if (parser->only_arguments || word[0] != '-' || !word[1]) {
        parser->argv[parser->arguments++] = word;
        parser->only_arguments |= parser->usage->options_first;
        return true;
    }
    if (strcmp(word, "--") == 0) {
        parser->only_arguments = true;
        return true;
    }
    return word[1] == '-' ? parse_long(parser, word) : parse_letters(parser, word);
}

static bool count_is_right(const struct usage *usage, int arguments)
{
    if (arguments < usage->arguments_min) {
        print_error("%s: too few arguments; usage: rrsoft %s %s", usage->command, usage->command,
                    usage->arguments);
        return false;
    }
    if (usage->arguments_max >= 0 && arguments > usage->arguments_max) {
        print_error("%s: too many arguments; usage: rrsoft %s [OPTION]...%s%s", usage->command,
                    usage->command, *usage->arguments ? " " : "", usage->arguments);
        return false;
    }
    return true;
}

bool options_parse(const struct usage *usage, int *argc, char **argv, int *exit_code)
{
    struct parser parser = {.usage = usage, .argc = *argc, .argv = argv, .next = 1};
    *exit_code = EXIT_USAGE;
    while (parser.next < parser.argc && !parser.help)
        if (!parse_word(&parser, argv[parser.next++]))
            return false;
    if (parser.help) {
        print_help(usage);
        *exit_code = EXIT_OK;
        return false;
    }
    if (!count_is_right(usage, parser.arguments))
        return false;
    *argc = parser.arguments;
    argv[*argc] = NULL; /* as in main: a command hands the rest to exec */
    return true;
}
