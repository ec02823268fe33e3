# SPDX-License-Identifier: MIT
"""Test that ./check and ./demo refuse wrong usage, and that the installer touches nothing it need not,
and that figures are put into the README without touching the rest."""
import os
import shutil
import unittest

from support import SOURCE, Case


class Figures(Case):
    def test_only_what_is_between_the_marks_is_replaced(self):
        (self.top / "scripts").mkdir()
        shutil.copy(SOURCE / "scripts/update-figures", self.top / "scripts")
        readme = self.top / "README.md"
        before = "before\n<!-- figures:store begin -->\n"
        after = "<!-- figures:store end -->\nafter \\n &\n"
        readme.write_text(before + "old\n" + after)
        script = self.top / "scripts/update-figures"
        done = self.run_program(script, "store", "printf", "%s\\n", "rate 5 & \\n")
        self.assertEqual(done.returncode, 0, done.stderr)
        text = readme.read_text()
        self.assertTrue(text.startswith(before) and text.endswith(after), text)
        self.assertIn("\n```\nrate 5 & \\n\n```\n", text)
        self.assertNotIn("old", text)
        for words in (["store", "false"], ["nosuch", "true"]):
            self.assertNotEqual(self.run_program(script, *words).returncode, 0)
            self.assertEqual(readme.read_text(), text)


class Scripts(Case):
    def test_help_and_wrong_usage(self):
        for script in ("check", "demo"):
            done = self.run_program(SOURCE / script, "--help")
            self.assertEqual((done.returncode, done.stderr), (0, b""))
            self.assertIn(f"Usage: ./{script}", done.stdout.decode())
            done = self.run_program(SOURCE / script, "--frobnicate")
            self.assertEqual((done.returncode, done.stdout), (2, b""))
            self.assertRegex(done.stderr.decode(), rf"^{script}: unknown option '--frobnicate'.*\n$")
        for jobs in (["--jobs"], ["--jobs", "0"], ["--jobs=x"]):
            done = self.run_program(SOURCE / "check", *jobs)
            self.assertEqual(done.returncode, 2)
            self.assertRegex(done.stderr.decode(), r"^check: --jobs needs a number.*\n$")

    def fake(self, name, text):
        path = self.top / "fake" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text("#!/bin/sh\n" + text)
        path.chmod(0o755)

    def install(self, installed, *groups):
        """Runs the installer with stand-ins for dpkg-query and apt-get; gives it and apt-get's calls."""
        calls = self.top / "calls"
        calls.write_text("")
        self.fake("dpkg-query", f'[ {int(installed)} = 1 ] && printf installed\n')
        self.fake("apt-get", f'echo "$@" >>{calls}\n')
        self.fake("id", "echo 0\n")
        env = {**self.env, "PATH": f"{self.top}/fake:{os.environ['PATH']}"}
        done = self.run_program(SOURCE / "scripts/install-dependencies", *groups, env=env)
        return done, calls.read_text()

    def test_nothing_is_done_if_all_is_there(self):
        done, calls = self.install(True, "build", "test")
        self.assertEqual((done.returncode, done.stdout, done.stderr, calls), (0, b"", b"", ""))

    def test_missing_packages_are_installed(self):
        done, calls = self.install(False, "build")
        self.assertEqual(done.returncode, 0, done.stderr)
        update, install = calls.splitlines()
        self.assertIn("update", update)
        self.assertRegex(install, "install --no-install-recommends .*cmake.* liblmdb-dev")
        self.assertNotIn("python3", install)

    def test_unknown_group(self):
        done, calls = self.install(True, "documentation")
        self.assertEqual((done.returncode, calls), (2, ""))

    def test_neither_root_nor_sudo(self):
        self.install(False, "build")
        self.fake("id", "echo 1000\n")
        tools = ("awk", "cat", "dirname", "tr", "sh", "env")
        for tool in tools:
            path = next(p for p in (f"/usr/bin/{tool}", f"/bin/{tool}") if os.path.exists(p))
            os.symlink(path, self.top / "fake" / tool)
        self.fake("dpkg-query", "exit 1\n")
        done = self.run_program(SOURCE / "scripts/install-dependencies", "build",
                                env={**self.env, "PATH": f"{self.top}/fake"})
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stderr.decode(), r"^install-dependencies: cannot install without root or "
                                               r"sudo; as root run: apt-get install .*\n$")


if __name__ == "__main__":
    unittest.main()
