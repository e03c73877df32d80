"""The volume claims that an object stands for: itself, or those that its controller makes."""

from __future__ import annotations

from collections.abc import Iterator

from bakery_ops.model.graph import Node
from bakery_ops.model.manifest import ObjectRef


def claims(node: Node) -> Iterator[ObjectRef]:
    """A claim itself; of a StatefulSet one for each template and replica, named as its controller names them."""
    ref, spec = node.ref, node.manifest.spec
    if ref.kind == "PersistentVolumeClaim":
        yield ref
    if ref.kind == "StatefulSet":
        first = (spec.get("ordinals") or {}).get("start", 0)
        count = 1 if spec.get("replicas") is None else spec["replicas"]
        for template in spec.get("volumeClaimTemplates") or ():
            for ordinal in range(first, first + count):
                name = f"{template['metadata']['name']}-{ref.name}-{ordinal}"
                yield ObjectRef("", "PersistentVolumeClaim", ref.namespace, name)
