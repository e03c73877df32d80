"""What a rollout has to follow, which its account must therefore be allowed to watch."""

from __future__ import annotations

from collections.abc import Collection

from bakery_ops.model.graph import Graph
from bakery_ops.rules.rollout.options import STREAMED_KINDS
from bakery_ops.rules.rollout.state import STREAMS_NEEDED


def kinds_followed(graph: Graph, streamed: Collection[str] = STREAMED_KINDS) -> tuple[str, ...]:
    """The streams this graph needs; a deploy without HPAs follows none of theirs."""
    present = {node.ref.kind for node in graph.values()}
    needed = present.union(*(STREAMS_NEEDED.get(kind, ()) for kind in present))
    return tuple(kind for kind in STREAMED_KINDS if kind in needed and kind in streamed)


def namespace_followed(graph: Graph) -> str:
    """The one namespace of the graph, or "" for all when there are several."""
    names = {node.ref.namespace for node in graph.values() if node.ref.namespace}
    return names.pop() if len(names) == 1 else ""
