"""How many workloads start at one time: fewer when the cluster shows that it cannot keep up, more again on success.

A container that its kubelet kills while it starts is the first sign of too many starts at once: on a busy machine a
start takes longer than its probe allows (docs/readiness.md, section 8).
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from bakery_ops.model.live import Event as ClusterEvent
from bakery_ops.rules.readiness.observation import Machine
from bakery_ops.rules.rollout.state import Rollout
from bakery_ops.rules.rollout.world import event_time

NARROWEST = 2
PER_CORE = 4
_KILLED = re.compile(r"failed (liveness|startup) probe, will be restarted")


def first(machines: Iterable[Machine], *, least: int) -> int:
    """Four for each core on which pods may start, at least `least`: 16 tiny starts at a time leave large nodes idle."""
    cores = sum(machine.cpu for machine in machines if _takes_pods(machine)) // 1000
    return max(least, PER_CORE * cores)


def _takes_pods(machine: Machine) -> bool:
    repels = any(taint.effect in ("NoSchedule", "NoExecute") for taint in machine.taints)
    return machine.is_ready and not machine.unschedulable and not repels


def shrink(rollout: Rollout, reason: str) -> None:
    """Halve the width, never below `NARROWEST` nor above what was asked for. Nodes already started go on."""
    narrower = max(min(NARROWEST, rollout.options.width), rollout.width // 2)
    if narrower < rollout.width:
        rollout.width = narrower
        rollout.width_reason = reason


def grow(rollout: Rollout) -> None:
    """A node became Ready: one more may start, up to what was asked for."""
    rollout.width = min(rollout.options.width, rollout.width + 1)


def notice(rollout: Rollout, event: ClusterEvent) -> None:
    """Shrink once for every kill by a probe since we began; a repetition has a higher count."""
    if event.reason != "Killing" or not _KILLED.search(event.message) or event_time(event) < int(rollout.started):
        return
    occurrence = (event.metadata.uid, event.count or 1)
    if occurrence not in rollout.kills:
        rollout.kills.add(occurrence)
        shrink(rollout, f"{event.involved_object.name}: {event.message}")
