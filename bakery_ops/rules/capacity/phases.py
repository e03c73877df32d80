"""Which pods exist at the same time: the moments at which a platform asks for most."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from math import ceil
from typing import Any, NamedTuple

from bakery_ops.model.contract import Stage
from bakery_ops.model.graph import Graph, Node
from bakery_ops.model.references import listed
from bakery_ops.model.selection import pod_labels
from bakery_ops.rules.capacity.demand import Defaults, Demand, defaults, pod_limit, pod_request
from bakery_ops.rules.capacity.machines import CORDONED, Machine
from bakery_ops.rules.capacity.packing import admits

_LASTING = frozenset({"Deployment", "StatefulSet", "ReplicaSet", "ReplicationController", "DaemonSet", "Pod"})

# The DaemonSet controller adds it to every pod (Kubernetes documentation, "DaemonSet", taints and tolerations).
_EVERYWHERE = {"key": CORDONED, "operator": "Exists", "effect": "NoSchedule"}


class Phase(NamedTuple):
    """A moment, and every pod of the platform that exists then: those that stay, and those `added` to them."""

    name: str
    lasting: tuple[Demand, ...]
    added: tuple[Demand, ...] = ()

    @property
    def demands(self) -> tuple[Demand, ...]:
        return (*self.lasting, *self.added)


class Load:
    """The pods of a graph, ready to be counted for one set of machines."""

    def __init__(self, graph: Graph, machines: Sequence[Machine]) -> None:
        self._machines = machines
        self._fill: Mapping[str, Defaults] = defaults(
            node.manifest for node in graph.values() if node.ref.kind == "LimitRange"
        )
        self._priorities = {
            node.ref.name: int(node.manifest.body.get("value") or 0)
            for node in graph.values()
            if node.ref.kind == "PriorityClass"
        }
        self._scaled = _autoscalers(graph)
        self.workloads = [node for node in graph.workloads() if node.manifest.pod_spec]
        self._pods = {node.name: self._pod(node) for node in self.workloads}

    def phases(self) -> tuple[Phase, ...]:
        """Every moment that has to fit; the first is the one that lasts."""
        steady = tuple(self.lasting())
        found = [Phase("steady state", steady)]
        if self._scaled:
            found.append(Phase("autoscalers at maximum", tuple(self.lasting(at_maximum=True))))
        migrations = [node for node in self._jobs() if node.stage.order <= Stage.MIGRATION.order]
        seeds = [node for node in self._jobs() if node.stage.order > Stage.MIGRATION.order]
        for name, nodes in (("migrations", migrations), ("seed jobs", seeds), ("scheduled jobs", self._scheduled())):
            if nodes:
                found.append(Phase(name, steady, tuple(self._all(nodes))))
        if surge := tuple(self.surge()):
            found.append(Phase("rolling update of everything", steady, surge))
        return tuple(found)

    def lasting(self, *, at_maximum: bool = False) -> Iterator[Demand]:
        """The pods that stay; autoscaled workloads with their least or most replicas."""
        for node in self.workloads:
            if node.ref.kind in _LASTING:
                yield from self._copies(node, self.replicas(node, at_maximum=at_maximum))

    def surge(self, *, at_maximum: bool = False) -> Iterator[Demand]:
        """The pods that rolling updates add while the old ones still run, all Deployments at once."""
        for node in self.workloads:
            if node.ref.kind == "Deployment":
                yield from self._copies(node, _surge(node, self.replicas(node, at_maximum=at_maximum)))

    def replicas(self, node: Node, *, at_maximum: bool = False) -> int:
        written = node.manifest.spec.get("replicas")
        if node.name in self._scaled:
            least, most = self._scaled[node.name]
            return most if at_maximum else least
        return 1 if written is None else max(0, written)

    def _all(self, nodes: Iterable[Node]) -> Iterator[Demand]:
        for node in nodes:
            yield from self._copies(node, _parallel(node))

    def _jobs(self) -> list[Node]:
        return self._active("Job")

    def _scheduled(self) -> list[Node]:
        return self._active("CronJob")

    def _active(self, kind: str) -> list[Node]:
        return [node for node in self.workloads if node.ref.kind == kind and not node.manifest.spec.get("suspend")]

    def _copies(self, node: Node, count: int) -> Iterator[Demand]:
        pod = self._pods[node.name]
        if node.ref.kind == "DaemonSet":
            # Its controller makes no pod for a node that is not meant, and ends there; a scheduler is not asked.
            bearing = replace(pod, spec={**pod.spec, "tolerations": [*listed(pod.spec, "tolerations"), _EVERYWHERE]})
            for machine in self._machines:
                if admits(machine, bearing):
                    yield replace(bearing, pinned=machine.name)
            return
        for _ in range(count):
            yield pod

    def _pod(self, node: Node) -> Demand:
        spec: Mapping[str, Any] = node.manifest.pod_spec or {}
        fill = self._fill.get(node.ref.namespace)
        return Demand(
            node.name,
            node.ref.namespace,
            pod_request(spec, fill),
            pod_limit(spec, fill),
            self._priorities.get(spec.get("priorityClassName") or "", 0),
            pod_labels(node.manifest),
            spec,
        )


def _parallel(node: Node) -> int:
    spec = node.manifest.spec
    if node.ref.kind == "CronJob":
        spec = (spec.get("jobTemplate") or {}).get("spec") or {}
    parallelism = spec.get("parallelism")
    completions = spec.get("completions")
    width = 1 if parallelism is None else max(0, parallelism)
    return width if completions is None else min(width, completions)


def _surge(node: Node, replicas: int) -> int:
    """maxSurge pods, a percentage rounded up; 25 % is the default (Kubernetes API, RollingUpdateDeployment)."""
    strategy = node.manifest.spec.get("strategy") or {}
    if strategy.get("type") == "Recreate":
        return 0
    wanted = (strategy.get("rollingUpdate") or {}).get("maxSurge")
    if wanted is None:
        wanted = "25%"
    if isinstance(wanted, str):
        digits = wanted.removesuffix("%")
        return ceil(Fraction(int(digits), 100) * replicas) if digits.isdigit() else 0
    return min(wanted, replicas) if replicas else 0


def _autoscalers(graph: Graph) -> dict[str, tuple[int, int]]:
    found: dict[str, tuple[int, int]] = {}
    for node in graph.values():
        if node.ref.kind == "HorizontalPodAutoscaler":
            spec = node.manifest.spec
            for name in node.after & node.relies:
                least = spec.get("minReplicas")
                found[name] = (1 if least is None else least, spec.get("maxReplicas") or 1)
    return found
