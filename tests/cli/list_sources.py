# SPDX-License-Identifier: MIT
"""Test that `rrsoft sources` lists what a recorded program mapped, and that `extract` gives its bytes."""
import hashlib
import os
import pathlib
import shutil
import unittest

from support import Case

# Maps the file given, changes it by way of another file, and maps it again; and a part of a large one. Of a
# large file with code a part and the code are mapped: of the latter the recording has all.
SCRIPT = """
import mmap, os, sys
name, large, code = sys.argv[1:]
with open(code, "rb") as file:
    mmap.mmap(file.fileno(), 8192, mmap.MAP_PRIVATE, mmap.PROT_READ)[:]
    mmap.mmap(file.fileno(), 4096, mmap.MAP_PRIVATE, mmap.PROT_READ | mmap.PROT_EXEC, offset=4096)[:]
for text in (b"first content", b"second content"):
    with open(name + ".new", "wb") as file:
        file.write(text)
    os.rename(name + ".new", name)
    with open(name, "rb") as file:
        mmap.mmap(file.fileno(), 0, mmap.MAP_PRIVATE, mmap.PROT_READ)[:]
with open(large, "rb") as file:
    mmap.mmap(file.fileno(), 8192, mmap.MAP_PRIVATE, mmap.PROT_READ, offset=20 << 20)[:]
"""


class Sources(Case):
    def setUp(self):
        super().setUp()
        self.data, self.large = self.top / "data", self.top / "large"
        with open(self.large, "wb") as file:
            file.seek(20 << 20)
            file.write(bytes(range(256)) * 64)
        self.code = self.top / "code"
        shutil.copyfile(self.large, self.code)
        self.record("/usr/bin/python3", "-S", "-c", SCRIPT, str(self.data), str(self.large), str(self.code))

    def run_bytes(self, *words):
        done = self.run_program(os.environ["RRSOFT"], *words)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout

    def test_list(self):
        text = self.rrsoft("sources")
        self.assertRegex(text, r"^ *BYTES +HASH +EVENT +ADDRESS +MAPS +CODE +PATH\n")
        self.assertRegex(text, r"(?m)^ *\d+ +[0-9a-f]{16} +1 +[0-9a-f]{12} +\d+ +yes +/usr/bin/python3\.")
        rows = self.json("sources")
        own = [row for row in rows if row["path"] == str(self.data)]
        self.assertEqual([row["bytes"] for row in own], [13, 14])
        self.assertEqual(own[0]["hash"], hashlib.blake2b(b"first content").hexdigest()[:64])
        self.assertFalse(own[0]["code"])
        libc = next(row for row in rows if row["path"].endswith("/libc.so.6"))
        self.assertTrue(libc["code"])
        self.assertGreater(libc["mappings"], 1)
        large = next(row for row in rows if row["path"] == str(self.large))
        self.assertEqual((large["offset"], large["bytes"]), (20 << 20, 8192))

    def test_bytes(self):
        libc = next(row["path"] for row in self.json("sources") if row["path"].endswith("/libc.so.6"))
        content = pathlib.Path(libc).read_bytes()
        self.assertEqual(self.run_bytes("extract", "libc.so.6"), content)
        self.assertEqual(self.run_bytes("extract", "python3-1", libc), content)
        self.rrsoft("extract", "--output", str(self.top / "copy"), "libc.so.6")
        self.assertEqual((self.top / "copy").read_bytes(), content)
        first = hashlib.blake2b(b"first content").hexdigest()[:16]
        self.assertEqual(self.run_bytes("extract", first), b"first content")
        self.assertEqual(self.run_bytes("extract", "large"), bytes(range(256)) * 32)
        self.assertEqual(len([row for row in self.json("sources") if row["path"] == str(self.code)]), 2)
        self.assertEqual(self.run_bytes("extract", "code"), self.code.read_bytes(), "the whole file, not one of its pages")

    def test_mistakes(self):
        self.fails("extract", "data", exit_code=2, match="several files.*hash")
        self.fails("extract", "ibc.so.6", match="mapped no file 'ibc.so.6'")
        self.fails("extract", "no-such-trace", "libc.so.6", match="no-such-trace")
        self.fails("extract", "-o", "/no/such/directory/x", "libc.so.6", match="/no/such/directory/x")
        self.fails("extract", exit_code=2)
        if os.path.exists("/dev/full"):
            self.fails("extract", "-o", "/dev/full", "libc.so.6", match="No space")

    def test_other_traces(self):
        self.make_trace()
        self.assertEqual(self.json("sources"), [])
        for seed in range(6):
            self.make_hostile_trace(seed)
            self.json("sources")
            self.assertTrue(all(line.isprintable() for line in self.rrsoft("sources").splitlines()))
            self.fails("extract", "x")


if __name__ == "__main__":
    unittest.main()
