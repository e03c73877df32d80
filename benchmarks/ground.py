"""The cluster the tools compete on: simulated nodes of its own, whose API server notes every request."""

from __future__ import annotations

import json
import os
import signal
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import NamedTuple

from bakery_ops.sandbox import lifecycle
from bakery_ops.sandbox.instance import instance
from bakery_ops.sandbox.sizes import NodeSize
from benchmarks import audit
from benchmarks.measure import run
from benchmarks.surroundings import KUBECTL, ROOT

SIZE = NodeSize(16_000, 64 * 2**30)


class Ground(NamedTuple):
    """A running cluster: its kubeconfig, context and audit log, and a folder for files that are removed with it."""

    kubeconfig: Path
    context: str
    log: audit.Log
    folder: Path
    name: str

    def remove(self, *namespaces: str) -> None:
        """Delete namespaces and wait until they are gone, so that the next tool finds a quiet cluster."""
        if namespaces:
            self._kubectl("delete", "namespace", *namespaces, "--ignore-not-found")

    def create(self, namespace: str) -> None:
        self._kubectl("create", "namespace", namespace)

    def wait_available(self, namespace: str) -> None:
        """Until every Deployment there is available."""
        self._kubectl("wait", "--namespace", namespace, "--for=condition=Available", "deployment", "--all")

    def _kubectl(self, *words: str) -> None:
        wait = () if words[0] == "create" else ("--timeout=180s",)
        ended = run([KUBECTL, f"--kubeconfig={self.kubeconfig}", *words, *wait], timeout=200)
        if ended.status != 0:
            raise RuntimeError(f"kubectl {' '.join(words)}: {ended.output[-500:]}")


@contextmanager
def ground(say: Callable[[str], None], *, nodes: int = 2, real: bool = False) -> Iterator[Ground]:
    """Start a cluster under a name of this process, and remove every trace of it at the end, also when interrupted.

    `nodes` simulated ones, or one that is `real`.
    """
    name = f"bench-{os.getpid()}"
    signal.signal(signal.SIGTERM, _interrupt)
    with tempfile.TemporaryDirectory(prefix="bakery-bench-") as directory:
        folder = Path(directory)
        policy = folder / "audit-policy.json"
        policy.write_text(json.dumps(audit.POLICY))
        try:
            status = lifecycle.start(
                "real" if real else "simulated",
                () if real else (SIZE,) * nodes,
                say=say,
                repository=ROOT,
                name=name,
                audit_policy=policy,
            )
            log = audit.Log(instance(name).audit_log)
            yield Ground(status.kubeconfig, status.context, log, folder, name)
        finally:
            lifecycle.stop(say=say, name=name)


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt
