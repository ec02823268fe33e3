# SPDX-License-Identifier: MIT
"""What the benchmarks of the translator and of recording run."""
from paired import Workload

LUA = """local function fib(n) if n < 2 then return n end return fib(n - 1) + fib(n - 2) end
local sum = 0
for i = 1, %d do
  sum = sum + fib(24)
  local t, s = {}, i
  for j = 1, 40000 do s = s * 16807 %% 2147483647; t[j] = s end
  table.sort(t)
  sum = sum + t[20000]
end
print(sum)"""
PYTHON = """def fib(n): return n if n < 2 else fib(n - 1) + fib(n - 2)
total = 0
for i in range(%d):
    total += fib(20)
    t, s = [], i + 1
    for j in range(20000):
        s = s * 16807 %% 2147483647
        t.append(str(s))
    t.sort()
    total += int(t[10000])
print(total)"""
PERL = """my %%w; my $n = 0; my @l = <STDIN>;
for my $round (1 .. %d) { for (@l) { $n++ while /\\b[a-z_]{3,}\\b/g; $w{lc $1}++ if /(\\w+)\\s*\\(/; tr/a-z/A-Z/ if $round == 1; } }
print "$n ", scalar(keys %%w), "\\n";"""
SQL = """with recursive n(i) as (select 1 union all select i + 1 from n where i < %d)
select count(*), sum((i * 7919) %% 10007), max(printf('%%x', i)) from n;
create table t(a integer, b text); create index tb on t(b);
with recursive n(i) as (select 1 union all select i + 1 from n where i < %d)
insert into t select (i * 7919) %% 10007, 'text' || (i %% 1009) from n;
select b, count(*), sum(a) from t group by b order by 3 desc limit 3;"""
NODE = """function fib(n) { return n < 2 ? n : fib(n - 1) + fib(n - 2); }
let h = 0; for (let i = 0; i < %d * 1e6; i++) { h ^= i & 255; h = Math.imul(h, 16777619); }
const m = new Map(); for (let i = 0; i < %d * 1e4; i++) m.set('k' + i %% 997, i);
console.log(h, fib(20 + Math.min(10, %d)), m.size);"""

WORKLOADS = [
    Workload("lua: fib and sort", lambda n: ["lua5.4", "-e", LUA % n], 30, ["lua5.4"]),
    Workload("python: fib and sort", lambda n: ["/usr/bin/python3", "-S", "-c", PYTHON % n], 60, ["/usr/bin/python3"]),
    Workload("perl: text", lambda n: ["sh", "-c", "exec perl -e \"$0\" < text", PERL % n], 5, ["perl"], inputs=["text"]),
    Workload("sqlite3 in memory", lambda n: ["sqlite3", ":memory:", SQL % (n * 40000, n * 20000)], 15, ["sqlite3"]),
    Workload("bzip2 -9", lambda n: ["sh", "-c", f"head -c {n}000000 data | bzip2 -9 -c | cksum"], 10, ["bzip2"], inputs=["data"]),
    Workload("gzip", lambda n: ["sh", "-c", f"head -c {n}000000 data | gzip -n -c | cksum"], 15, ["gzip"], inputs=["data"]),
    Workload("xz", lambda n: ["sh", "-c", f"head -c {n}00000 data | xz -6 -c | cksum"], 20, ["xz"], inputs=["data"]),
    Workload("zstd", lambda n: ["sh", "-c", f"head -c {n}000000 data | zstd -9 -q -c | cksum"], 30, ["zstd"], inputs=["data"]),
    Workload("gcc -O2", lambda n: ["sh", "-c", f"gcc -O2 -S -o - big{min(n, 5)}.c | cksum"], 5, ["gcc"], inputs=["big1.c", "big5.c"]),
    Workload("node: hot loop", lambda n: ["node", "-e", NODE % (n * 5, n * 5, n)], 40, ["node"]),
    Workload("C++ virtual calls", lambda n: ["./virtual_calls", str(n * 4000)], 80, inputs=["virtual_calls"]),
    Workload("deep recursion", lambda n: ["./recursion", str(34 if n < 5 else 39), str(n * 400)], 5, inputs=["recursion"]),
    Workload("two-thread ping-pong", lambda n: ["./ping_pong", str(n * 2000)], 20, cpu_bound=False, inputs=["ping_pong"]),
    Workload("ls -lR /usr/include", lambda n: ["sh", "-c", "ls -lR /usr/include | cksum"], cpu_bound=False),
    Workload("true", lambda n: ["/bin/true"], cpu_bound=False),
    Workload("200 times true in bash", lambda n: ["bash", "-c", "for i in {1..200}; do /bin/true; done"], cpu_bound=False,
             needs=["bash"]),
]
