# SPDX-License-Identifier: MIT
# Completion of rrsoft for fish.

function __rrsoft_traces
    rrsoft ls --quiet 2>/dev/null
end

complete -c rrsoft -f
complete -c rrsoft -n __fish_use_subcommand -s h -l help -d 'show the list of commands'
complete -c rrsoft -n __fish_use_subcommand -s V -l version -d 'show the version'

complete -c rrsoft -n __fish_use_subcommand -a count -d 'run a program and count its ticks'
complete -c rrsoft -n __fish_use_subcommand -a gdb -d 'debug a program or a recording, forwards and backwards'
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
complete -c rrsoft -n '__fish_seen_subcommand_from events' -l items -d 'print what each event says'
complete -c rrsoft -n '__fish_seen_subcommand_from count' -l per-task -d 'print the ticks of each task too'
complete -c rrsoft -n '__fish_seen_subcommand_from count' -l stats -d 'print what the engine did'
complete -c rrsoft -n '__fish_seen_subcommand_from count' -l slice -x -d 'let a task run for so many ticks at a time'
complete -c rrsoft -n '__fish_seen_subcommand_from count' -l cpu -x -a 'baseline x86-64-v2 x86-64-v3 native' -d 'the CPU that the program sees'
complete -c rrsoft -n '__fish_seen_subcommand_from count' -l aslr -d 'leave address space randomisation on'
complete -c rrsoft -n '__fish_seen_subcommand_from count' -l any-cpu -d 'do not keep to one CPU'
complete -c rrsoft -n '__fish_seen_subcommand_from count' -l no-eager -d 'translate only what is reached'
complete -c rrsoft -n '__fish_seen_subcommand_from count' -l block-insns -x -d 'cut blocks after N instructions'
complete -c rrsoft -n '__fish_seen_subcommand_from count' -l cut-seed -x -d 'cut blocks at random places'
complete -c rrsoft -n '__fish_seen_subcommand_from count' -a '(__fish_complete_command)'
complete -c rrsoft -n '__fish_seen_subcommand_from gdb' -l start -d 'begin at the start, not at the end'
complete -c rrsoft -n '__fish_seen_subcommand_from gdb' -s p -l pid -x -d 'show this process of the recording'
complete -c rrsoft -n '__fish_seen_subcommand_from gdb' -s x -l command -r -F -d 'let gdb run the commands in a file'
complete -c rrsoft -n '__fish_seen_subcommand_from gdb' -l eval-command -x -d 'let gdb run a command'
complete -c rrsoft -n '__fish_seen_subcommand_from gdb' -l gdb -r -F -d 'the gdb to use'
complete -c rrsoft -n '__fish_seen_subcommand_from gdb' -l tui -d 'with windows for text terminals'
complete -c rrsoft -n '__fish_seen_subcommand_from gdb' -s i -l interpreter -x -a mi -d 'the interpreter of gdb'
complete -c rrsoft -n '__fish_seen_subcommand_from info gdb events check du mv rm' -a '(__rrsoft_traces)' -d trace
complete -c rrsoft -n '__fish_seen_subcommand_from ls' -a '(__fish_complete_directories)'
complete -c rrsoft -n '__fish_seen_subcommand_from help' -a 'count gdb ls info events check du mv rm'
