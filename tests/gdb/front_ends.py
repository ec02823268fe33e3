# SPDX-License-Identifier: MIT
"""Test the configurations of docs/VSCODE.md: front_ends.py RRSOFT PROGRAM FOLDER.

The adapters that npm has run as they are (dap/front_ends.test.js). Of those that it has not, the commands are sent that they
send with that configuration: Microsoft's MIEngine (cppdbg) and Native Debug to gdb, CodeLLDB to lldb.
"""
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import unittest

import launch_configurations
from mi import Mi
from node_packages import install, skip_without

RRSOFT, PROGRAM, FOLDER = sys.argv[1:]
SOURCE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "guests", "crash.c")
LINE = 1 + next(i for i, line in enumerate(open(SOURCE, encoding="utf-8")) if "mark: guilty" in line)


def console(command):
    return "-interpreter-exec console " + json.dumps(command)


class FrontEnd(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="rrsoft-ide-")
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        self.traces = os.path.join(self.folder, "traces")
        shutil.copy(PROGRAM, os.path.join(self.folder, "program"))
        self.env = {**os.environ, "HOME": self.folder, "RRSOFT_TRACE_DIR": self.traces, "LC_ALL": "C"}

    def record(self):
        subprocess.run([RRSOFT, "record", "--quiet", "--", os.path.join(self.folder, "program")], env=self.env,
                       timeout=60, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)

    def serve(self):
        """Starts a server of the latest recording as the page says, and gives its port."""
        self.record()
        words = [os.path.join(os.path.dirname(RRSOFT), "rrsoft-gdbserver"), "--tcp", "0"]
        server = subprocess.Popen(words, env=self.env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                  start_new_session=True)

        def end():
            os.killpg(server.pid, signal.SIGTERM)
            server.communicate(timeout=20)

        self.addCleanup(end)
        return server.stdout.readline().decode().rsplit(":", 1)[1].strip()

    def configuration(self, name, port=None):
        return launch_configurations.read(RRSOFT, self.folder, port)[name]

    def debug(self, mi, first, back):
        """What one does with any of them: to a breakpoint that is set already, on, and back."""
        stop = mi.go(first)
        self.assertIn('reason="breakpoint-hit"', stop)
        self.assertIn(f'line="{LINE}"', stop)
        self.assertIn('name="when",arg="1",type="int",value="0"', mi.send("-stack-list-variables --simple-values"))
        mi.go("-exec-continue")
        self.assertIn('value="1"', mi.send("-data-evaluate-expression when"))
        self.assertIn('reason="breakpoint-hit"', mi.go(back))
        self.assertIn('value="0"', mi.send("-data-evaluate-expression when"))
        mi.go(console("rrsoft seek end"))
        self.assertIn('func="report"', mi.send("-stack-list-frames"))


class Cppdbg(FrontEnd):
    def run_configuration(self, name, port=None, before=None):
        config = self.configuration(name, port)
        self.assertEqual((config["type"], config["request"], config["MIMode"]), ("cppdbg", "launch", "gdb"))
        words = [config["miDebuggerPath"], "--interpreter=mi", *shlex.split(config.get("miDebuggerArgs", ""))]
        mi = Mi(self, words, self.env, self.folder)
        mi.send("-gdb-set mi-async on")
        for command in config.get("setupCommands", ()):
            mi.send(console(command["text"]))
        mi.send("-gdb-set auto-solib-add on")
        mi.send(f"-environment-cd {config['cwd']}")
        mi.send(f"-file-exec-and-symbols {config['program']}")
        if config.get("args"):
            mi.send("-exec-arguments " + " ".join(map(shlex.quote, config["args"])))
        address = config.get("miDebuggerServerAddress")
        if address:
            mi.send(f"-target-select {'extended-remote' if config['useExtendedRemote'] else 'remote'} {address}")
        if before:
            mi.go(console(before))
        mi.send(f"-break-insert -f {SOURCE}:{LINE}")
        self.debug(mi, "-exec-continue" if address else "-exec-run", console("reverse-continue"))
        mi.send(console("kill"))
        mi.leave()
        return mi

    def test_record(self):
        self.run_configuration("cppdbg: record and debug")
        self.assertEqual(sorted(os.listdir(self.traces)), ["latest", "program-1"])

    def test_trace(self):
        self.record()
        self.run_configuration("cppdbg: a recording")
        self.assertEqual(sorted(os.listdir(self.traces)), ["latest", "program-1"])

    def test_server(self):
        port = self.serve()
        self.run_configuration("cppdbg: a server", port)
        self.run_configuration("cppdbg: a server", port, "rrsoft seek start")  # its "Restart" connects anew


