"""Objects that are being deleted: what keeps them, and many of them in few words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from bakery_ops.model.manifest import ObjectRef
from bakery_ops.model.selection import matches
from bakery_ops.model.words import amount

Live = Mapping[str, Any]

_NAMED = 3
_COLLECTORS = "foregroundDeletion"  # the garbage collector's: it waits for the pods, which say more


def by_kind(refs: Iterable[ObjectRef]) -> str:
    """Many objects in few words: "20 Deployments, 39 Jobs, namespace/shop". One of a kind is called by its name."""
    every = list(refs)
    counts = Counter(ref.kind for ref in every)
    alone = {ref.kind: str(ref) for ref in every}
    return ", ".join(alone[kind] if count == 1 else amount(count, kind) for kind, count in counts.items())


def held_by(body: Live, pods: Sequence[Live] = ()) -> str:
    """What keeps an object that is being deleted: a namespace's own conditions, pods that have not ended, finalizers.

    `pods`: those of the object's namespace, where they are known. Only those that its selector chooses count.
    """
    texts = [] if body.get("kind") != "Namespace" else list(_conditions(body))
    if ending := [_ending(pod) for pod in pods if _selects(body, pod)]:
        more = f" and {len(ending) - _NAMED} more" if len(ending) > _NAMED else ""
        texts.append(f"its pods have not ended: {', '.join(ending[:_NAMED])}{more}")
    finalizers = [*((body.get("metadata") or {}).get("finalizers") or ()), *(_spec(body).get("finalizers") or ())]
    named = [str(each) for each in finalizers if not (ending and each == _COLLECTORS)]
    if named:
        texts.append(f"waits for its finalizers {', '.join(named)}")
    return "; ".join(texts) or "its deletion is not finished"


def leaving_since(body: Live) -> str:
    """When the deletion of an object was asked for, as the API server writes it, or ""."""
    return str((body.get("metadata") or {}).get("deletionTimestamp") or "")


def _conditions(namespace: Live) -> Iterable[str]:
    """Why a namespace does not end (docs/faults.md, F27)."""
    for each in (namespace.get("status") or {}).get("conditions") or ():
        if each.get("status") == "True":
            yield f"{each.get('reason')}: {each.get('message')}"


def _selects(body: Live, pod: Live) -> bool:
    selector = _spec(body).get("selector") or {}
    labels = (pod.get("metadata") or {}).get("labels") or {}
    return bool(selector.get("matchLabels")) and matches(selector, labels)


def _ending(pod: Live) -> str:
    """pod/web-1 on node n1, ending since 2026-01-01T00:00:00Z with 30 s of grace"""
    node = _spec(pod).get("nodeName")
    where = f" on node {node}" if node else ""
    since = leaving_since(pod)
    grace = pod["metadata"].get("deletionGracePeriodSeconds")
    told = f"ending since {since} with {grace} s of grace" if since else "not being deleted yet"
    return f"pod/{pod['metadata']['name']}{where}, {told}"


def _spec(body: Live) -> Live:
    spec = body.get("spec")
    return spec if isinstance(spec, Mapping) else {}
