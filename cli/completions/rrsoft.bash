# SPDX-License-Identifier: MIT
# Completion of rrsoft for bash. One row per command in _rrsoft_options, and a case below for what its
# arguments are.

declare -gA _rrsoft_options=(
    [record]="--output --env --chdir --max-size --max-time --at-limit --save-on --until-failure --chaos --wait --slice --cpu --aslr --any-cpu --stats --quiet"
    [replay]="--auto --no-echo --keep-free --start --goto --onprocess --onfork --gdb-x --debugger-option --debugger --interpreter --fullname --dbgport --dbghost --keep-listening"
    [count]="--per-task --json --stats --slice --cpu --aslr --any-cpu --no-eager --block-insns --cut-seed"
    [gdb]="--start --pid --command --eval-command --gdb --tui --interpreter"
    [console]="--end --eval-command"
    [gdbinit]=""
    [ls]="--quiet --sort-by-age --reverse --long-listing --json"
    [info]="--environment --json"
    [events]="--from --to --tick --task --kind --data --items --json"
    [dump]="--from --to --tick --task --kind --strings --time --mappings --json"
    [ps]="--json"
    [sources]="--json"
    [extract]="--output"
    [diff]="--exact --strings --json"
    [index]="--every"
    [check]="--json"
    [du]="--json"
    [mv]=""
    [rm]=""
    [help]=""
)

# Offers the names of traces; a word with a slash is a path.
_rrsoft_traces()
{
    if [[ $1 == */* ]]; then
        mapfile -t COMPREPLY < <(compgen -d -- "$1")
        compopt -o filenames
    else
        mapfile -t COMPREPLY < <(compgen -W "$(rrsoft ls --quiet 2>/dev/null)" -- "$1")
    fi
}

# `rrsoft record` and `rrsoft count` take a program, and behind it the program's own arguments.
_rrsoft_program_word()
{
    local at=2
    while ((at < COMP_CWORD)); do
        case ${COMP_WORDS[at]} in
        --) at=$((at + 1)) && break ;;
        --slice | --cpu | --block-insns | --cut-seed | --output | -o | --chdir | --env | -e | --max-size | --max-time | --at-limit | --save-on | --wait) at=$((at + 2)) ;;
        -*) at=$((at + 1)) ;;
        *) break ;;
        esac
    done
    if ((at < COMP_CWORD)); then
        compopt -o default
    elif ((at > COMP_CWORD)); then
        case $previous in
        --cpu) mapfile -t COMPREPLY < <(compgen -W "baseline x86-64-v2 x86-64-v3 native" -- "$word") ;;
        --at-limit) mapfile -t COMPREPLY < <(compgen -W "go-on kill" -- "$word") ;;
        --wait) mapfile -t COMPREPLY < <(compgen -W "all main" -- "$word") ;;
        --save-on) mapfile -t COMPREPLY < <(compgen -W "always failure" -- "$word") ;;
        --output | -o | --chdir)
            mapfile -t COMPREPLY < <(compgen -d -- "$word")
            compopt -o filenames
            ;;
        esac
    elif [[ $word == -* ]]; then
        return 1
    else
        mapfile -t COMPREPLY < <(compgen -c -- "$word")
    fi
}

_rrsoft()
{
    local word=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]}
    local command=${COMP_WORDS[1]}
    COMPREPLY=()
    if ((COMP_CWORD == 1)); then
        mapfile -t COMPREPLY < <(compgen -W "${!_rrsoft_options[*]} --help --version" -- "$word")
        return
    fi
    if [[ $command == count || $command == record ]] && _rrsoft_program_word; then
        return
    fi
    if [[ $word == -* ]]; then
        mapfile -t COMPREPLY < <(compgen -W "${_rrsoft_options[$command]-} --help" -- "$word")
        return
    fi
    case $command:$previous in
    diff:--strings | diff:-s) ;;
    extract:--output | extract:-o) compopt -o default ;;
    dump:--from | dump:--to | dump:--tick | dump:--task | dump:--kind | dump:--strings | dump:-s) ;;
    events:--from | events:--to | events:--tick | events:--task | events:--kind) ;;
    help:*) mapfile -t COMPREPLY < <(compgen -W "${!_rrsoft_options[*]}" -- "$word") ;;
    ls:*)
        mapfile -t COMPREPLY < <(compgen -d -- "$word")
        compopt -o filenames
        ;;
    gdb:-x | gdb:--command | gdb:--gdb) compopt -o default ;;
    replay:-x | replay:--gdb-x | replay:-d | replay:--debugger) compopt -o default ;;
    replay:-g | replay:--goto | replay:-p | replay:--onprocess | replay:-f | replay:--onfork) ;;
    replay:-o | replay:--debugger-option | replay:-i | replay:--interpreter) ;;
    replay:-s | replay:--dbgport | replay:-h | replay:--dbghost) ;;
    gdbinit:*) ;;
    gdb:-p | gdb:--pid | gdb:--eval-command | gdb:-i | gdb:--interpreter) ;;
    console:-e | console:--eval-command) ;;
    console:* | dump:* | ps:* | sources:* | extract:* | diff:* | replay:* | info:* | gdb:* | events:* | index:* | check:* | du:* | mv:* | rm:*) _rrsoft_traces "$word" ;;
    *) compopt -o default ;;
    esac
}

complete -F _rrsoft rrsoft
