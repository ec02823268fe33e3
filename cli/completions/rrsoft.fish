# SPDX-License-Identifier: MIT
# Completion of rrsoft for fish.

function __rrsoft_traces
    rrsoft ls --quiet 2>/dev/null
end

complete -c rrsoft -f
complete -c rrsoft -n __fish_use_subcommand -s h -l help -d 'show the list of commands'
complete -c rrsoft -n __fish_use_subcommand -s V -l version -d 'show the version'

complete -c rrsoft -n __fish_use_subcommand -a record -d 'run a program and record it'
complete -c rrsoft -n __fish_use_subcommand -a replay -d 'replay a recording'
complete -c rrsoft -n __fish_use_subcommand -a count -d 'run a program and count its ticks'
complete -c rrsoft -n __fish_use_subcommand -a ls -d 'list the traces'
complete -c rrsoft -n __fish_use_subcommand -a info -d 'show what a trace says about its recording'
complete -c rrsoft -n __fish_use_subcommand -a events -d 'print the events of a trace'
complete -c rrsoft -n __fish_use_subcommand -a check -d 'read a whole trace and report damage'
complete -c rrsoft -n __fish_use_subcommand -a du -d 'show the disk space that traces use'
complete -c rrsoft -n __fish_use_subcommand -a mv -d 'rename a trace'
complete -c rrsoft -n __fish_use_subcommand -a rm -d 'delete traces'
complete -c rrsoft -n __fish_use_subcommand -a help -d 'show the help of a command'

complete -c rrsoft -n 'not __fish_use_subcommand' -s h -l help -d 'show a short help'
complete -c rrsoft -n '__fish_seen_subcommand_from count ls info events check du' -l json -d 'print JSON'
complete -c rrsoft -n '__fish_seen_subcommand_from ls' -s q -l quiet -d 'print names only'
complete -c rrsoft -n '__fish_seen_subcommand_from info' -s e -l environment -d 'show the environment too'
complete -c rrsoft -n '__fish_seen_subcommand_from events' -l from -x -d 'begin with this event number'
complete -c rrsoft -n '__fish_seen_subcommand_from events' -l to -x -d 'end with this event number'
complete -c rrsoft -n '__fish_seen_subcommand_from events' -l tick -x -d 'begin with the first event at or after a tick'
complete -c rrsoft -n '__fish_seen_subcommand_from events' -l task -x -d 'only events of this task'
complete -c rrsoft -n '__fish_seen_subcommand_from events' -l kind -x -d 'only events of this kind'
complete -c rrsoft -n '__fish_seen_subcommand_from events' -l data -d 'print the bytes of each event'
complete -c rrsoft -n '__fish_seen_subcommand_from count' -l per-task -d 'print the ticks of each task too'
complete -c rrsoft -n '__fish_seen_subcommand_from count' -l stats -d 'print what the engine did'
complete -c rrsoft -n '__fish_seen_subcommand_from count record' -l slice -x -d 'let a task run for so many ticks at a time'
complete -c rrsoft -n '__fish_seen_subcommand_from count record' -l cpu -x -a 'baseline x86-64-v2 x86-64-v3 native' -d 'the CPU that the program sees'
complete -c rrsoft -n '__fish_seen_subcommand_from count record' -l aslr -d 'leave address space randomisation on'
complete -c rrsoft -n '__fish_seen_subcommand_from count record' -l any-cpu -d 'do not keep to one CPU'
complete -c rrsoft -n '__fish_seen_subcommand_from count' -l no-eager -d 'translate only what is reached'
complete -c rrsoft -n '__fish_seen_subcommand_from count' -l block-insns -x -d 'cut blocks after N instructions'
complete -c rrsoft -n '__fish_seen_subcommand_from count' -l cut-seed -x -d 'cut blocks at random places'
complete -c rrsoft -n '__fish_seen_subcommand_from record' -s o -l output -x -a '(__fish_complete_directories)' -d 'make the trace in this new directory'
complete -c rrsoft -n '__fish_seen_subcommand_from record' -l chdir -x -a '(__fish_complete_directories)' -d 'start the program in this directory'
complete -c rrsoft -n '__fish_seen_subcommand_from record' -s q -l quiet -d 'do not say where the trace is'
complete -c rrsoft -n '__fish_seen_subcommand_from replay' -s a -l auto -d 'run to the end without a debugger'
complete -c rrsoft -n '__fish_seen_subcommand_from replay' -l no-echo -d 'do not show again what the program wrote'
complete -c rrsoft -n '__fish_seen_subcommand_from count record' -a '(__fish_complete_command)'
complete -c rrsoft -n '__fish_seen_subcommand_from replay info events check du mv rm' -a '(__rrsoft_traces)' -d trace
complete -c rrsoft -n '__fish_seen_subcommand_from ls' -a '(__fish_complete_directories)'
complete -c rrsoft -n '__fish_seen_subcommand_from help' -a 'record replay count ls info events check du mv rm'
