# SPDX-License-Identifier: MIT
"""Test that `cmake --install` puts everything where a distribution expects it, and that it runs there."""
import os
import unittest

from support import SOURCE, Case, commands


class Install(Case):
    def test_destdir(self):
        destination = self.top / "staged"
        done = self.run_program(os.environ["CMAKE"], "--install", os.environ["RRSOFT_BUILD"], "--prefix",
                                "/usr", env={**self.env, "DESTDIR": str(destination)})
        self.assertEqual(done.returncode, 0, done.stderr)
        usr = destination / "usr"
        expected = {"bin/rrsoft", "share/man/man1/rrsoft.1", "share/bash-completion/completions/rrsoft",
                    "share/fish/vendor_completions.d/rrsoft.fish", "share/doc/rrsoft/README.md",
                    "share/doc/rrsoft/LICENSE"}
        expected |= {f"share/man/man1/rrsoft-{command}.1" for command in [*commands(), "gdb-mi", "gdbserver"]}
        expected |= {"bin/rrsoft-gdbserver", "bin/rrsoft-gdb-mi"}
        expected |= {f"share/rrsoft/gdb/{path.relative_to(SOURCE / 'python-gdb')}"
                     for path in (SOURCE / "python-gdb").rglob("*.py")}
        found = {str(path.relative_to(usr)) for path in usr.rglob("*") if path.is_file()}
        zsh = {"share/zsh/site-functions/_rrsoft", "share/zsh/vendor-completions/_rrsoft"}
        self.assertEqual(expected - found, set())
        self.assertEqual(len(found & zsh), 1)
        self.assertEqual({path for path in found if path.startswith(("bin/", "share/"))} - zsh, expected)
        self.assertEqual([path for path in destination.iterdir()], [usr], "nothing outside of the prefix")
        done = self.run_program(str(usr / "bin/rrsoft"), "--version")
        self.assertEqual(done.returncode, 0)
        for path in usr.rglob("*"):
            if path.is_file():
                self.assertEqual(path.stat().st_mode & 0o777, 0o755 if "bin/" in str(path) else 0o644, path)

    def test_licence(self):
        self.assertIn("MIT License", (SOURCE / "LICENSE").read_text())
        self.assertIn("GNU GENERAL PUBLIC LICENSE", (SOURCE / "plugins/gcc/LICENSE").read_text())


if __name__ == "__main__":
    unittest.main()
