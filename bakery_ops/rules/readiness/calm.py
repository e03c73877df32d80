"""A pod that says nothing: the shortcut past the rules for a platform that stands."""

from __future__ import annotations

from bakery_ops.model.live import ContainerStatus, Pod
from bakery_ops.model.times import time_or
from bakery_ops.rules.readiness.containers import PROVEN_RUN
from bakery_ops.rules.readiness.pods import is_ready, is_terminating


def is_calm(pod: Pod, now: float) -> bool:
    """No rule could hold this pod against a workload that counts it as ready, whoever owns it.

    Ready, staying, every container running, and none that was started again without having run for a while since.
    Stricter than the rules: a pod that is not calm may still be well, and has to be looked at with its owners.
    """
    statuses = pod.status.container_statuses
    return (
        is_ready(pod)
        and not is_terminating(pod)
        and pod.status.phase == "Running"
        and len(statuses) == len(pod.spec.containers)
        and all(status.ready and _runs_steadily(status, now) for status in statuses)
    )


def _runs_steadily(status: ContainerStatus, now: float) -> bool:
    running = status.state.running
    if running is None:
        return False
    is_first_run = status.restart_count == 0 and status.last_state.terminated is None
    return is_first_run or time_or(running.started_at, now) + PROVEN_RUN <= now
