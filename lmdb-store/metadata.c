/* SPDX-License-Identifier: MIT */
/* The metadata of a trace, in memory. How it stands in the file: metadata_format.c. */
#include "lmdb-store/metadata.h"

#include "lmdb-store/scope.h"

#include <string.h>
#include <sys/utsname.h>

/* What fields point to while they are empty; never freed, never written to. */
static char empty_string[1];

static void free_string(char *string)
{
    if (string != empty_string)
        free(string);
}

static void free_list(struct rrs_string_list *list)
{
    for (size_t i = 0; i < list->n_items; i++)
        free(list->items[i]);
    free(list->items);
    *list = (struct rrs_string_list){0};
}

void rrs_metadata_init(struct rrs_metadata *metadata)
{
    *metadata = (struct rrs_metadata){
#define X(name, text) .name = empty_string,
        RRS_METADATA_STRINGS(X)
#undef X
    };
}

void rrs_metadata_deinit(struct rrs_metadata *metadata)
{
#define X(name, text) free_string(metadata->name);
    RRS_METADATA_STRINGS(X)
#undef X
#define X(name, text) free_list(&metadata->name);
    RRS_METADATA_LISTS(X)
#undef X
}

struct rrs_error *rrs_metadata_set(char **field, const char *value)
{
    char *copy = strdup(value);
    if (!copy)
        return rrs_error_no_memory();
    free_string(*field);
    *field = copy;
    return NULL;
}

struct rrs_error *rrs_string_list_set(struct rrs_string_list *list, const char *const *items,
                                      size_t n_items)
{
    struct rrs_string_list made = {.items = calloc(n_items ? n_items : 1, sizeof *made.items)};
    if (!made.items)
        return rrs_error_no_memory();
    for (; made.n_items < n_items; made.n_items++) {
        made.items[made.n_items] = strdup(items[made.n_items]);
        if (!made.items[made.n_items]) {
            free_list(&made);
            return rrs_error_no_memory();
        }
    }
    free_list(list);
    *list = made;
    return NULL;
}

/* The first "model name" of /proc/cpuinfo (x86; other machines have none), or "". */
static char *find_cpu_model(char *line, size_t line_bytes)
{
    _cleanup_fclose_ FILE *file = fopen("/proc/cpuinfo", "re");
    while (file && fgets(line, (int)line_bytes, file)) {
        char *colon = strchr(line, ':');
        if (!colon || strncmp(line, "model name", 10) != 0)
            continue;
        colon[strcspn(colon, "\n")] = '\0';
        return colon + 1 + strspn(colon + 1, " \t");
    }
    line[0] = '\0';
    return line;
}

struct rrs_error *rrs_metadata_describe_machine(struct rrs_metadata *metadata)
{
    struct utsname name;
    char line[512];
    uname(&name); /* fails for a bad pointer only */
    snprintf(line, sizeof line, "%s %s", name.sysname, name.release);
    RRS_TRY(rrs_metadata_set(&metadata->kernel, line));
    RRS_TRY(rrs_metadata_set(&metadata->machine, name.machine));
    RRS_TRY(rrs_metadata_set(&metadata->host, name.nodename));
    RRS_TRY(rrs_metadata_set(&metadata->recorder, "rrsoft " RRS_VERSION));
    return rrs_metadata_set(&metadata->cpu_model, find_cpu_model(line, sizeof line));
}

const char *rrs_trace_end_kind_name(enum rrs_trace_end_kind end_kind)
{
    static const char *const names[] = {
#define X(name, text) text,
        RRS_TRACE_END_KINDS(X)
#undef X
    };
    return (unsigned)end_kind < sizeof names / sizeof names[0] ? names[end_kind] : "unknown";
}
