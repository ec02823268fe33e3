/* SPDX-License-Identifier: MIT */
#include "lmdb-store/record_survey.h"

#include "lmdb-store/record.h"

#include <string.h>

static void begin(void *context)
{
    memset(context, 0, sizeof(struct rrs_record_survey));
}

static int choose(void *context, const void *name, size_t name_bytes)
{
    static const struct {
        const char *name;
        bool is_surveyed;
    } databases[] = {
#define X(id, text) \
    {text, RRS_DATABASE_##id != RRS_DATABASE_FRAMES && RRS_DATABASE_##id != RRS_DATABASE_CHUNKS},
        RRS_DATABASES(X)
#undef X
    };
    (void)context;
    for (int i = 0; i < RRS_DATABASE_COUNT; i++)
        if (databases[i].is_surveyed && strlen(databases[i].name) == name_bytes &&
            memcmp(databases[i].name, name, name_bytes) == 0)
            return i;
    return -1;
}

static void record(void *context, int database, const void *key, size_t key_bytes,
                   const void *value, size_t value_bytes)
{
    struct rrs_record_survey *survey = context;
    if (survey->databases[database].is_damaged ||
        rrs_record_is_sealed(key, key_bytes, value, value_bytes))
        return;
    survey->databases[database].is_damaged = true;
    survey->databases[database].key_bytes = (uint16_t)key_bytes;
    memcpy(survey->databases[database].key, key, key_bytes);
}

struct rrs_integrity_visitor rrs_record_survey_visitor(struct rrs_record_survey *survey)
{
    return (struct rrs_integrity_visitor){
        .begin = begin, .choose = choose, .record = record, .context = survey};
}

struct rrs_error *rrs_record_survey_check(struct rrs_environment *environment,
                                          enum rrs_database database)
{
    const struct rrs_record_survey *survey = rrs_environment_survey(environment);
    if (!survey->databases[database].is_damaged)
        return NULL;
    const struct rrs_transaction transaction = {.environment = environment};
    return rrs_record_damaged(&transaction, database, survey->databases[database].key,
                              survey->databases[database].key_bytes, "its checksum is wrong");
}

struct rrs_error *rrs_record_survey_check_all(struct rrs_environment *environment)
{
    for (int i = 0; i < RRS_DATABASE_COUNT; i++)
        RRS_TRY(rrs_record_survey_check(environment, (enum rrs_database)i));
    return NULL;
}
