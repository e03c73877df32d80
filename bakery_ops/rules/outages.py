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
_OF_PRESSURE = frozenset({"Unschedulable", "Evicted"})
_NONE_READY, _NONE_TAKES = "has no node that is ready", "has no node that takes new pods"
_PRESSURES = frozenset({"DiskPressure", "MemoryPressure", "PIDPressure"})


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
    """None while one node at least is ready and takes pods, or when nobody may look at them."""
    known = list(nodes)
    unready = {one["metadata"]["name"]: condition for one in known if (condition := _unreadiness(one)) is not None}
    pressed = {one["metadata"]["name"]: condition for one in known if (condition := _pressure(one)) is not None}
    if known and len(unready) == len(known):
        return Outage(NODES, _NONE_READY, _told(unready))
    closed = {one["metadata"]["name"] for one in known if _is_closed(one)}
    if pressed and len(pressed.keys() | unready.keys() | closed) == len(known):
        return Outage(NODES, _NONE_TAKES, _told(pressed))
    return None


def _told(conditions: Mapping[str, Mapping[str, str]]) -> str:
    name, first = next(iter(sorted(conditions.items())))
    why = ": ".join(part for part in (first.get("reason", ""), one_line(first.get("message", ""))) if part)
    others = f" and {len(conditions) - 1} more" if len(conditions) > 1 else ""
    return f"{name}{others}: {why or 'no condition Ready'}"


def _conditions(node: Body) -> Sequence[Mapping[str, str]]:
    return (node.get("status") or {}).get("conditions") or ()


def _unreadiness(node: Body) -> Mapping[str, str] | None:
    """The condition Ready, where it is not True; {} where there is none."""
    found: Mapping[str, str] = next((one for one in _conditions(node) if one.get("type") == "Ready"), {})
    return None if found.get("status") == "True" else found


def _pressure(node: Body) -> Mapping[str, str] | None:
    """The condition for which the kubelet evicts pods, and the node controller keeps new ones away."""
    return next(
        (one for one in _conditions(node) if one.get("type") in _PRESSURES and one.get("status") == "True"), None
    )


def _is_closed(node: Body) -> bool:
    """Cordoned, or of the control plane: on purpose."""
    spec: Mapping[str, Any] = node.get("spec") or {}
    keys = {str(taint.get("key")) for taint in spec.get("taints") or ()}
    return bool(spec.get("unschedulable")) or "node-role.kubernetes.io/control-plane" in keys


def _is_explained(cause: RootCause, found: Outage) -> bool:
    reasons = {_NONE_READY: _OF_RUNNING | _OF_NODES, _NONE_TAKES: _OF_PRESSURE}.get(found.state, _OF_RUNNING)
    if cause.state == HELD:
        return False  # somebody paused it on purpose
    is_told = bool(cause.evidence) or found.state != _NONE_TAKES
    return is_told and all(evidence.reason in reasons for evidence in cause.evidence)


def explained(causes: Sequence[RootCause], graph: Graph, found: Outage) -> tuple[RootCause, ...]:
    """The causes of a failed rollout during an outage: the outage first, for all that it could explain; the rest stays.

    Only a container that runs can miss a name; what is missing, full or not pulled has a cause of its own. And a node
    under pressure still runs what it runs.
    """
    victims = [cause for cause in causes if _is_explained(cause, found)]
    if not victims:
        return tuple(causes)
    members = {name for cause in victims for name in cause.members}
    blocked, counts = tallied(graph, members.union(*(cause.blocked for cause in victims)))
    first = replace(
        victims[0], node=found.subject, verdict=Verdict.FAILED, state=found.state, reason="", message=found.message,
        evidence=(), blocked=blocked, counts=counts, members=tuple(name for name in graph if name in members),
    )  # fmt: skip
    return (first, *(cause for cause in causes if cause not in victims))
