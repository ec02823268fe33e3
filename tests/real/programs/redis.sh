# A server on a Unix socket under the benchmark tool, then a check of what it holds, then its clean end.
set -e
redis-server --port 0 --unixsocket "$PWD/s" --save '' --appendonly no --daemonize no --logfile log --dir "$PWD" &
server=$!
for i in {1..1200}; do redis-cli -s s ping > /dev/null 2>&1 && break; sleep 0.1; done
redis-benchmark -s s -n 3000 -c 10 -q -t set,get,incr,lpush,sadd > benchmark
tr '\r' '\n' < benchmark | grep -c 'requests per second'
redis-cli -s s <<< $'set key value\nget key\nget counter:__rand_int__\nllen mylist\ndbsize'
for i in {1..20}; do echo "hset h f$i $((i * i))"; done | redis-cli -s s > /dev/null
redis-cli -s s eval 'local s = 0; for i = 1, 20 do s = s + redis.call("hget", "h", "f" .. i) end; return s' 0
redis-cli -s s save
redis-cli -s s shutdown nosave || true
wait $server
echo "server ended $?"
