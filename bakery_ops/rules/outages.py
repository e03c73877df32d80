"""What no graph knows of: when names do not resolve, or no node runs anything, every service looks guilty and none is.

Looked at before a rollout, and again when one has failed (docs/faults.md, F31 and F43).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from bakery_ops.model.graph import Graph
from bakery_ops.model.words import one_line
from bakery_ops.rules.diagnosis import HELD, RootCause, tallied
from bakery_ops.rules.verdict import Verdict

Body = Mapping[str, Any]

DNS, NODES = "cluster DNS", "the cluster"
"""How they are called where else the name of a node of the graph stands."""
SYSTEM = "kube-system"
DNS_SELECTOR = "k8s-app=kube-dns"
"""Of CoreDNS and of kube-dns, wherever they are installed (Kubernetes, "Customizing DNS Service")."""

_OF_RUNNING = frozenset(
    {"CrashLoopBackOff", "Error", "BackoffLimitExceeded", "DeadlineExceeded", "ProgressDeadlineExceeded", "Unhealthy"}
)
"""What a container shows that runs and finds nobody."""
_OF_NODES = frozenset({"Unschedulable", "NodeNotReady", "NetworkNotReady"})


class Outage(NamedTuple):
    """Something below the platform. `is_meant`: somebody wants it so, and waiting brings nothing."""

    subject: str
    state: str
    message: str
    is_meant: bool = False

    def __str__(self) -> str:
        return f"{self.subject} {self.state}: {self.message}"


def dns_outage(deployments: Iterable[Body]) -> Outage | None:
    """What the Deployments of kube-system say; None when DNS answers, or when nothing there is known to be it."""
    serving = [one for one in deployments if _is_dns(one)]
    if not serving or any((one.get("status") or {}).get("readyReplicas") for one in serving):
        return None
    wanted = sum(_wanted(one) for one in serving)
    names = ", ".join(f"deployment/{one['metadata']['name']}" for one in serving)
    if not wanted:
        return Outage(DNS, "is down", f"{names} in {SYSTEM} is scaled to 0", is_meant=True)
    return Outage(DNS, "is down", f"0 of {wanted} pods of {names} in {SYSTEM} are ready")


def _is_dns(deployment: Body) -> bool:
    labels = ((deployment.get("spec") or {}).get("selector") or {}).get("matchLabels") or {}
    return DNS_SELECTOR in {f"{key}={value}" for key, value in labels.items()}


def _wanted(deployment: Body) -> int:
    replicas = deployment["spec"].get("replicas")
    return 1 if replicas is None else int(replicas)


def node_outage(nodes: Iterable[Body]) -> Outage | None:
    """None while one node at least is ready, or when nobody may look at them."""
    conditions = {one["metadata"]["name"]: _readiness(one) for one in nodes}
    if not conditions or any(condition.get("status") == "True" for condition in conditions.values()):
        return None
    name, first = next(iter(sorted(conditions.items())))
    why = ": ".join(part for part in (first.get("reason", ""), one_line(first.get("message", ""))) if part)
    others = f" and {len(conditions) - 1} more" if len(conditions) > 1 else ""
    return Outage(NODES, "has no node that is ready", f"{name}{others}: {why or 'no condition Ready'}")


def _readiness(node: Body) -> Mapping[str, str]:
    found = (node.get("status") or {}).get("conditions") or []
    return next((condition for condition in found if condition.get("type") == "Ready"), {})


def explained(causes: Sequence[RootCause], graph: Graph, found: Outage) -> tuple[RootCause, ...]:
    """The causes of a failed rollout during an outage: the outage first, for all that it could explain; the rest stays.

    Only a container that runs can miss a name; what is missing, full or not pulled has a cause of its own.
    """
    reasons = _OF_RUNNING if found.subject == DNS else _OF_RUNNING | _OF_NODES
    told = [cause for cause in causes if cause.state != HELD]  # somebody paused it on purpose
    victims = [cause for cause in told if all(evidence.reason in reasons for evidence in cause.evidence)]
    if not victims:
        return tuple(causes)
    members = {name for cause in victims for name in cause.members}
    blocked, counts = tallied(graph, members.union(*(cause.blocked for cause in victims)))
    first = replace(
        victims[0], node=found.subject, verdict=Verdict.FAILED, state=found.state, reason="", message=found.message,
        evidence=(), blocked=blocked, counts=counts, members=tuple(name for name in graph if name in members),
    )  # fmt: skip
    return (first, *(cause for cause in causes if cause not in victims))
