/* SPDX-License-Identifier: MIT */
#ifndef RRS_ENGINE_RUN_EXEC_SEARCH_H
#define RRS_ENGINE_RUN_EXEC_SEARCH_H

/**
 * Becomes the program `argv[0]`, found and executed as a shell does it: along PATH if the name has
 * no slash; a text file that the kernel does not know is run by /bin/sh. Returns only on failure:
 * the errno that says why. ENOEXEC: a binary of another CPU or of no known format.
 */
int rrs_exec_search(char *const argv[]);

#endif
