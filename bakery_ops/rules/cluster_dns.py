"""Cluster DNS: when names do not resolve, every service looks guilty and none is (docs/faults.md, F43)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from bakery_ops.model.graph import Graph
from bakery_ops.rules.diagnosis import RootCause, tallied
from bakery_ops.rules.verdict import Verdict

NODE = "cluster DNS"
"""How it is called where else the name of a node of the graph stands."""
NAMESPACE = "kube-system"
SELECTOR = "k8s-app=kube-dns"
"""Of CoreDNS and of kube-dns, wherever they are installed (Kubernetes, "Customizing DNS Service")."""
_OF_RUNNING = frozenset(
    {"CrashLoopBackOff", "Error", "BackoffLimitExceeded", "DeadlineExceeded", "ProgressDeadlineExceeded", "Unhealthy"}
)
"""What a container shows that runs and finds nobody."""


class Outage(NamedTuple):
    """No pod answers. `is_meant`: somebody has scaled them to none, so that waiting brings nothing."""

    message: str
    is_meant: bool

    def __str__(self) -> str:
        return f"{NODE} is down: {self.message}"


def outage(deployments: Iterable[Mapping[str, Any]]) -> Outage | None:
    """What the Deployments of kube-system say; None when DNS answers, or when nothing there is known to be it."""
    serving = [one for one in deployments if _is_dns(one)]
    if not serving or any((one.get("status") or {}).get("readyReplicas") for one in serving):
        return None
    wanted = sum(_wanted(one) for one in serving)
    names = ", ".join(f"deployment/{one['metadata']['name']}" for one in serving)
    if not wanted:
        return Outage(f"{names} in {NAMESPACE} is scaled to 0", is_meant=True)
    return Outage(f"0 of {wanted} pods of {names} in {NAMESPACE} are ready", is_meant=False)


def _is_dns(deployment: Mapping[str, Any]) -> bool:
    labels = ((deployment.get("spec") or {}).get("selector") or {}).get("matchLabels") or {}
    return SELECTOR in {f"{key}={value}" for key, value in labels.items()}


def _wanted(deployment: Mapping[str, Any]) -> int:
    replicas = deployment["spec"].get("replicas")
    return 1 if replicas is None else int(replicas)


def explained(causes: Sequence[RootCause], graph: Graph, found: Outage) -> tuple[RootCause, ...]:
    """The causes of a failed rollout during an outage: DNS first, for all that names could explain; the rest remains.

    Only a container that runs can miss a name: what is missing, full or not pulled has a cause of its own.
    """
    victims = [cause for cause in causes if all(evidence.reason in _OF_RUNNING for evidence in cause.evidence)]
    if not victims:
        return tuple(causes)
    members = {name for cause in victims for name in cause.members}
    blocked, counts = tallied(graph, members.union(*(cause.blocked for cause in victims)))
    first = replace(
        victims[0], node=NODE, verdict=Verdict.FAILED, state="is down", reason="", message=found.message,
        evidence=(), blocked=blocked, counts=counts, members=tuple(name for name in graph if name in members),
    )  # fmt: skip
    return (first, *(cause for cause in causes if cause not in victims))
