# SPDX-License-Identifier: MIT
"""Test that every command and every option has its place in the man pages and in each completion, and
that the README names every package."""
import re
import shutil
import subprocess
import unittest

from support import RRSOFT, SOURCE, commands, long_options

MAN = SOURCE / "docs" / "man"


def plain_man_page(path):
    """The text of a man page without the marks of roff."""
    text = path.read_text().replace("\\-", "-")
    return re.sub(r"\\f[BIPR]", "", text)


class ManPages(unittest.TestCase):
    def test_each_command_has_one(self):
        pages = {path.name for path in MAN.iterdir()}
        self.assertEqual(pages, {"rrsoft.1", "rrsoft-gdb-mi.1", "rrsoft-gdbserver.1"} | {f"rrsoft-{command}.1" for command in commands()})

    def test_sections_and_options(self):
        for command in commands():
            text = plain_man_page(MAN / f"rrsoft-{command}.1")
            for section in ("NAME", "SYNOPSIS", "DESCRIPTION", "OPTIONS", "EXIT STATUS", "SEE ALSO"):
                self.assertRegex(text, rf'(?m)^\.SH "?{section}"?$', command)
            documented = set(re.findall(r"(?m)^\.B .*?(--[a-z-]+)", text))
            self.assertEqual(documented, set(long_options(command)), command)

    def test_general_page_names_each_command(self):
        text = plain_man_page(MAN / "rrsoft.1")
        for command in commands():
            self.assertRegex(text, rf"(?m)^\.B {command}$")
            self.assertRegex(text, rf"(?m)^\.BR rrsoft-{command} \(1\)$")

    def test_summaries_agree(self):
        help_text = subprocess.run([RRSOFT, "--help"], stdout=subprocess.PIPE, check=True).stdout.decode()
        for command in commands():
            summary = re.search(rf"(?m)^  {command} +(.*)$", help_text).group(1)
            page = plain_man_page(MAN / f"rrsoft-{command}.1")
            self.assertIn(f"rrsoft-{command} - {summary}\n", page)
            self.assertIn(f"\n{summary};\n", plain_man_page(MAN / "rrsoft.1"))
            self.assertIn(f"'{command}:{summary}'", (SOURCE / "cli/completions/_rrsoft").read_text())
            self.assertIn(f"-a {command} -d '{summary}'", (SOURCE / "cli/completions/rrsoft.fish").read_text())

    def test_format(self):
        if not shutil.which("mandoc"):
            self.skipTest("mandoc is not installed")
        words = ["mandoc", "-T", "lint", "-W", "warning", *sorted(map(str, MAN.glob("*.1")))]
        done = subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self.assertEqual(done.stdout.decode(), "")


class CompletionFiles(unittest.TestCase):
    def test_bash_lists_each_option(self):
        text = (SOURCE / "cli/completions/rrsoft.bash").read_text()
        rows = dict(re.findall(r'(?m)^    \[([a-z-]+)\]="(.*)"$', text))
        self.assertEqual(set(rows), set(commands()))
        for command, options in rows.items():
            self.assertEqual(set(options.split()) | {"--help"}, set(long_options(command)), command)


class Readme(unittest.TestCase):
    def test_packages(self):
        readme = (SOURCE / "README.md").read_text()
        for line in (SOURCE / "scripts/dependencies").read_text().splitlines():
            if line and not line.startswith("#"):
                package, group, _ = line.split(None, 2)
                self.assertIn(group, ("build", "test"))
                self.assertRegex(readme, rf"(?m)^\|.*`{re.escape(package)}`")

    def test_figures_are_those_of_the_benchmarks(self):
        def tables(path):
            text = path.read_text() if path.exists() else ""
            return dict(re.findall(r"(?ms)^<!-- ([a-z-]+) -->\n(.*?)^<!-- /\1 -->$", text))

        measured = tables(SOURCE / "docs/BENCHMARKS.md")
        for name, table in tables(SOURCE / "README.md").items():
            self.assertEqual(table, measured.get(name, ""), name)

    def test_local_links(self):
        for path in [*SOURCE.glob("*.md"), *(SOURCE / "docs").glob("*.md")]:
            for link in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", path.read_text()):
                self.assertTrue((path.parent / link).exists(), f"{path.name}: {link}")


if __name__ == "__main__":
    unittest.main()
