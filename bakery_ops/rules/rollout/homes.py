"""The Namespaces of a rollout. No stream follows them, so one is looked at again when what is in it goes away.

Who deletes a Namespace deletes our lock and every object in it, in any order; it alone is the cause.
"""

from __future__ import annotations

from bakery_ops.model.manifest import ObjectRef
from bakery_ops.rules.rollout.events import ReadObjects
from bakery_ops.rules.rollout.state import NodeState, Phase, Rollout

TERMINATING = "NamespaceTerminating"
"""Why the API server refuses new objects in a Namespace that is being deleted."""

_IN_CLUSTER = frozenset({Phase.APPLIED, Phase.FOUND})


def doubt(rollout: Rollout, namespace: str) -> None:
    """Ask how the Namespace stands, if it is one of ours and nobody has asked yet."""
    node = rollout.graph.by_ref(ObjectRef("", "Namespace", "", namespace))
    if node is not None and rollout.nodes[node.name].phase in _IN_CLUSTER and node.name not in rollout.doubted:
        rollout.doubted.add(node.name)
        rollout.commands.append(ReadObjects((node.name,)))


def doubt_all(rollout: Rollout) -> None:
    """The lock is gone without a taker: perhaps with its Namespace."""
    for node in rollout.graph.values():
        if node.ref.kind == "Namespace":
            doubt(rollout, node.ref.name)


def told(rollout: Rollout, ref: ObjectRef) -> None:
    """An answer about this object has come."""
    if ref.kind == "Namespace" and (node := rollout.graph.by_ref(ref)) is not None:
        rollout.doubted.discard(node.name)


def ending(rollout: Rollout, state: NodeState | None = None) -> frozenset[str]:
    """The Namespaces that are being deleted: all of them, or those that this node needs."""
    among = rollout.failed if state is None else state.node.needs & rollout.failed
    nodes = (rollout.nodes[name] for name in among)
    return frozenset(one.name for one in nodes if one.node.ref.kind == "Namespace" and one.phase in _IN_CLUSTER)
