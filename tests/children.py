# SPDX-License-Identifier: MIT
"""Programs that a test starts, each in a process group of its own, of which nothing is left: neither when the test is
done with it, nor when the test itself is killed."""
import ctypes
import os
import signal
import subprocess

PR_SET_PDEATHSIG = 1
_prctl = ctypes.CDLL(None, use_errno=True).prctl


def start(command, **how):
    """A Popen in a group of its own that gets SIGTERM when its parent dies."""
    parent = os.getpid()

    def in_child():
        _prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent:
            os._exit(1)

    return subprocess.Popen(command, start_new_session=True, preexec_fn=in_child, **how)


def _signal_group(child, number):
    try:
        os.killpg(child.pid, number)
    except ProcessLookupError:
        pass


def end(child, patience_s=10):
    """Ends the child and what is left of its group, by force if it does not go by itself. None is fine."""
    if child is None:
        return
    if child.poll() is None:
        _signal_group(child, signal.SIGTERM)
        try:
            child.wait(patience_s)
        except subprocess.TimeoutExpired:
            pass
    _signal_group(child, signal.SIGKILL)
    child.wait()


def run(command, timeout, **how):
    """The exit status, negative for a signal; None: it was not done in time."""
    child = start(command, **how)
    try:
        return child.wait(timeout)
    except subprocess.TimeoutExpired:
        return None
    finally:
        end(child, 0)
