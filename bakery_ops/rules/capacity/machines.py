"""What a cluster node offers: its allocatable amounts, labels and taints, and the pods that are there already."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from bakery_ops.model.quantities import GIBI, MEBI, NodeSize
from bakery_ops.model.references import listed
from bakery_ops.rules.capacity.demand import CPU, EPHEMERAL, MEMORY, PODS, Amounts, Demand, amounts, pod_request

MAX_PODS = 110
"""The kubelet's default (Kubernetes documentation, "Considerations for large clusters")."""

RESERVED: Amounts = {CPU: 200, MEMORY: 1536 * MEBI}
"""Held back from pods on a machine of our own: 0.5 GiB each for the kubelet and runtime, the system, and eviction; on
a small machine at most a quarter of it."""

SYSTEM_PODS: tuple[Demand, ...] = (
    Demand("coredns", "kube-system", {CPU: 100, MEMORY: 70 * MEBI}),
    Demand("metrics-server", "kube-system", {CPU: 100, MEMORY: 70 * MEBI}),
    Demand("ingress controller", "kube-system", {CPU: 100, MEMORY: 128 * MEBI}),
)
"""What every cluster of ours runs besides the platform, as k3s ships it."""

_DISK = 100 * GIBI


@dataclass(frozen=True, slots=True)
class Machine:
    """A cluster node. `pods`: what is there already and stays."""

    name: str
    allocatable: Amounts
    labels: Mapping[str, str] = field(default_factory=dict)
    taints: tuple[Mapping[str, Any], ...] = ()
    pods: tuple[Demand, ...] = ()


def machines(sizes: Sequence[NodeSize], *, reserved: Amounts = RESERVED) -> tuple[Machine, ...]:
    """Machines of given sizes as a k3s cluster would offer them; the system's pods are on the first."""
    found = []
    for number, size in enumerate(sizes):
        name = f"node-{number + 1}"
        found.append(
            Machine(
                name,
                {
                    CPU: size.cpu_milli - min(reserved.get(CPU, 0), size.cpu_milli // 4),
                    MEMORY: size.memory - min(reserved.get(MEMORY, 0), size.memory // 4),
                    PODS: MAX_PODS,
                    EPHEMERAL: _DISK,
                },
                {"kubernetes.io/hostname": name, "kubernetes.io/os": "linux", "kubernetes.io/arch": "amd64"},
                pods=SYSTEM_PODS if number == 0 else (),
            )
        )
    return tuple(found)


def live_machines(
    nodes: Iterable[Mapping[str, Any]], pods: Iterable[Mapping[str, Any]], *, ours: frozenset[str]
) -> tuple[Machine, ...]:
    """The machines of a real cluster, from Node and Pod objects as the API server lists them.

    `ours`: UIDs of pods the platform itself started; their place is free to the new ones. Pods that ended hold nothing.
    """
    held: dict[str, list[Demand]] = {}
    for pod in pods:
        metadata, spec, status = pod.get("metadata") or {}, pod.get("spec") or {}, pod.get("status") or {}
        if status.get("phase") in ("Succeeded", "Failed") or metadata.get("uid") in ours:
            continue
        if place := spec.get("nodeName"):
            demand = Demand(
                str(metadata.get("name")),
                str(metadata.get("namespace")),
                pod_request(spec),
                priority=spec.get("priority") or 0,
                labels=metadata.get("labels") or {},
                spec=spec,
            )
            held.setdefault(place, []).append(demand)
    found = []
    for node in nodes:
        metadata, spec = node.get("metadata") or {}, node.get("spec") or {}
        name = str(metadata.get("name"))
        # Taints of the cluster's own say how the node is at this moment, which a proof is not about.
        taints = [taint for taint in listed(spec, "taints") if not str(taint.get("key")).startswith(_OF_THE_MOMENT)]
        if spec.get("unschedulable"):
            taints.append({"key": CORDONED, "effect": "NoSchedule"})
        found.append(
            Machine(
                name,
                amounts((node.get("status") or {}).get("allocatable") or {}),
                metadata.get("labels") or {},
                tuple(taints),
                tuple(held.get(name, ())),
            )
        )
    return tuple(found)


CORDONED = "node.kubernetes.io/unschedulable"
_OF_THE_MOMENT = ("node.kubernetes.io/", "node.cloudprovider.kubernetes.io/")
