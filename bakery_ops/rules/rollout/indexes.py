"""What follows from the graph alone, computed once: who depends on whom, what a change matters to, who goes first."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from bakery_ops.model.graph import Graph, Node
from bakery_ops.model.live import SERVICE_NAME, LiveObject
from bakery_ops.model.manifest import ObjectRef
from bakery_ops.rules.claims import claim_stem


class Affected:
    """Which nodes an object's change can matter to, found by name."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._relying: defaultdict[str, list[str]] = defaultdict(list)
        self._services: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
        self._claims: dict[tuple[str, str], str] = {}
        for name, node in graph.items():
            for upstream in node.relies:
                self._relying[upstream].append(name)
        for name, node in graph.items():
            if node.ref.kind == "Service":
                self._services[node.ref.namespace, node.ref.name] += [name, *self._relying[name]]
            for template in claim_templates(node):
                self._claims[node.ref.namespace, f"{template}-{node.ref.name}"] = name

    def of(self, ref: ObjectRef, live: LiveObject) -> list[str]:
        """The node of the object itself, those relying on it, the Service of a slice, the StatefulSet of a claim."""
        node = self._graph.by_ref(ref)
        if node is not None:
            return [node.name, *self._relying.get(node.name, ())]
        if ref.kind == "EndpointSlice":
            return self._services.get((ref.namespace, live.metadata.labels.get(SERVICE_NAME, "")), [])
        if ref.kind == "PersistentVolumeClaim":
            owner = self._claims.get((ref.namespace, claim_stem(ref.name)))
            return [owner] if owner else []
        return []


def claim_templates(node: Node) -> tuple[str, ...]:
    """Names of a StatefulSet's volumeClaimTemplates; () for anything else."""
    templates: Iterable[dict[str, dict[str, str]]] = node.manifest.spec.get("volumeClaimTemplates") or ()
    return tuple(template["metadata"]["name"] for template in templates)


def dependents_of(graph: Graph) -> dict[str, tuple[str, ...]]:
    """Name -> the nodes to look at again when it becomes Ready, stops being Ready, or is applied."""
    found: defaultdict[str, dict[str, None]] = defaultdict(dict)
    for name, node in graph.items():
        for upstream in node.needs | node.after | node.relies | frozenset(node.waits.values()):
            if upstream != name:
                found[upstream][name] = None
    return {name: tuple(dependents) for name, dependents in found.items()}


def priorities(graph: Graph) -> dict[str, tuple[int, int]]:
    """Order of admission when slots are short: the longest chain of dependents first, then graph order."""
    height: dict[str, int] = dict.fromkeys(graph, 0)
    remaining = dict.fromkeys(graph, 0)
    for node in graph.values():
        for upstream in node.needs | node.after:
            remaining[upstream] += 1
    queue = [name for name, count in remaining.items() if count == 0]
    while queue:
        name = queue.pop()
        for upstream in graph[name].needs | graph[name].after:
            height[upstream] = max(height[upstream], height[name] + 1)
            remaining[upstream] -= 1
            if remaining[upstream] == 0:
                queue.append(upstream)
    return {name: (-height[name], position) for position, name in enumerate(graph)}
