# SPDX-License-Identifier: MIT
"""gdb commands for time travel. They know nothing but the wire: everything comes from rrsoft-gdbserver by packets."""

_loaded = False


def load():
    """Makes the commands known to gdb, once."""
    global _loaded
    if _loaded:
        return
    from . import command
    command.RrsoftPrefix()
    from . import autoload, position, marks, changes, calls, recording, log, session  # noqa: F401
    autoload.install()
    session.install()
    from . import running  # noqa: F401
    _loaded = True
