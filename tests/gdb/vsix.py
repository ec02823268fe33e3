# SPDX-License-Identifier: MIT
"""Test that the VS Code extension can be packed, and that what is in it works: vsix.py RRSOFT PROGRAMS FOLDER."""
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import zipfile

from node_packages import SOURCE, install, skip_without

HERE = pathlib.Path(__file__).resolve().parent
MAKE = HERE.parents[1] / "scripts" / "make-vsix"


def pack(folder, output):
    return subprocess.run([sys.executable, MAKE, "--from", folder, output], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, timeout=60)


def check_archive(archive):
    names = set(archive.namelist())
    manifest = archive.read("extension.vsixmanifest").decode()
    for path in re.findall(r'Path="([^"]*)"', manifest):
        assert path in names, f"{path} is named in the manifest and missing"
    types = archive.read("[Content_Types].xml").decode()
    for name in names - {"[Content_Types].xml"}:
        suffix = pathlib.PurePosixPath(name).suffix
        assert f'"{suffix}"' in types or f'"/{name}"' in types, f"no content type for {name}"
    assert "extension/node_modules/cdt-gdb-adapter/LICENSE" in names
    assert not [name for name in names if "testsupport" in name or name.endswith(".map")]


def main():
    rrsoft, programs, folder = sys.argv[1:]
    skip_without("node", "npm", "gdb")
    folder = install(folder)
    with tempfile.TemporaryDirectory(prefix="rrsoft-vsix-") as top:
        output, again = f"{top}/rrsoft.vsix", f"{top}/again.vsix"
        done = pack(folder, output)
        assert done.returncode == 0, done.stderr.decode()
        assert pack(folder, again).returncode == 0
        assert pathlib.Path(output).read_bytes() == pathlib.Path(again).read_bytes(), "the bytes differ"
        with zipfile.ZipFile(output) as archive:
            check_archive(archive)
            archive.extractall(top)
        bare = pathlib.Path(top) / "bare"
        bare.mkdir()
        for name in ("package.json", "package-lock.json"):
            (bare / name).write_bytes((SOURCE / name).read_bytes())
        done = pack(bare, again)
        assert done.returncode == 1 and b"npm ci" in done.stderr, done.stderr
        env = {**os.environ, "RRSOFT": rrsoft, "PROGRAMS": programs, "FOLDER": str(folder), "RRSOFT_TRACE_DIR": top,
               "EXTENSION": f"{top}/extension", "SOURCES": str(HERE / "guests"), "HOME": top, "LC_ALL": "C"}
        return subprocess.run(["node", "--test", HERE / "dap" / "extension.test.js"], env=env,
                              stdin=subprocess.DEVNULL, timeout=100).returncode


sys.exit(main())
