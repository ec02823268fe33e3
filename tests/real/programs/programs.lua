-- Recursion, tables, strings, coroutines and closures; integers stay small so that every Lua prints the same.
local function fib(n) if n < 2 then return n end return fib(n - 1) + fib(n - 2) end
print(fib(27))
local seed = 42
local function random(limit) seed = (seed * 16807) % 2147483647; return seed % limit end
local numbers = {}
for i = 1, 60000 do numbers[i] = random(1000000) end
table.sort(numbers)
print(numbers[1], numbers[30000], numbers[60000])
local parts = {}
for i = 1, 5000 do parts[#parts + 1] = string.format("%d:%s", i, string.rep("x", i % 7)) end
local text = table.concat(parts, ",")
local count = 0
for word in text:gmatch("(%d+):x+") do count = count + tonumber(word) end
print(#text, count, (text:gsub("xx", "y")):len())
local function permutations(a, n)
    n = n or #a
    if n <= 1 then coroutine.yield(a) else
        for i = 1, n do
            a[n], a[i] = a[i], a[n]
            permutations(a, n - 1)
            a[n], a[i] = a[i], a[n]
        end
    end
end
local seen = 0
for a in coroutine.wrap(function() permutations({1, 2, 3, 4, 5, 6, 7}) end) do seen = seen + a[1] * a[7] end
print(seen)
local sieve, primes = {}, 0
for i = 2, 300000 do
    if not sieve[i] then primes = primes + 1; for j = i + i, 300000, i do sieve[j] = true end end
end
print(primes)
print((pcall(function() error({code = 3}) end)), select(2, pcall(function() error("text", 0) end)))
