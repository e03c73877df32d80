"""Objects that are being deleted and are still there: what holds them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def is_leaving(body: Mapping[str, Any]) -> bool:
    return bool((body.get("metadata") or {}).get("deletionTimestamp"))


def held_by(body: Mapping[str, Any]) -> str:
    """What keeps an object that is being deleted; of a namespace its own conditions say it (docs/faults.md, F27)."""
    conditions = (body.get("status") or {}).get("conditions") or ()
    texts = [
        f"{each.get('reason')}: {each.get('message')}"
        for each in conditions
        if body.get("kind") == "Namespace" and each.get("status") == "True"
    ]
    metadata = body.get("metadata") or {}
    finalizers = [*(metadata.get("finalizers") or ()), *((body.get("spec") or {}).get("finalizers") or ())]
    if finalizers:
        texts.append(f"waits for its finalizers {', '.join(map(str, finalizers))}")
    return "; ".join(texts) or "its deletion is not finished"
