# SPDX-License-Identifier: MIT
"""What both tests of the console share: recordings of the debugger's test programs, made once per run."""
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

RRSOFT, GUESTS = sys.argv[1:3]
SOURCES = pathlib.Path(__file__).resolve().parents[1] / "gdb" / "guests"


def line_of(mark, source):
    """The line that carries a mark."""
    for number, text in enumerate((SOURCES / source).read_text().splitlines(), 1):
        if f"mark: {mark} " in text:
            return number
    raise AssertionError(f"no mark {mark}")


class Case(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.mkdtemp(prefix="rrsoft-console-")
        cls.addClassCleanup(shutil.rmtree, cls.folder, ignore_errors=True)
        cls.env = {**os.environ, "HOME": cls.folder, "RRSOFT_TRACE_DIR": f"{cls.folder}/traces", "LC_ALL": "C", "TZ": "UTC",
                   "TERM": "vt100"}

    def record(self, guest, *arguments):
        """Records a program, from a copy that is gone afterwards, unless that was done, and gives the trace's name."""
        name = f"{guest}-1"
        if not os.path.exists(f"{self.folder}/traces/{name}"):
            copy = f"{self.folder}/{guest}"
            shutil.copy(f"{GUESTS}/{guest}", copy)
            subprocess.run([RRSOFT, "record", "--quiet", "--", copy, *arguments], env=self.env, stdin=subprocess.DEVNULL,
                           stdout=subprocess.DEVNULL, timeout=60)
            os.unlink(copy)
        return name

    def number(self, pattern, text):
        found = re.search(pattern, text)
        self.assertTrue(found, f"no {pattern} in {text}")
        return int(found.group(1), 0)
