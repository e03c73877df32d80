"""Lanes: namespaces side by side, each with the whole platform, and the deploys of one lane one after the other.

A hold time is spent waiting, so three lanes cost hardly more time than one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bakery_ops.sandbox.lifecycle import SandboxStatus
from tests.commands import kubectl
from tests.simulated.faults import Ended, Patch, deploy, write_overlay


@dataclass(frozen=True)
class Lane:
    """One namespace of the cluster; `folder` is where its overlays are written."""

    cluster: SandboxStatus
    namespace: str
    folder: Path

    def deploy(
        self,
        *patches: Patch,
        resources: Sequence[Mapping[str, Any]] = (),
        fail_mode: str = "fast",
        env: Mapping[str, str] | None = None,
        once_planned: Callable[[], object] | None = None,
    ) -> Ended:
        """Deploy the platform with these patches; without any it is healthy.

        `once_planned`: What happens behind the preflight's back, before the first workload is written.
        """
        overlay = write_overlay(self.folder, self.namespace, patches, resources)
        words = ["--overlay", str(overlay), "--namespace", self.namespace, "--context", self.cluster.context]
        words += ["--fail-mode", fail_mode]
        if once_planned is None:
            return deploy(words, env=env)
        return deploy(words, env=env, after="plan:", act=once_planned, freeze=True)

    def kubectl(self, *words: str) -> str:
        return kubectl(self.cluster.kubeconfig, "--namespace", self.namespace, *words)


Step = Callable[[Lane], Ended]


def run(plans: Iterable[tuple[Lane, Mapping[str, Step]]]) -> Mapping[str, Future[Ended]]:
    """Start every lane on its steps, in their order; each step's outcome by its name, as it comes."""
    outcomes: dict[str, Future[Ended]] = {}
    for lane, steps in plans:
        worker = ThreadPoolExecutor(1, lane.namespace)
        outcomes |= {name: worker.submit(step, lane) for name, step in steps.items()}
        worker.shutdown(wait=False)
    return outcomes
