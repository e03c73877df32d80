"""The volume claims that an object stands for: itself, or those that its controller makes.

A StatefulSet's controller names them TEMPLATE-SET-ORDINAL; those of past replicas stay.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

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


def claim_stem(name: str) -> str:
    """data-auth-db of data-auth-db-0; the name itself where no ordinal ends it."""
    stem, _, ordinal = name.rpartition("-")
    return stem if ordinal.isdigit() else name


def stems(specs: Iterable[tuple[ObjectRef, Mapping[str, Any]]]) -> frozenset[tuple[str, str]]:
    """Namespace and stem of the claims that the StatefulSets among these objects make; each comes with its spec."""
    return frozenset(
        (ref.namespace, f"{template['metadata']['name']}-{ref.name}")
        for ref, spec in specs
        if ref.kind == "StatefulSet"
        for template in spec.get("volumeClaimTemplates") or ()
    )


def is_made(ref: ObjectRef, by: frozenset[tuple[str, str]]) -> bool:
    """Whether the object is a claim that a StatefulSet of one of these stems made, for a replica of now or earlier."""
    stem = claim_stem(ref.name)
    return ref.kind == "PersistentVolumeClaim" and stem != ref.name and (ref.namespace, stem) in by
