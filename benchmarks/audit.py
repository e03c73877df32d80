"""What the API server itself noted of a run: requests, writes, when the last one was accepted, when all was ready.

Every tool is counted the same way, by the server's audit log. A run has the cluster to itself, so every request of the
administrator that arrives while it runs is the tool's.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

_WRITES = frozenset({"create", "update", "patch", "delete", "deletecollection"})
# What tools keep for themselves: locks, records of what they deployed. Leases are renewed in the background.
_BOOKKEEPING = frozenset({"leases", "selfsubjectaccessreviews"})
_USER = "bakery-sandbox-admin"  # whom the sandbox's kubeconfig logs in
_STATUS = {"group": "apps", "resources": ["deployments/status"]}
_CONTROLLER = "system:serviceaccount:kube-system:deployment-controller"

# The administrator's requests, and the moments in which the controller reports a Deployment's status.
POLICY = {
    "apiVersion": "audit.k8s.io/v1",
    "kind": "Policy",
    "omitStages": ["RequestReceived"],
    "rules": [
        {"level": "Metadata", "users": [_USER]},
        {"level": "Request", "users": [_CONTROLLER], "resources": [_STATUS]},
        {"level": "None"},
    ],
}  # fmt: skip


class Noted(NamedTuple):
    """One request as the server saw it; `received` and `answered` are seconds since the epoch."""

    id: str
    user: str
    verb: str
    resource: str
    subresource: str
    namespace: str
    name: str
    uri: str
    code: int
    received: float
    answered: float
    body: Mapping[str, Any]

    @property
    def is_write(self) -> bool:
        """Whether it asked for a change that is to last."""
        return self.verb in _WRITES and "dryRun=" not in self.uri and self.resource not in _BOOKKEEPING


class Log:
    """An audit log that is being written."""

    def __init__(self, path: Path) -> None:
        self._path, self._offset = path, 0

    def skip(self) -> None:
        """Forget what is there; the next `read` begins behind it."""
        self._offset = self._path.stat().st_size

    def read(self) -> list[Noted]:
        """What was noted since `skip`, in the order of arrival; a request that is noted twice (a watch) counts once."""
        with self._path.open("rb") as file:
            file.seek(self._offset)
            lines = file.read().splitlines(keepends=True)
        return parse(line for line in lines if line.endswith(b"\n"))


def parse(lines: Iterable[bytes]) -> list[Noted]:
    """The requests of audit.k8s.io/v1 events, by arrival."""
    found: dict[str, Noted] = {}
    for line in lines:
        one = _noted(json.loads(line))
        found.setdefault(one.id, one)
    return sorted(found.values(), key=lambda one: one.received)


def _noted(event: Mapping[str, Any]) -> Noted:
    what = event.get("objectRef") or {}
    return Noted(
        id=event["auditID"],
        user=event["user"]["username"],
        verb=event["verb"],
        resource=what.get("resource", ""),
        subresource=what.get("subresource", ""),
        namespace=what.get("namespace", ""),
        name=what.get("name", ""),
        uri=event["requestURI"],
        code=(event.get("responseStatus") or {}).get("code", 0),
        received=_seconds(event["requestReceivedTimestamp"]),
        answered=_seconds(event["stageTimestamp"]),
        body=event.get("requestObject") or {},
    )


def _seconds(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


def requests(noted: Sequence[Noted], began: float, ended: float) -> list[Noted]:
    """The tool's own requests: those of the administrator that arrived while it ran."""
    return [one for one in noted if one.user == _USER and began <= one.received <= ended]


def last_write(noted: Sequence[Noted], names: frozenset[str]) -> float | None:
    """When the last accepted write of an object of the set was answered; `names` are `resource/name`."""
    times = [
        one.answered
        for one in noted
        if one.is_write and one.code < 300 and not one.subresource and f"{one.resource}/{one.name}" in names
    ]
    return max(times, default=None)


def ready_times(noted: Sequence[Noted], namespace: str) -> dict[str, float]:
    """When the controller first reported each Deployment completely available, by name."""
    first: dict[str, float] = {}
    for one in noted:
        if one.user == _CONTROLLER and one.namespace == namespace and one.code < 300 and _is_complete(one.body):
            first.setdefault(one.name, one.answered)
    return first


def all_ready(noted: Sequence[Noted], deployments: frozenset[str], namespace: str) -> float | None:
    """When the last of these Deployments was completely available; None while one is not."""
    first = ready_times(noted, namespace)
    return max(first.values()) if deployments and deployments <= first.keys() else None


def _is_complete(deployment: Mapping[str, Any]) -> bool:
    """As `kubectl rollout status` has it."""
    wanted, status = (deployment.get("spec") or {}).get("replicas", 1), deployment.get("status") or {}
    counts = ("replicas", "updatedReplicas", "availableReplicas")
    seen = status.get("observedGeneration", 0) >= (deployment.get("metadata") or {}).get("generation", 1)
    return seen and all(status.get(count, 0) == wanted for count in counts)
