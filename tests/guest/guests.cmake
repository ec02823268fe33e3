# The list of guests: one row each; see CMakeLists.txt for the words.

# --- signals
guest(signal_alignment_check)
guest(signal_alternate_stack)
guest(signal_blocked_over_new_code)
guest(signal_bus_errors)
guest(signal_context_edited)
guest(signal_fault_registers)
guest(signal_flags_in_frame)
guest(signal_frame_holds_vector_state)
guest(signal_frame_made_by_program)
guest(signal_handler_sees_program_pc)
guest(signal_ignored_over_blocking_calls LIBS rt TIMEOUT 120)
guest(signal_jump_to_nowhere)
guest(signal_longjmp_out_of_handler)
guest(signal_masks_per_thread)
guest(signal_nested_handlers)
guest(signal_own_traps_leave_no_mark)
guest(signal_restarts_syscalls)
guest(signal_state_over_exec)
guest(signal_stops_and_continues)
guest(signal_storm_by_interval_timer)
guest(signal_storm_from_child)
guest(signal_storm_keeps_checksum)
guest(signal_storm_over_live_flags LIBS rt)
guest(signal_taken_by_calls)
guest(signal_trap_flag)
guest(timers_expire)

guest(dies_by_signal ARGS null_store EXPECT SIGSEGV)
foreach(row null_call:SIGSEGV wild_return:SIGSEGV divide:SIGFPE illegal:SIGILL breakpoint:SIGTRAP
            kill:SIGKILL terminate:SIGTERM real_time:SIGRTMIN bus:SIGBUS privileged:SIGSEGV abort:SIGABRT
            blocked_fault:SIGSEGV ignored_fault:SIGSEGV fault_in_handler:SIGSEGV
            no_room_for_frame:SIGSEGV thread_faults:SIGSEGV overflow:SIGSEGV cpu_limit:SIGXCPU
            pipe:SIGPIPE alarm:SIGALRM alarm_spinning:SIGALRM)
  string(REPLACE ":" ";" row ${row})
  list(GET row 0 way)
  list(GET row 1 signal)
  again(dies_by_${way} OF dies_by_signal ${way} EXPECT ${signal})
endforeach()

# --- threads and processes
guest(clone_variants)
guest(exec_chain)
guest(fork_and_vfork)
guest(killed_with_shared_memory)
guest(process_groups_and_terminals)
guest(threads_by_hundreds)
guest(threads_exit_in_every_order)
guest(threads_futex_words)
guest(threads_share_work)
guest(threads_spin_without_syscalls)
guest(wait_statuses)

# --- code that changes
guest(code_changed_by_other_thread)
guest(code_modifies_itself)
guest(code_on_stack GNU LFLAGS -z execstack)
guest(code_remapped)
guest(code_written_by_kernel)
guest(code_written_elsewhere)
guest(jit_flips_protection)
foreach(identity 3 4 5)
  guest_library(library_${identity} SOURCE library_one_of_many.c FLAGS -DIDENTITY=${identity})
endforeach()
guest(dlopen_reuses_addresses ARGS $<TARGET_FILE:guest-lib-library_3> $<TARGET_FILE:guest-lib-library_4>
                                   $<TARGET_FILE:guest-lib-library_5>)

# --- odd code
guest(odd_branches)
guest(odd_instructions)
guest(odd_rip_relative)
guest(odd_string_instructions)
guest(fault_before_branch)
guest(odd_code_at_edges)
guest(odd_environment_instructions)
guest(odd_far_return SOURCE odd_far_transfer.c FLAGS -fno-pie LFLAGS -no-pie ARGS return REFUSED)
again(odd_far_jump OF odd_far_return jump REFUSED)
guest(odd_stack_pointer)
guest(odd_vector_instructions LIBS m)
guest(odd_x87_state LIBS m)
guest(registers_over_transfers FLAGS -fno-pie LFLAGS -no-pie)
guest(vsyscall_page_called)

# --- calls, stacks, languages
guest(calls_of_every_kind)
guest(coroutines_swap_contexts)
guest(cxx_throws_from_handlers SOURCE cxx_throws_from_handlers.cc FLAGS -fnon-call-exceptions GNU)
guest(cxx_virtual_and_exceptions SOURCE cxx_virtual_and_exceptions.cc)
guest(stack_is_walked LFLAGS -rdynamic)
rrs_guest_tests(goroutines_collect_garbage
                COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/goroutines_collect_garbage.go GO TIMEOUT 120)

# --- the program's view of itself
guest(descriptors_used_up)
guest(exec_in_changed_root LFLAGS -static)
guest(exec_in_new_pid_namespace)
guest(exec_without_privileges)
guest(memory_grows_and_moves)
guest(memory_map_shows_program_only)
guest(process_controls_itself)
guest(reads_its_own_code)

# --- other ways to link the same programs
set(freestanding -ffreestanding -fno-stack-protector -fno-pie)
guest(no_libc FLAGS ${freestanding} LFLAGS -static -nostdlib ARGS first second EXPECT 23)
foreach(source calls_of_every_kind memory_map_shows_program_only reads_its_own_code signal_fault_registers
               signal_storm_keeps_checksum threads_share_work)
  guest(${source}_static SOURCE ${source}.c FLAGS -fno-pie LFLAGS -static)
  guest(${source}_static_pie SOURCE ${source}.c FLAGS -fPIE LFLAGS -static-pie)
  guest(${source}_no_pie SOURCE ${source}.c FLAGS -fno-pie LFLAGS -no-pie)
endforeach()
guest(cxx_virtual_and_exceptions_static SOURCE cxx_virtual_and_exceptions.cc LFLAGS -static)
guest(signal_storm_keeps_checksum_full_relro SOURCE signal_storm_keeps_checksum.c LFLAGS -Wl,-z,relro,-z,now)
guest(calls_of_every_kind_cet SOURCE calls_of_every_kind.c FLAGS -fcf-protection=full)
guest(calls_of_every_kind_lazy SOURCE calls_of_every_kind.c LFLAGS -Wl,-z,lazy)
