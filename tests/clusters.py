"""Clusters that tests start for themselves, each under a name of its own: the user's sandbox is left alone."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from bakery_ops.sandbox import lifecycle
from bakery_ops.sandbox.guardian import bound_to_us
from bakery_ops.sandbox.lifecycle import SandboxStatus
from bakery_ops.sandbox.record import Kind
from bakery_ops.sandbox.sizes import NodeSize

REPOSITORY = Path(__file__).resolve().parents[1]


@contextmanager
def started(kind: Kind, nodes: Sequence[NodeSize], role: str) -> Iterator[SandboxStatus]:
    """A sandbox of this process, stopped and removed afterwards, also when the tests are killed."""
    name = f"test-{role}-{os.getpid()}"
    with bound_to_us(name):
        try:
            yield lifecycle.start(kind, nodes, say=print, repository=REPOSITORY, name=name)
        finally:
            lifecycle.stop(say=print, name=name)
