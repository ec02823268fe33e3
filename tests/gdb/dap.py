# SPDX-License-Identifier: MIT
"""Test the debug adapter rrsoft-dap with a real client: dap.py RRSOFT PROGRAMS FOLDER.

The cases are in dap/adapter.test.js; PROGRAMS is where the guests are, FOLDER where packages may be installed.
"""
import os
import pathlib
import subprocess
import sys
import tempfile

from node_packages import install, skip_without

HERE = pathlib.Path(__file__).resolve().parent


def main():
    rrsoft, programs, folder = sys.argv[1:]
    skip_without("node", "npm", "gdb")
    install(folder)
    with tempfile.TemporaryDirectory(prefix="rrsoft-dap-") as traces:
        env = {**os.environ, "RRSOFT": rrsoft, "PROGRAMS": programs, "FOLDER": folder, "RRSOFT_TRACE_DIR": traces,
               "SOURCES": str(HERE / "guests"), "HOME": traces, "LC_ALL": "C"}
        return subprocess.run(["node", "--test", HERE / "dap" / "adapter.test.js"], env=env, stdin=subprocess.DEVNULL,
                              timeout=270).returncode


sys.exit(main())
