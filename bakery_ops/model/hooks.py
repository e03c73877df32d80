"""Objects that Helm and Argo CD create at a moment of their own, as annotations say: first, last or never."""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum
from typing import Any

from bakery_ops.model.manifest import Manifest

_HELM, _HELM_WEIGHT = "helm.sh/hook", "helm.sh/hook-weight"
_ARGO = "argocd.argoproj.io/hook"
_HELM_BEFORE, _HELM_AFTER = frozenset({"pre-install"}), frozenset({"post-install", "post-upgrade"})
_HELM_DEPLOYS = _HELM_BEFORE | _HELM_AFTER | {"pre-upgrade", "crd-install"}
_ARGO_DEPLOYS = frozenset({"PreSync", "Sync", "PostSync"})


class Moment(IntEnum):
    """When an object's turn comes. APPLIED: when all workloads are applied. READY: when they are ready."""

    BEFORE = -1
    WITH_ALL = 0
    APPLIED = 1
    READY = 2


def of_another_moment(annotations: Mapping[str, Any]) -> str:
    """Which hook it is that no install or upgrade creates (a test, a clean-up, the answer to a failure), in words.

    "" for everything that is part of a deploy.
    """
    helm, argo = _words(annotations.get(_HELM)), _words(annotations.get(_ARGO))
    if helm and not helm & _HELM_DEPLOYS:
        return f"a Helm hook for {', '.join(sorted(helm))}"
    if argo and ("Skip" in argo or not argo & _ARGO_DEPLOYS):
        return f"an Argo CD hook for {', '.join(sorted(argo))}"
    return ""


def moment(manifest: Manifest) -> Moment:
    """What is to run both before and after is no more bound than what says nothing."""
    helm, argo = _words(manifest.annotations.get(_HELM)), _words(manifest.annotations.get(_ARGO))
    if argo == {"PreSync"} or (helm & _HELM_BEFORE and not helm & _HELM_AFTER):
        return Moment.BEFORE
    if argo == {"PostSync"}:
        return Moment.READY
    return Moment.APPLIED if helm and helm <= _HELM_AFTER else Moment.WITH_ALL


def weight(manifest: Manifest) -> int:
    """The place of a Helm hook among those of its moment."""
    try:
        return int(manifest.annotations.get(_HELM_WEIGHT) or 0)
    except ValueError:
        return 0


def _words(text: object) -> frozenset[str]:
    return frozenset(word.strip() for word in text.split(",") if word.strip()) if isinstance(text, str) else frozenset()
