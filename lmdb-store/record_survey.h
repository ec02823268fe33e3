/* SPDX-License-Identifier: MIT */
/*
 * A look at all sealed records of a trace as it is opened, through the integrity check, which has
 * them at hand. Internal to lmdb-store.
 *
 * A seal shows a flipped bit to whoever reads the record. But a flipped key may never be come to: a
 * search for the right key finds nothing, a walk over one task's frames passes it by, and what is
 * missing looks as if it had never been there. So the first damaged record of each database is
 * remembered, and from then on "not found" and walks in that database are errors. Records that are
 * found are read as before.
 *
 * Not surveyed: frames (whose numbers leave no gap unnoticed) and chunks (which are only ever asked
 * for by a number that must exist).
 */
#ifndef RRS_LMDB_STORE_RECORD_SURVEY_H
#define RRS_LMDB_STORE_RECORD_SURVEY_H

#include "lmdb-store/environment.h"
#include "lmdb-store/error.h"
#include "lmdb-store/integrity.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { RRS_SURVEY_KEY_MAX_BYTES = 511 };

struct rrs_record_survey {
    struct {
        bool is_damaged;
        uint16_t key_bytes; /* of the first damaged record */
        uint8_t key[RRS_SURVEY_KEY_MAX_BYTES];
    } databases[RRS_DATABASE_COUNT];
};

/** The visitor that fills `survey`. */
struct rrs_integrity_visitor rrs_record_survey_visitor(struct rrs_record_survey *survey);

/** BAD_TRACE (key: the record) if a record of `database` was found damaged when `environment` was
 * opened. */
RRS_MUST_CHECK struct rrs_error *rrs_record_survey_check(struct rrs_environment *environment,
                                                         enum rrs_database database);

/** The same for any database: nothing should be added to a damaged trace. */
RRS_MUST_CHECK struct rrs_error *rrs_record_survey_check_all(struct rrs_environment *environment);

#endif
