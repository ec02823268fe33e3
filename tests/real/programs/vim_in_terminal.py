# Drives vim in a pseudo-terminal: types text, searches, substitutes, runs a macro, writes argv[1] and quits.
import os
import pty
import select
import signal
import sys

signal.alarm(600)
path = sys.argv[1]
child, terminal = pty.fork()
if child == 0:
    os.execvp("vim", ["vim", "-u", "NONE", "-i", "NONE", "-N", "-n", path])


def drain(seconds):
    """Reads what vim draws until it has been quiet for so long."""
    while select.select([terminal], [], [], seconds)[0]:
        try:
            if not os.read(terminal, 65536):
                return
        except OSError:
            return


def send(keys):
    os.write(terminal, keys.encode())
    drain(0.05)


drain(0.3)
send("ifirst line\rsecond line\rthird line\x1b")
send("gg/second\rcwSECOND\x1b")
send(":%s/line/LINE/g\r")
send("gg0qaA!\x1bjq2@a")
send("Goappended\x1byy3p")
send(":r !seq 3\r")
send(":$,$s/3/three/\r")
send("ggJ")
send(":wq\r")
drain(0.2)
_, status = os.waitpid(child, 0)
print("vim ended", status)
