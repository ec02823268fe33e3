# Recursion, sorting, dictionaries, strings, big numbers and generators.
import hashlib
import random


def fib(n):
    return n if n < 2 else fib(n - 1) + fib(n - 2)


random.seed(7)
numbers = [random.randrange(10**9) for _ in range(60000)]
words = {}
for number in sorted(numbers):
    words.setdefault(str(number)[:3], []).append(number)
print(fib(23), len(words), hashlib.sha256(repr(sorted(words.items())).encode()).hexdigest())
print(sum(pow(3, n, 10**9 + 7) for n in range(20000)), hex(3**20000)[-20:])
print(sum(1 for a in range(1, 150) for b in range(a, 150) if int((a * a + b * b) ** 0.5) ** 2 == a * a + b * b))
