#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Test that a program that cannot be executed ends a mode with a shell's exit code and its reason.

  cannot_execute.py 'rrsoft count --'

A missing program: 127 and "No such file or directory"; a file without permission, of another CPU or of no
known format: 126, or 127, as sh would; a 32-bit x86 program: refused by name. Each leaves one line on stderr that
begins with "rrsoft:" and names the program. Deep in a process tree such a program fails or dies, and the rest goes on;
a text without #! is run by /bin/sh.
"""
import os
import shlex
import struct
import subprocess
import sys
import tempfile

EM_386, EM_AARCH64, EM_X86_64 = 3, 183, 62


def elf(machine, bits):
    """The smallest executable whose header says so: one segment, `mov $1, %eax; xor %ebx, %ebx; int $0x80`."""
    code = bytes([0xB8, 1, 0, 0, 0, 0x31, 0xDB, 0xCD, 0x80])
    base = 0x08048000
    ident = b"\x7fELF" + bytes([1 if bits == 32 else 2, 1, 1]) + bytes(9)
    if bits == 32:
        header = ident + struct.pack("<HHIIIIIHHHHHH", 2, machine, 1, base + 84, 52, 0, 0, 52, 32, 1, 0, 0, 0)
        segment = struct.pack("<IIIIIIII", 1, 0, base, base, 84 + len(code), 84 + len(code), 5, 4096)
    else:
        header = ident + struct.pack("<HHIQQQIHHHHHH", 2, machine, 1, base + 120, 64, 0, 0, 64, 56, 1, 0, 0, 0)
        segment = struct.pack("<IIQQQQQQ", 1, 5, 0, base, base, 120 + len(code), 120 + len(code), 4096)
    return header + segment + code


def write(directory, name, data, mode):
    path = os.path.join(directory, name)
    with open(path, "wb") as file:
        file.write(data)
    os.chmod(path, mode)
    return path


def cases(directory):
    """(path, exit codes that are right, what stderr must say, in lower case)"""
    yield os.path.join(directory, "missing"), {127}, "no such file or directory"
    yield "no-such-program-in-path", {127}, "not found|no such file or directory"
    yield write(directory, "unpermitted", b"#!/bin/sh\n", 0o644), {126}, "permission denied"
    yield directory, {126}, "directory|permission denied"
    yield write(directory, "other-cpu", elf(EM_AARCH64, 64), 0o755), {126}, "exec format error"
    yield write(directory, "cut-short", elf(EM_X86_64, 64)[:40], 0o755), {126}, "exec format error"
    yield write(directory, "bits-32", elf(EM_386, 32), 0o755), {126}, "32-bit"
    yield write(directory, "no-interpreter", b"#!/no/such/interpreter\n", 0o755), {126, 127}, "no such file"


def check(mode, path, codes, words):
    result = subprocess.run(mode + [path], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE, timeout=30)
    text = result.stderr.decode(errors="replace")
    lines = [line for line in text.splitlines() if line.startswith("rrsoft:")]
    reason = any(word in text.lower() for word in words.split("|"))
    if result.returncode in codes and lines and reason and os.path.basename(path) in text:
        return True
    print(f"{path}: status {result.returncode}, expected {sorted(codes)} and '{words}'; stderr:\n{text}")
    return False


def trees(directory):
    """(script for sh, its standard output, what stderr must say)"""
    for name in ["bits-32", "other-cpu"]:
        yield f"{directory}/{name}; echo $?; echo on", "126\non\n", name
        yield f"cd {directory} && ./{name}; echo $?", "126\n", name
    script = write(directory, "by-32", f"#!{directory}/bits-32\n".encode(), 0o755)
    yield f"{script} & wait $!; [ $? -ge 126 ] && echo refused", "refused\n", "bits-32"
    text = write(directory, "text", b"echo $#:$2\n", 0o755)
    yield f"{text} one two", "2:two\n", ""


def check_tree(mode, script, output, words):
    result = subprocess.run(mode + ["sh", "-c", script], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE, timeout=30, text=True, errors="replace")
    if result.stdout == output and words in result.stderr:
        return True
    print(f"sh -c '{script}': printed {result.stdout!r}, expected {output!r}; stderr:\n{result.stderr}")
    return False


def check_text(mode, directory):
    result = subprocess.run(mode + [os.path.join(directory, "text"), "one", "two"], stdin=subprocess.DEVNULL,
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=30)
    if result.stdout == b"2:two\n" and result.returncode == 0:
        return True
    print(f"a text: status {result.returncode}, printed {result.stdout!r}")
    return False


def main():
    mode = shlex.split(sys.argv[1])
    with tempfile.TemporaryDirectory() as directory:
        right = [check(mode, *case) for case in cases(directory)]
        right += [check_tree(mode, *case) for case in trees(directory)]
        right.append(check_text(mode, directory))
    return 0 if all(right) else 1


if __name__ == "__main__":
    sys.exit(main())
