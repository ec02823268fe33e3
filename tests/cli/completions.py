# SPDX-License-Identifier: MIT
"""Test that bash, zsh and fish complete commands, options and the names of traces."""
import os
import shutil
import unittest

from support import RRSOFT, SOURCE, Case, commands, long_options

FILES = SOURCE / "cli" / "completions"

# Stands in for the `compopt` of an interactive shell, and prints what would be offered.
BASH = """
compopt() { :; }
source "$1"
shift
COMP_WORDS=("$@")
COMP_CWORD=$(($# - 1))
_rrsoft
printf '%s\\n' "${COMPREPLY[@]}"
"""

# Types each line into an interactive zsh on a pseudo-terminal, presses TAB, and prints what it shows. Keys
# are typed only behind a prompt: before, the terminal would handle them.
ZSH = """
zmodload zsh/zpty
zpty shell zsh -f -i
zpty -w shell "PROMPT='re''ady> '; fpath=('$1' \\$fpath); autoload -Uz compinit; compinit -u -D; setopt no_list_types"
zpty -r shell output '*ready> *'
shift
for line in "$@"; do
    zpty -w -n shell "$line"$'\\t\\C-u'
    zpty -w shell 'print END-$((1+1))'
    zpty -r shell output '*END-2*ready> *'
    print -r -- "$output"
done
zpty -d shell
"""


class Completions(Case):
    def setUp(self):
        super().setUp()
        self.make_trace("alpha")
        self.make_trace("alpine")
        # The completions call `rrsoft`, so it has to be found by that name.
        (self.top / "bin").mkdir()
        os.symlink(RRSOFT, self.top / "bin" / "rrsoft")
        self.env["PATH"] = f"{self.top}/bin:{self.env['PATH']}"
        self.env["LSAN_OPTIONS"] = "detect_leaks=0"

    def require(self, shell):
        if not shutil.which(shell):
            self.skipTest(f"{shell} is not installed")

    def bash(self, *words):
        done = self.run_program("bash", "-c", BASH, "bash", str(FILES / "rrsoft.bash"), *words)
        self.assertEqual(done.stderr, b"")
        return set(done.stdout.decode().split())

    def test_bash(self):
        self.require("bash")
        self.assertEqual(self.bash("rrsoft", ""), {*commands(), "--help", "--version"})
        self.assertEqual(self.bash("rrsoft", "ev"), {"events"})
        for command in commands():
            self.assertEqual(self.bash("rrsoft", command, "--"), set(long_options(command)))
        self.assertEqual(self.bash("rrsoft", "info", ""), {"alpha-1", "alpine-1"})
        self.assertEqual(self.bash("rrsoft", "rm", "alpha-1", "alpi"), {"alpine-1"})
        self.assertEqual(self.bash("rrsoft", "help", "ev"), {"events"})
        self.assertEqual(self.bash("rrsoft", "events", "--from", ""), set())
        self.assertEqual(self.bash("rrsoft", "frobnicate", "--"), {"--help"})

    def fish(self, line):
        script = f"source {FILES}/rrsoft.fish; complete -C '{line}'"
        done = self.run_program("fish", "--no-config", "-c", script)
        self.assertEqual(done.stderr, b"")
        return {row.split("\t")[0] for row in done.stdout.decode().splitlines()}

    def test_fish(self):
        self.require("fish")
        self.assertEqual(self.fish("rrsoft "), set(commands()))
        self.assertEqual(self.fish("rrsoft --"), {"--help", "--version"})
        for command in commands():
            self.assertEqual(self.fish(f"rrsoft {command} --"), set(long_options(command)))
        self.assertEqual(self.fish("rrsoft info alp"), {"alpha-1", "alpine-1"})
        self.assertEqual(self.fish("rrsoft help ev"), {"events"})

    def zsh(self, *lines):
        """Gives what zsh shows for each line."""
        done = self.run_program("zsh", "-f", "-c", ZSH, "zsh", str(FILES), *lines)
        self.assertEqual(done.stderr, b"")
        return done.stdout.decode(errors="replace").split("END-2")[:-1]

    def test_zsh(self):
        self.require("zsh")
        try:
            for end in os.openpty():
                os.close(end)
        except OSError as error:
            self.skipTest(f"no pseudo-terminal: {error}")
        self.env["TERM"] = "vt100"
        names = commands()
        general, *each, traces = self.zsh("rrsoft ", *(f"rrsoft {name} --" for name in names),
                                          "rrsoft info alp")
        for name, text in zip(names, each, strict=True):
            self.assertRegex(general, rf"\b{name} +-- ")
            for option in long_options(name):
                self.assertIn(option, text)
        self.assertIn("alpha-1", traces)
        self.assertIn("alpine-1", traces)


if __name__ == "__main__":
    unittest.main()
