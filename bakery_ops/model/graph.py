"""The dependency graph: every object of the render is a node, every edge has a reason.

Three kinds of edge, because Kubernetes has three kinds of "before":
    needs   the other node must be Ready before this one is applied (migration needs database)
    after   the other node must be applied, nothing more (a Deployment after its ConfigMap)
    relies  this one can be Ready only when the other is (a Service relies on the workload behind it);
            never delays the apply, but tells the diagnosis whom to blame
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from bakery_ops.model.contract import Stage
from bakery_ops.model.manifest import Manifest, ObjectRef


@dataclass(frozen=True, slots=True)
class Node:
    """One object in the graph.

    Attributes:
        name: Unique. The bare object name for workloads ("auth-service"), "kind/name" otherwise ("configmap/app"),
            and for workloads too where two share a name.
        needs, after, relies: Names of other nodes (see the module).
        waits: What the node's own `wait-for-X` init containers mean: X -> node name.
    """

    name: str
    manifest: Manifest
    stage: Stage
    needs: frozenset[str] = frozenset()
    after: frozenset[str] = frozenset()
    relies: frozenset[str] = frozenset()
    waits: Mapping[str, str] = field(default_factory=dict)

    @property
    def ref(self) -> ObjectRef:
        return self.manifest.ref

    @property
    def is_workload(self) -> bool:
        """Starts containers, so it counts against the width of parallel starts and stands in the summary."""
        return self.ref.is_workload


class Graph(Mapping[str, Node]):
    """The nodes by name, in a stable order: stage, then name. Edges always name nodes of the graph."""

    def __init__(self, nodes: Iterable[Node]) -> None:
        ordered = sorted(nodes, key=lambda node: (node.stage.order, node.name))
        self._nodes = {node.name: node for node in ordered}
        self._by_ref = {node.ref: node for node in ordered}

    def __getitem__(self, name: str) -> Node:
        return self._nodes[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._nodes)

    def __len__(self) -> int:
        return len(self._nodes)

    def by_ref(self, ref: ObjectRef) -> Node | None:
        return self._by_ref.get(ref)

    def workloads(self) -> tuple[Node, ...]:
        return tuple(node for node in self._nodes.values() if node.is_workload)

    def upstream(self, names: Iterable[str]) -> frozenset[str]:
        """`names` and everything they need or come after, transitively: what `--only` must look at."""
        seen: set[str] = set()
        queue = list(names)
        while queue:
            name = queue.pop()
            if name not in seen:
                seen.add(name)
                queue.extend(self._nodes[name].needs | self._nodes[name].after)
        return frozenset(seen)

    def part(self, names: Collection[str]) -> Graph:
        """The graph of just these nodes, with the edges between them."""
        among = frozenset(names)
        return Graph(
            replace(
                node,
                needs=node.needs & among,
                after=node.after & among,
                relies=node.relies & among,
                waits={word: other for word, other in node.waits.items() if other in among},
            )
            for name, node in self._nodes.items()
            if name in among
        )


def find_cycle(edges: Mapping[str, Iterable[str]]) -> tuple[str, ...]:
    """One cycle of a directed graph given as name -> successors, or (). Iterative: a chain of 5,000 is fine."""
    done: set[str] = set()
    for start in edges:
        path: list[str] = []
        on_path: set[str] = set()
        stack: list[tuple[str, Iterator[str]]] = []
        if start not in done:
            stack.append((start, iter(sorted(edges[start]))))
            path.append(start)
            on_path.add(start)
        while stack:
            name, successors = stack[-1]
            for successor in successors:
                if successor in on_path:
                    return (*path[path.index(successor) :], successor)
                if successor not in done and successor in edges:
                    stack.append((successor, iter(sorted(edges[successor]))))
                    path.append(successor)
                    on_path.add(successor)
                    break
            else:
                done.add(name)
                on_path.discard(name)
                path.pop()
                stack.pop()
    return ()
