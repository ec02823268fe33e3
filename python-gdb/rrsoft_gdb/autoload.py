# SPDX-License-Identifier: MIT
"""Scripts that come with libraries, pretty-printers above all. gdb loads them by the path of the library, and does not look for
one whose path begins with "target:", as that of every file from a recording does. So what it would load for the same path on
this machine is loaded here, by the same settings: where scripts lie, and which of these places are safe."""
import os

import gdb

_PREFIX = "target:"
_SUFFIX = "-gdb.py"


def _path(objfile):
    return objfile.filename[len(_PREFIX):]


def _folders(setting):
    """A list of folders from one of gdb's settings, with its variables replaced."""
    data = gdb.parameter("data-directory") or ""
    text = gdb.parameter(setting) or ""
    debug = (gdb.parameter("debug-file-directory") or "").split(":")[0]
    return [folder.replace("$datadir", data).replace("$debugdir", debug) for folder in text.split(":") if folder]


def _is_safe(path):
    real = os.path.realpath(path)
    return any(folder == "/" or os.path.realpath(folder) == real or real.startswith(os.path.realpath(folder) + "/")
               for folder in _folders("auto-load safe-path"))


class _Library:
    """A library as a script is to see it: by the path that it has on the disk; scripts look for files beside it."""

    def __init__(self, objfile):
        vars(self).update(_objfile=objfile, filename=_path(objfile))

    def __getattr__(self, name):
        return getattr(self._objfile, name)

    def __setattr__(self, name, value):
        setattr(self._objfile, name, value)


def _run(path, objfile):
    """As gdb does it: the script asks gdb which library it is loaded for."""
    original = gdb.current_objfile
    gdb.current_objfile = lambda: _Library(objfile)
    try:
        with open(path, encoding="utf-8") as file:
            exec(compile(file.read(), path, "exec"), {"__name__": "__main__", "__file__": path})
    except Exception as error:  # whatever it is, it is not ours, and gdb goes on in its place, too
        gdb.write(f"warning: {path}: {error}\n", gdb.STDERR)
    finally:
        gdb.current_objfile = original


def _on_new_objfile(event):
    name = event.new_objfile.filename or ""
    if not name.startswith(_PREFIX) or not gdb.parameter("auto-load python-scripts"):
        return
    for folder in _folders("auto-load scripts-directory"):
        path = folder + _path(event.new_objfile) + _SUFFIX
        if os.path.isfile(path) and _is_safe(path):
            _run(path, event.new_objfile)


def install():
    gdb.events.new_objfile.connect(_on_new_objfile)
