/* SPDX-License-Identifier: MIT */
#ifndef RRS_ENGINE_RUN_CALLS_H
#define RRS_ENGINE_RUN_CALLS_H

#include <stdint.h>

#include <stdbool.h>

/** Fills the runtime's class table: 1 for calls that pass without a stop, if any may. */
void rrs_calls_fill_classes(uint8_t classes[65536], bool some_pass);

#endif
