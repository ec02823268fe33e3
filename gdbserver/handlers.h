/* SPDX-License-Identifier: MIT */
/* The handlers that the dispatch table names: see there which packet each is for. */
#ifndef RRS_GDBSERVER_HANDLERS_H
#define RRS_GDBSERVER_HANDLERS_H

#include "gdbserver/server.h"

#define PACKET_HANDLERS(X)                                                                 \
    /* stop_reply.c, resume.c */                                                           \
    X(why)                                                                                 \
    X(resume)                                                                              \
    X(resume_kinds)                                                                        \
    X(step)                                                                                \
    X(step_back)                                                                           \
    X(continue)                                                                            \
    X(continue_back) /* threads.c */                                                       \
    X(select_thread)                                                                       \
    X(select_resumed)                                                                      \
    X(is_alive)                                                                            \
    X(current_thread)                                                                      \
    X(first_threads)                                                                       \
    X(more_threads) /* register_packets.c */                                               \
    X(read_registers)                                                                      \
    X(write_registers)                                                                     \
    X(read_register) X(write_register) /* memory.c */                                      \
        X(read_memory) X(write_memory) X(search_memory)                                    \
            X(checksum_memory)                    /* breakpoint_packets.c */               \
        X(insert_breakpoint) X(remove_breakpoint) /* processes.c */                        \
        X(detach) X(kill) X(kill_process) X(attach) X(run) X(is_attached) /* settings.c */ \
        X(supported) X(accept) X(ignore) X(no_acks) X(pass_signals) X(catch_syscalls)      \
            X(thread_events)            /* objects.c */                                    \
        X(read_object) X(write_siginfo) /* file_transfer.c */                              \
        X(file_root) X(file_open) X(file_read) X(file_close) X(file_status)                \
            X(file_link)  /* thread_storage.c */                                           \
        X(thread_storage) /* monitor.c, travel.c */                                        \
        X(monitor) X(when) X(arm) X(hello)

#define X(name) struct rrs_error *handle_##name(server *server, const struct arguments *arguments);
PACKET_HANDLERS(X)
#undef X

#endif
