/* SPDX-License-Identifier: MIT */
/*
 * Scope guards: a variable declared with one of these gives its resource back when it goes out of
 * scope. `rrs_steal_pointer(&p)` and `rrs_steal_fd(&fd)` hand the resource on instead.
 */
#ifndef RRS_LMDB_STORE_SCOPE_H
#define RRS_LMDB_STORE_SCOPE_H

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static inline void rrs_scope_free(void *pointer)
{
    free(*(void **)pointer);
}

static inline void rrs_scope_close(const int *fd)
{
    if (*fd >= 0)
        close(*fd);
}

static inline void rrs_scope_fclose(FILE **file)
{
    if (*file)
        fclose(*file);
}

static inline void rrs_scope_closedir(DIR **directory)
{
    if (*directory)
        closedir(*directory);
}

#define _cleanup_free_     __attribute__((cleanup(rrs_scope_free)))
#define _cleanup_close_    __attribute__((cleanup(rrs_scope_close)))
#define _cleanup_fclose_   __attribute__((cleanup(rrs_scope_fclose)))
#define _cleanup_closedir_ __attribute__((cleanup(rrs_scope_closedir)))

static inline void *rrs_steal_pointer(void *address_of_pointer)
{
    void **slot = address_of_pointer;
    void *pointer = *slot;
    *slot = NULL;
    return pointer;
}

static inline int rrs_steal_fd(int *fd)
{
    int stolen = *fd;
    *fd = -1;
    return stolen;
}

#endif
