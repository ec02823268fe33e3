/* SPDX-License-Identifier: MIT */
/* Sizes and times as a person types them; declared in options.h. */
#include "cli/options.h"

#include <ctype.h>
#include <strings.h>

struct unit {
    const char *name;
    double factor;
};

static const struct unit byte_units[] = {
    {"", 1},         {"B", 1},       {"K", 0x1p10},   {"KB", 0x1p10},  {"KiB", 0x1p10},
    {"M", 0x1p20},   {"MB", 0x1p20}, {"MiB", 0x1p20}, {"G", 0x1p30},   {"GB", 0x1p30},
    {"GiB", 0x1p30}, {"T", 0x1p40},  {"TB", 0x1p40},  {"TiB", 0x1p40}, {0},
};

static const struct unit time_units[] = {
    {"", 1e9}, {"ms", 1e6}, {"s", 1e9}, {"m", 60e9}, {"min", 60e9}, {"h", 3600e9}, {0},
};

/* No sign, exponent, hexadecimal digits or words, which strtod would take. */
static bool parse_decimal(const char **text, double *value)
{
    double scale = 0;
    const char *at = *text;
    if (!isdigit((unsigned char)*at))
        return false;
    for (*value = 0; isdigit((unsigned char)*at) || (*at == '.' && !scale); at++) {
        if (*at == '.') {
            scale = 1;
            continue;
        }
        *value = *value * 10 + (*at - '0');
        scale *= 10;
    }
    *text = at;
    if (scale)
        *value /= scale;
    return true;
}

static bool parse_quantity(const char *text, const struct unit *units, uint64_t *value)
{
    const double most = 0x1p63;
    double number;
    if (!parse_decimal(&text, &number))
        return false;
    for (const struct unit *unit = units; unit->name; unit++) {
        if (strcasecmp(unit->name, text) != 0 || number * unit->factor >= most)
            continue;
        *value = (uint64_t)(number * unit->factor);
        return true;
    }
    return false;
}

bool options_parse_bytes(const char *text, uint64_t *bytes)
{
    return parse_quantity(text, byte_units, bytes);
}

bool options_parse_time(const char *text, uint64_t *ns)
{
    return parse_quantity(text, time_units, ns);
}
