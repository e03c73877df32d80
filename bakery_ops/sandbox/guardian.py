"""A sandbox that ends with the command it was started for, however that ends: also by kill -9.

The guardian is a process that waits for the end of a pipe whose other end the command alone holds. The kernel closes
that end whatever becomes of the command, so there is nothing to poll and no process id to mistake for another's.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_ROOT = Path(__file__).resolve().parents[2]
# Nothing is imported before the end comes: until then the guardian is as small as Python can be.
_PROGRAM = """\
import sys
sys.stdin.buffer.read()
sys.path.insert(0, sys.argv[1])
from bakery_ops.sandbox import lifecycle
lifecycle.stop(say=lambda line: None, name=sys.argv[2])
"""


@contextmanager
def bound_to_us(name: str) -> Iterator[None]:
    """While inside, sandbox `name` is stopped and removed when this process dies. Leaving stops it too, if it runs."""
    argv = (sys.executable, "-c", _PROGRAM, str(_ROOT), name)
    # A session of its own: a Ctrl-C that ends the command's process group must leave the guardian.
    guardian = subprocess.Popen(
        argv,
        cwd=os.sep,
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        yield
    finally:
        guardian.communicate()
