# SPDX-License-Identifier: MIT
"""Runs one case in gdb, over a server of its own: run_case.py CASE stdio|socket|tcp SERVER RECORDING.

With RRSOFT in the environment, RECORDING is a program that is recorded first, with ARGUMENTS. The case is a Python program that gdb itself runs (cases/CASE.py). Whatever happens, nothing that was started here is left.
"""
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir))
import children  # noqa: E402

HERE = pathlib.Path(__file__).resolve().parent
TIMEOUT_S = 240


def record(program, folder):
    """Records the program, whatever it exits with, and gives the trace."""
    trace = f"{folder}/trace"
    arguments = os.environ.get("ARGUMENTS", "").split()
    words = [os.environ["RRSOFT"], "record", "--quiet", "--output", trace, "--", program, *arguments]
    subprocess.run(words, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, timeout=120)
    return trace


def start_server(kind, command, folder):
    """Starts a listening server and gives it with the address that it prints."""
    words = [*command[:1], *(["--socket", f"{folder}/gdb.sock"] if kind == "socket" else ["--tcp", "0"]), *command[1:]]
    server = children.start(words, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL)
    line = server.stdout.readline().decode().split()
    if line[:2] != ["target", "extended-remote"]:
        raise SystemExit(f"the server said {line}")
    return server, line[2]


def main():
    case, kind, *command = sys.argv[1:]
    if not shutil.which("gdb"):
        print("skipped: gdb is not installed")
        return 77
    folder = tempfile.mkdtemp(prefix="rrsoft-gdb-")
    server = gdb = None
    try:
        if "RRSOFT" in os.environ:
            command[-1] = record(command[-1], folder)
        target = "| exec " + " ".join([command[0], "--stdio", *command[1:]])
        if kind != "stdio":
            server, target = start_server(kind, command, folder)
        environment = {**os.environ, "HOME": folder, "LC_ALL": "C", "TZ": "UTC", "CASE": str(HERE / "cases" / f"{case}.py"),
                       "TARGET": target, "PYTHONDONTWRITEBYTECODE": "1", "FOLDER": folder,
                       "SERVER": command[0], "RECORDING": command[-1]}
        gdb = children.start(["gdb", "-nx", "-q", "-batch", "-x", HERE / "in_gdb.py"], env=environment, cwd=folder,
                             stdin=subprocess.DEVNULL)
        return gdb.wait(TIMEOUT_S)
    finally:
        children.end(gdb)
        children.end(server)
        shutil.rmtree(folder, ignore_errors=True)


sys.exit(main())
