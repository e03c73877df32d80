"""Which objects of a namespace nobody but a stranger can have made: what would be lost with the namespace."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from bakery_ops.model.contract import MANAGED_BY

Item = Mapping[str, Any]

# What the control plane keeps in every namespace by itself (Kubernetes API reference), and our lock.
_BY_ITSELF = frozenset(
    {
        ("ConfigMap", "kube-root-ca.crt"),
        ("ServiceAccount", "default"),
        ("Lease", "bakery-ops"),
    }
)
_KINDS_BY_ITSELF = frozenset({"Event", "Endpoints", "EndpointSlice"})
_RECORDS = "bakery-ops"
_COMPUTED = "metrics.k8s.io"


def strangers(contents: Sequence[Item], ours: Collection[str]) -> tuple[str, ...]:
    """The objects of `contents` ({apiVersion, kind, metadata}) that are neither of the UIDs `ours`, nor owned by one of
    them through any number of steps, nor the control plane's, nor our own records; as "kind/name", sorted.
    """
    belonging = set(ours)
    while grown := {_uid(item) for item in contents if _owners(item) & belonging} - belonging:
        belonging |= grown
    return tuple(sorted(_name(item) for item in contents if _uid(item) not in belonging and not _is_automatic(item)))


def _is_automatic(item: Item) -> bool:
    metadata, kind = item["metadata"], str(item["kind"])
    if kind in _KINDS_BY_ITSELF or (kind, metadata["name"]) in _BY_ITSELF:
        return True
    if str(item["apiVersion"]).startswith(f"{_COMPUTED}/"):
        return True
    labels = metadata.get("labels") or {}
    return bool(labels.get(MANAGED_BY) == _RECORDS and str(metadata["name"]).startswith(_RECORDS))


def _owners(item: Item) -> set[str]:
    return {str(owner.get("uid")) for owner in item["metadata"].get("ownerReferences") or ()}


def _uid(item: Item) -> str:
    return str(item["metadata"].get("uid", ""))


def _name(item: Item) -> str:
    return f"{str(item['kind']).lower()}/{item['metadata']['name']}"
