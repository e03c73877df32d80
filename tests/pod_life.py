"""The life of one simulated pod's container: created, started, ready, crashing, backing off, relapsing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from bakery_ops.model.manifest import ObjectRef
from bakery_ops.model.times import format_time
from tests.fakes import FakeCluster

MISSING_SECRET = "config"
BAD_IMAGE = "image"
CRASH = "crash"
OUT_OF_MEMORY = "oom"
JOB_FAILS = "job fails"
UNSCHEDULABLE = "unschedulable"
QUOTA = "quota"
STUCK = "stuck"
FAULTS = (MISSING_SECRET, BAD_IMAGE, CRASH, OUT_OF_MEMORY, UNSCHEDULABLE, QUOTA, STUCK)

_WAITING = {
    MISSING_SECRET: ("CreateContainerConfigError", 'secret "app-secrets" not found'),
    BAD_IMAGE: ("ErrImagePull", "failed to pull image: manifest unknown"),
    STUCK: ("ContainerCreating", ""),
}
_BACK_OFF = (10.0, 20.0, 40.0, 80.0)  # the kubelet's, shortened at the end


@dataclass(frozen=True)
class Behaviour:
    """How one workload behaves.

    Attributes:
        start: Seconds from the pod's creation to Ready (of a Job: to Complete).
        fault: One of FAULTS, JOB_FAILS for a Job, or "".
        blip_at: Seconds after Ready at which the pod loses its readiness for `blip_for` seconds; None: never.
        crashes_without: Workloads without which its container exits non-zero, at its start and later.
    """

    start: float = 1.0
    fault: str = ""
    blip_at: float | None = None
    blip_for: float = 3.0
    crashes_without: tuple[str, ...] = ()


class Town(Protocol):
    """What a pod sees of its surroundings."""

    cluster: FakeCluster

    def is_up(self, workload: str) -> bool: ...

    def went_down(self, workload: str) -> None: ...

    def readiness_changed(self, namespace: str) -> None: ...


class PodLife:
    """One pod of `workload`. `changed` is called whenever its readiness may have changed."""

    def __init__(
        self,
        town: Town,
        pod: ObjectRef,
        workload: str,
        behaviour: Behaviour,
        changed: Callable[[], None],
        *,
        once: bool,
    ) -> None:
        self.town, self.pod, self.workload, self.behaviour, self.changed = town, pod, workload, behaviour, changed
        self.uid = town.cluster.stored[pod].body["metadata"]["uid"]
        self.once = once
        self.restarts = 0
        self.is_running = self.is_ready = False
        self._last: Mapping[str, Any] | None = None
        self._turn = 0

    def begin(self) -> None:
        if self.behaviour.fault == UNSCHEDULABLE:
            message = "0/1 nodes are available: 1 node(s) didn't match Pod's node affinity/selector."
            unscheduled = condition("PodScheduled", "False", "Unschedulable", self._now, message)
            self.town.cluster.set_status(self.pod, phase="Pending", conditions=[unscheduled])
            return
        self.show({"waiting": {"reason": "ContainerCreating"}}, phase="Pending")
        self._later(self.behaviour.start / 2, self._run)

    def _run(self) -> None:
        fault = self.behaviour.fault
        if fault in _WAITING:
            reason, message = _WAITING[fault]
            self.show({"waiting": {"reason": reason, "message": message}}, phase="Pending")
            self.changed()
            return
        self.is_running = True
        self.show(self._running(), phase="Running")
        self.changed()
        if fault in (CRASH, OUT_OF_MEMORY) or not self._content():
            self._later(0.5, self.crash)
        elif fault == "" and not self.once:
            self._later(self.behaviour.start / 2, self._become_ready)

    def _become_ready(self) -> None:
        self._set_ready(True)
        if self.behaviour.blip_at is not None and self.restarts == 0:
            self._later(self.behaviour.blip_at, self._blip)

    def _blip(self) -> None:
        self._set_ready(False)
        self.town.went_down(self.workload)
        self._later(self.behaviour.blip_for, lambda: self._set_ready(True))

    def _set_ready(self, value: bool) -> None:
        self.is_ready = value
        self.show(self._running(), phase="Running")
        self.changed()

    def lost(self, workload: str) -> None:
        """Another workload went down: without it this container exits shortly, unless it is back by then."""
        if self.is_running and workload in self.behaviour.crashes_without:
            self._later(0.7, lambda: None if self._content() else self.crash())

    def crash(self) -> None:
        was_ready, self.is_running, self.is_ready = self.is_ready, False, False
        self.restarts += 1
        reason, code = ("OOMKilled", 137) if self.behaviour.fault == OUT_OF_MEMORY else ("Error", 1)
        self._last = {"terminated": {"exitCode": code, "reason": reason, "finishedAt": format_time(self._now)}}
        self.show({"waiting": {"reason": "CrashLoopBackOff", "message": "back-off restarting"}}, phase="Running")
        self.changed()
        if was_ready:
            self.town.went_down(self.workload)
        self._later(_BACK_OFF[min(self.restarts, len(_BACK_OFF)) - 1], self._run)

    def _content(self) -> bool:
        return all(self.town.is_up(name) for name in self.behaviour.crashes_without)

    def _running(self) -> dict[str, Any]:
        return {"running": {"startedAt": format_time(self._now)}}

    def show(self, state: Mapping[str, Any], *, phase: str) -> None:
        """Write the pod's status."""
        status: dict[str, Any] = {
            "name": "app", "image": "app:1", "ready": self.is_ready, "restartCount": self.restarts, "state": state,
        }  # fmt: skip
        if self._last is not None:
            status["lastState"] = self._last
        conditions = [
            condition("PodScheduled", "True", "", self._now),
            condition("Ready", "True" if self.is_ready else "False", "", self._now),
        ]
        self.town.cluster.set_status(self.pod, phase=phase, containerStatuses=[status], conditions=conditions)
        self.town.readiness_changed(self.pod.namespace)

    @property
    def is_alive(self) -> bool:
        stored = self.town.cluster.stored.get(self.pod)
        return stored is not None and stored.body["metadata"]["uid"] == self.uid

    @property
    def _now(self) -> float:
        return self.town.cluster.clock.now()

    def _later(self, seconds: float, action: Callable[[], None]) -> None:
        """Run `action` then, unless the pod is gone or something newer was begun."""
        self._turn += 1
        turn = self._turn

        def act() -> None:
            if self.is_alive and self._turn == turn:
                action()

        self.town.cluster.after(seconds, act)


def condition(kind: str, status: str, reason: str, at: float, message: str = "") -> dict[str, Any]:
    moment = format_time(at)
    return {
        "type": kind, "status": status, "reason": reason, "message": message, "lastUpdateTime": moment,
        "lastTransitionTime": moment,
    }  # fmt: skip
