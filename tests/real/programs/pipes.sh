# Pipes, subshells, traps, arrays, here-documents, process substitution, background jobs and signals in one script.
set -e
declare -A count
while read -r word number; do
    count[$word]=$((${count[$word]:-0} + number))
done < <(for i in {1..300}; do echo "w$((i % 7)) $i"; done)
for word in $(printf '%s\n' "${!count[@]}" | sort); do echo "$word ${count[$word]}"; done

total=0
for file in /usr/include/std*.h; do
    lines=$(grep -c '' "$file")
    total=$((total + lines))
done
echo "lines $total"

seq 1 2000 | while read -r n; do [ $((n % 97)) -eq 0 ] && echo "$n"; done | paste -sd+ | bc 2> /dev/null || seq 97 97 2000 | paste -sd+

cat << TEXT | tr a-z A-Z | rev | rev
here document $((6 * 7)) $(echo nested $(echo twice))
TEXT

trap 'echo exit trap' EXIT
trap 'echo got USR1' USR1
kill -USR1 $$
(trap 'echo child term; exit 3' TERM; kill -TERM $BASHPID; sleep 5) || echo "subshell $?"

for i in 1 2 3 4; do (sleep 0.0$i; exit $i) & pids[i]=$!; done
for i in 1 2 3 4; do wait "${pids[i]}" || echo "job $i: $?"; done

mkfifo queue
(for i in {1..50}; do echo "item $i"; done > queue) &
md5sum < queue
wait
exec 5> file; echo five >&5; exec 5>&-; cat file
coproc CO { while read -r line; do echo "co:$line"; done; }
echo hello >&"${CO[1]}"; read -r answer <&"${CO[0]}"; echo "$answer"
eval "exec ${CO[1]}>&-"; wait "$CO_PID"
( ulimit -n 50; ulimit -n )
false | true | cat; echo "${PIPESTATUS[*]}"
sh -c 'kill -9 $$' || echo "killed $?"
yes | head -3 | wc -l
