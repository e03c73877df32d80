"""`capacity`: the proof that the platform fits, on nodes that are named or on those of the cluster."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bakery_ops.errors import OperationFailed, PreflightRefused
from bakery_ops.model.builder import build
from bakery_ops.model.graph import Graph
from bakery_ops.model.manifest import Manifest
from bakery_ops.model.quantities import NodeSize, cpu_text, memory_text
from bakery_ops.model.selection import matches, pod_labels
from bakery_ops.model.words import amount
from bakery_ops.rules.capacity.growth import GrowthRow, path
from bakery_ops.rules.capacity.machines import live_machines, machines
from bakery_ops.rules.capacity.proof import CapacityReport, Verdict, prove
from bakery_ops.workflows.ports import Requests


@dataclass(frozen=True, slots=True)
class CapacityAnswer:
    """What `invoke capacity` shows.

    Attributes:
        shipped: The platform as rendered.
        monitored: The same with monitoring on, or None when it is on already or there is none.
        growth: More tenants, each on the smallest node that carries them; () when not asked for.
    """

    shipped: CapacityReport
    monitored: CapacityReport | None = None
    growth: tuple[GrowthRow, ...] = ()

    @property
    def fits(self) -> bool:
        return self.shipped.verdict is not Verdict.TOO_SMALL


def capacity(
    manifests: Sequence[Manifest],
    sizes: Sequence[NodeSize],
    *,
    monitoring: Sequence[Manifest] = (),
    growth: bool = False,
) -> CapacityAnswer:
    """Prove that `manifests` fit nodes of `sizes`.

    Args:
        monitoring: The objects of the monitoring component, for the question "and with monitoring on?".
        growth: Also say what 10, 25, 50 and 100 tenants need, monitoring included.
    """
    graph = build(manifests).graph
    known = {manifest.ref for manifest in manifests}
    extra = [manifest for manifest in monitoring if manifest.ref not in known]
    monitored = build([*manifests, *extra]).graph if extra else None
    return CapacityAnswer(
        prove(graph, machines(sizes)),
        prove(monitored, machines(sizes)) if monitored else None,
        path(monitored or graph) if growth else (),
    )


_SHORTAGES = ("cpu", "memory", "too many pods", "there is no node")
_SHOWN = 5


def prove_on_cluster(requests: Requests, graph: Graph) -> CapacityReport:
    """The proof against the nodes of a running cluster and the foreign pods on them.

    A peak that does not fit is in the report and no refusal: Jobs wait for each other's place, and pods of a rolling
    update follow one by one. What never finds a place is refused.
    Raises: PreflightRefused with the arithmetic. OperationFailed: this account may not list nodes.
    """
    pods = _pods(requests, graph)
    nodes = live_machines(requests.list("", "Node", None), pods, ours=_ours(graph, pods))
    report = prove(graph, nodes)
    if not report.steady.fits or report.problems or report.never:
        raise PreflightRefused(
            f"the platform does not fit the cluster's {amount(len(nodes), 'node')}",
            details=[*lines(report), *report.problems, *_placeless(report)],
            remedy=_remedy(report),
        )
    return report


def _placeless(report: CapacityReport) -> Iterator[str]:
    for name, count, reason in report.steady.unplaced[:_SHOWN]:
        yield f"no place for {amount(count, 'pod')} of {name}: {reason}"
    reasons = {name: reason for row in report.phases for name, _, reason in row.unplaced}
    told = {name for name, _, _ in report.steady.unplaced}
    yield from (f"no place at all for {name}: {reasons[name]}" for name in report.never if name not in told)


def _remedy(report: CapacityReport) -> str:
    """What would help: a larger node does not where selectors, taints, ports or devices keep pods away."""
    reasons = {reason for row in report.phases for _, _, reason in row.unplaced}
    if reasons and not report.problems and not any(short in reason for reason in reasons for short in _SHORTAGES):
        return "change what keeps the pods named above from every node, or bring a node that takes them"
    return report.advice[-1] if report.advice else "invoke capacity"


def _pods(requests: Requests, graph: Graph) -> list[Mapping[str, Any]]:
    """All pods of the cluster; those of the platform's namespaces where the account may see no others."""
    try:
        return list(requests.list("", "Pod", None))
    except OperationFailed:
        namespaces = sorted({node.ref.namespace for node in graph.workloads()})
        return [pod for namespace in namespaces for pod in requests.list("", "Pod", namespace)]


def _ours(graph: Graph, pods: Sequence[Mapping[str, Any]]) -> frozenset[str]:
    """UIDs of the pods that workloads of the graph own already: the new ones replace them."""
    selectors = [
        (node.ref.namespace, node.manifest.spec.get("selector") or {"matchLabels": pod_labels(node.manifest)})
        for node in graph.workloads()
    ]
    found = set()
    for pod in pods:
        metadata = pod.get("metadata") or {}
        namespace, labels = metadata.get("namespace"), metadata.get("labels") or {}
        if any(namespace == place and selector and matches(selector, labels) for place, selector in selectors):
            found.add(str(metadata.get("uid")))
    return frozenset(found)


def lines(report: CapacityReport) -> tuple[str, ...]:
    """The phases as sentences, for errors and plain output."""
    return tuple(
        f"{row.name}: {row.pods} pods ask for {cpu_text(row.requested.get('cpu', 0))} CPU ({row.cpu_share:.0%}) and "
        f"{memory_text(row.requested.get('memory', 0))} ({row.memory_share:.0%})"
        + (f"; {sum(count for _, count, _ in row.unplaced)} would stay Pending" if row.unplaced else "")
        for row in report.phases
    )


PHASE_HEADINGS = ("phase", "pods", "CPU", "of allocatable", "memory", "of allocatable", "pending")
GROWTH_HEADINGS = ("tenants", "pods", "CPU", "memory", "at peak", "volumes", "smallest node")


def phase_rows(report: CapacityReport) -> tuple[tuple[str, ...], ...]:
    """Rows of the table of phases."""
    return tuple(
        (
            row.name,
            str(row.pods),
            cpu_text(row.requested.get("cpu", 0)),
            f"{row.cpu_share:.0%}",
            memory_text(row.requested.get("memory", 0)),
            f"{row.memory_share:.0%}",
            ", ".join(f"{name} x{count}" if count > 1 else name for name, count, _ in row.unplaced[:5])
            + (f" and {len(row.unplaced) - 5} more" if len(row.unplaced) > 5 else ""),
        )
        for row in report.phases
    )


def growth_rows(growth: Sequence[GrowthRow]) -> tuple[tuple[str, ...], ...]:
    """Rows of the table of tenants."""
    return tuple(
        (
            str(row.growth.tenants),
            str(row.report.steady.pods),
            cpu_text(row.report.steady.requested.get("cpu", 0)),
            memory_text(row.report.steady.requested.get("memory", 0)),
            memory_text(max(phase.requested.get("memory", 0) for phase in row.report.phases)),
            memory_text(row.storage),
            str(row.node) if row.node else "several nodes",
        )
        for row in growth
    )
