/* SPDX-License-Identifier: MIT */
/* What an event says, for `rrsoft events --items`. */
#ifndef RRS_CLI_EVENT_ITEMS_H
#define RRS_CLI_EVENT_ITEMS_H

#include "lmdb-store/event.h"

/** Prints the items of an event, one indented line each. Its bytes may be anything. */
void print_event_items(const struct rrs_event *event);

#endif
