"""Whose logs a name means: which workload, which of its pods, which of their containers, in which order."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from bakery_ops.model.graph import Graph, Node
from bakery_ops.model.platform import platform
from bakery_ops.model.words import unknown

Live = Mapping[str, Any]

# What stands between a workload and its pods.
BETWEEN = {"Deployment": ("apps", "ReplicaSet"), "CronJob": ("batch", "Job")}


class Source(NamedTuple):
    """One container of one pod.

    Attributes:
        state: Why it has no log, or "" when it has run: "waiting: ImagePullBackOff".
        restarts: How often it has restarted; only then is there a previous log.
    """

    namespace: str
    pod: str
    container: str
    state: str = ""
    restarts: int = 0

    @property
    def name(self) -> str:
        return f"{self.pod}/{self.container}"


def meant(graph: Graph, word: str) -> Node:
    """The workload called `word`, or the workload of the service called so. Raises: UsageError."""
    services = {service.name: service.workload.name for service in platform(graph).services}
    names = {**services, **{node.name: node.name for node in graph.workloads()}}
    if word not in names:
        raise unknown("workload or service", word, names)
    return graph[names[word]]


def sources(workload: Live, between: Iterable[Live], pods: Iterable[Live]) -> tuple[Source, ...]:
    """Every container of every pod of the live `workload`: pods by age, containers as they start.

    `between`: live objects that own pods on behalf of a workload (ReplicaSets, Jobs).
    """
    uid = str(workload["metadata"].get("uid", ""))
    owners = {uid, *(str(item["metadata"]["uid"]) for item in between if uid in _owners(item))}
    own = [pod for pod in pods if _owners(pod) & owners or pod["metadata"].get("uid") == uid]
    own.sort(key=lambda pod: (str(pod["metadata"].get("creationTimestamp", "")), pod["metadata"]["name"]))
    return tuple(source for pod in own for source in _containers(pod))


def _owners(item: Live) -> set[str]:
    return {str(owner.get("uid")) for owner in item["metadata"].get("ownerReferences") or ()}


def _containers(pod: Live) -> Iterator[Source]:
    spec, status, metadata = pod.get("spec") or {}, pod.get("status") or {}, pod["metadata"]
    for kind in ("init", "", "ephemeral"):
        states = {each["name"]: each for each in status.get(_key(kind, "containerStatuses")) or ()}
        for container in spec.get(_key(kind, "containers")) or ():
            seen = states.get(container["name"]) or {}
            yield Source(
                str(metadata.get("namespace", "")),
                str(metadata["name"]),
                str(container["name"]),
                _state(seen),
                int(seen.get("restartCount") or 0),
            )


def _key(kind: str, word: str) -> str:
    """ "initContainers" of ("init", "containers")."""
    return kind + word[0].upper() + word[1:] if kind else word


def _state(seen: Live) -> str:
    """Why a container has no log yet, or ""."""
    if not seen:
        return "not started"
    if seen.get("lastState"):
        return ""
    waiting = (seen.get("state") or {}).get("waiting")
    return f"waiting: {waiting.get('reason', '')}" if waiting else ""