class NativeDebug(FrontEnd):
    def begin(self, config):
        self.assertEqual(config["type"], "gdb")
        words = [config.get("gdbpath", "gdb"), "-q", "--interpreter=mi2", *config.get("debugger_args", ())]
        mi = Mi(self, words, self.env, config["cwd"])
        mi.send("-gdb-set mi-async on")
        mi.send("-list-features")
        mi.send(f"-environment-directory {json.dumps(config['cwd'])}")
        return mi

    def finish(self, mi, first):
        mi.send(f'-break-insert -f "{SOURCE}:{LINE}"')
        self.debug(mi, first, "-exec-continue --reverse")
        mi.go("-exec-step --reverse")
        mi.leave()

    def launch(self, name):
        config = self.configuration(name)
        mi = self.begin(config)
        mi.send(f"-file-exec-and-symbols {json.dumps(config['target'])}")
        if config.get("arguments"):
            mi.send(f"-exec-arguments {config['arguments']}")
        self.finish(mi, "-exec-run")

    def test_record(self):
        self.launch("Native Debug: record and debug")

    def test_trace(self):
        self.record()
        self.launch("Native Debug: a recording")
        self.assertEqual(sorted(os.listdir(self.traces)), ["latest", "program-1"])

    def test_server(self):
        config = self.configuration("Native Debug: a server", self.serve())
        mi = self.begin(config)
        mi.send(f"-target-select {config['target']}")
        mi.send(f"-file-symbol-file {json.dumps(config['executable'])}")
        for command in config["autorun"]:
            mi.send(console(command))
        self.finish(mi, "-exec-continue")


class CodeLldb(FrontEnd):
    def test_server(self):
        """Its buttons for reverse send packets through LLDB, and a step forward to make it look again."""
        if not shutil.which("lldb"):
            self.skipTest("LLDB IS NOT INSTALLED: CodeLLDB was not tested")
        config = self.configuration("CodeLLDB: a server", self.serve())
        self.assertEqual((config["type"], config["request"], config["reverseDebugging"]), ("lldb", "attach", True))
        back = ["process plugin packet send bs", "stepi"]
        commands = [*config["targetCreateCommands"], *config["processCreateCommands"],
                    f"breakpoint set --file crash.c --line {LINE}", "continue", "continue", "continue", "frame variable",
                    "process plugin packet send bc", *back, "thread backtrace", "frame variable amount",
                    "process plugin packet send bs", *back, "frame variable when", "detach"]
        words = [word for command in commands for word in ("-o", command)]
        done = subprocess.run(["lldb", "-b", *words], env=self.env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, timeout=60)
        text = done.stdout.decode()
        self.assertRegex(text, r"(?s)\(int\) when = 2.*response: T05.*deposit\(.*when=1.*main at crash.c.*"
                               r"\(long\) amount = 101.*response: T05.*\(int\) when = 1.*detached")


class Adapters(FrontEnd):
    def test_all(self):
        """Those that npm has; each gets its configuration as a variable of the environment."""
        skip_without("node", "npm")
        install(FOLDER)
        port = self.serve()
        configurations = launch_configurations.read(RRSOFT, self.folder, port)
        mine = {name: config for name, config in configurations.items() if re.match("rrsoft|CDT GDB", name)}
        self.assertEqual(len(mine), 5)
        env = {**self.env, "CONFIGURATIONS": json.dumps(mine), "FOLDER": FOLDER, "RRSOFT": RRSOFT,
               "PATH": f"{os.path.dirname(RRSOFT)}:{os.environ['PATH']}", "PROGRAMS": self.folder,
               "SOURCES": os.path.dirname(SOURCE)}
        test = os.path.join(os.path.dirname(os.path.abspath(__file__)), "dap", "front_ends.test.js")
        done = subprocess.run(["node", "--test", test], env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, timeout=200)
        self.assertEqual(done.returncode, 0, done.stdout.decode())


if __name__ == "__main__":
    skip_without("gdb")
    unittest.main(argv=sys.argv[:1])
