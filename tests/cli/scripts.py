# SPDX-License-Identifier: MIT
"""Test that ./check and ./demo refuse wrong usage, and that the installer touches nothing it need not,
and that figures are put into the README without touching the rest."""
import os
import shutil
import unittest

from support import SOURCE, Case


class Figures(Case):
    def test_only_what_is_between_the_marks_is_replaced(self):
        for directory in ("scripts", "docs"):
            (self.top / directory).mkdir()
        shutil.copy(SOURCE / "scripts/update-figures", self.top / "scripts")
        figures = "Measured & by \\n\n\n| a | b |\n"
        (self.top / "docs/BENCHMARKS.md").write_text(f"# x\n<!-- store -->\n{figures}<!-- /store -->\n"
                                                     "<!-- other -->\n1\n<!-- /other -->\n")
        readme = self.top / "README.md"
        text = "before\n<!-- store -->\n{}<!-- /store -->\nafter \\n &\n<!-- new -->\nkept\n<!-- /new -->\n"
        readme.write_text(text.format("old\n<!-- a remark -->\n"))
        for _ in range(2):
            done = self.run_program(self.top / "scripts/update-figures", cwd="/")
            self.assertEqual((done.returncode, done.stdout, done.stderr), (0, b"", b""))
            self.assertEqual(readme.read_text(), text.format(figures))


# What ctest prints, with every result it knows, and a line of a test that only looks like one.
CTEST = """#!/bin/sh
while [ "$1" != --output-log ]; do shift; done
cat >"$2" <<END
      Start 1: unit/a
1/7 Test #1: unit/a .................   Passed    0.01 sec
 2/7 Test  #2: unit/b .................***Failed    0.02 sec
Passed, said the test. ***Skipped
 3/7 Test  #3: a/much/longer/name/than/others ...***Skipped   0.00 sec
 4/7 Test  #4: d ......................***Not Run (Disabled)   0.00 sec
 5/7 Test  #5: e ......................***Timeout   1.00 sec
 6/7 Test  #6: f ......................***Not Run   0.00 sec
 7/7 Test  #7: g ......................***Exception: SegFault  0.10 sec
END
cat "$2"
exit ${CTEST_STATUS-8}
"""


class CheckCounts(Case):
    """Runs a copy of ./check with stand-ins for cmake and ctest."""

    def setUp(self):
        super().setUp()
        self.tree = self.top / "tree"
        self.tree.mkdir()
        shutil.copy(SOURCE / "check", self.tree)
        (self.top / "fake").mkdir()
        self.stand_in("cmake", "#!/bin/sh\nexit 0\n")
        self.stand_in("ctest", CTEST)
        self.env["PATH"] = f"{self.top}/fake:{self.env['PATH']}"

    def stand_in(self, name, text):
        (self.top / "fake" / name).write_text(text)
        (self.top / "fake" / name).chmod(0o755)

    def check(self, **options):
        done = self.run_program(self.tree / "check", "--no-install", **options)
        return done.returncode, done.stdout.decode().splitlines()[-1]

    def test_every_result_is_counted(self):
        self.assertEqual(self.check(), (1, "2 passed, 8 failed, 4 skipped"))

    def test_from_anywhere_without_standard_input(self):
        self.assertEqual(self.check(cwd="/", preexec_fn=lambda: os.close(0), stdin=None),
                         (1, "2 passed, 8 failed, 4 skipped"))

    def test_all_passed(self):
        self.stand_in("ctest", "\n".join(line for line in CTEST.splitlines() if "***" not in line))
        self.env["CTEST_STATUS"] = "0"
        self.assertEqual(self.check(), (0, "2 passed, 0 failed, 0 skipped"))

    def test_ctest_that_fails_without_a_failed_test(self):
        self.stand_in("ctest", "#!/bin/sh\nexit 1\n")
        self.assertEqual(self.check(), (1, "0 passed, 2 failed, 0 skipped"))

    def test_build_that_fails(self):
        self.stand_in("cmake", "#!/bin/sh\necho 'the compiler says no'\n[ $1 != --build ]\n")
        self.assertEqual(self.check(), (1, "0 passed, 3 failed, 0 skipped"))


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
