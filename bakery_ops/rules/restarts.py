"""Pods that still hold an earlier version of a renewed Secret, and how they come to hold the new one.

A server reads its certificate when it starts, so whoever mounts a renewed Secret is rolled: by a note on its pod
template that says of which renewal it knows. The note is a field of a manager of its own, so that a deploy of the
render, which knows nothing of it, leaves it alone (Kubernetes, "Server-Side Apply", section "Field management"). It
holds the time of the renewal and not of the restart: a run that was killed in between finds what is left to do in the
cluster alone, and nothing is restarted twice.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from bakery_ops.model.contract import FIELD_MANAGER
from bakery_ops.model.graph import Graph, Node
from bakery_ops.model.manifest import Manifest, ObjectRef
from bakery_ops.model.references import references
from bakery_ops.model.secrets import RENEWED
from bakery_ops.model.selection import matches
from bakery_ops.rules.plan import Action, Live, Plan

RESTART_MANAGER = f"{FIELD_MANAGER}-restart"
_ROLLED = frozenset({"Deployment", "StatefulSet", "DaemonSet"})


def users(graph: Graph, secrets: Collection[ObjectRef]) -> tuple[str, ...]:
    """The workloads that Kubernetes rolls and whose pods are given one of `secrets`, in start order."""
    return tuple(node.name for node in graph.values() if _is_rolled(node) and _given(node) & frozenset(secrets))


def renewals(secrets: Iterable[Live]) -> dict[ObjectRef, str]:
    """When each of these Secrets was renewed (RFC 3339, UTC); those that never were are left out."""
    found: dict[ObjectRef, str] = {}
    for body in secrets:
        metadata = body.get("metadata") or {}
        if at := (metadata.get("annotations") or {}).get(RENEWED):
            found[ObjectRef("", "Secret", str(metadata.get("namespace", "")), str(metadata.get("name", "")))] = str(at)
    return found


def behind(graph: Graph, pods: Iterable[Live], renewed: Mapping[ObjectRef, str]) -> dict[str, str]:
    """Workload -> the renewal that a pod of it is older than; pods that are ending do not count."""
    standing = [pod for pod in pods if _is_standing(pod)]
    found: dict[str, str] = {}
    for node in graph.values():
        times = [renewed[ref] for ref in _given(node) if ref in renewed] if _is_rolled(node) else []
        # Times of one format and zone are ordered as their text is.
        if times and any(_created(pod) < max(times) for pod in standing if _is_of(node, pod)):
            found[node.name] = max(times)
    return found


def only_restarts(decided: Plan, graph: Graph, due: Mapping[str, str]) -> Plan:
    """`decided` with these restarts for its only changes: what else the render would change is another command's."""
    steps = {name: step._replace(action=Action.DONE, reason="left as it is") for name, step in decided.steps.items()}
    for name, at in due.items():
        reason = f"its pods are older than what was renewed at {at}"
        steps[name] = decided.steps[name]._replace(action=Action.APPLY, reason=reason, replicas=None, restart=at)
    return Plan({name: steps[name] for name in graph})


def restart(manifest: Manifest, at: str, uid: str) -> Manifest:
    """What is sent to roll a workload: the note alone, and the UID, so that a successor is never touched."""
    return manifest.only({"template": {"metadata": {"annotations": {RENEWED: at}}}}, uid=uid)


def noted(live: Live) -> str:
    """The renewal that the pod template of a workload knows of, or ""."""
    metadata: Mapping[str, Any] = ((live.get("spec") or {}).get("template") or {}).get("metadata") or {}
    return str((metadata.get("annotations") or {}).get(RENEWED, ""))


def _is_standing(pod: Live) -> bool:
    is_over = (pod.get("status") or {}).get("phase") in ("Succeeded", "Failed")
    return not is_over and not (pod.get("metadata") or {}).get("deletionTimestamp")


def _created(pod: Live) -> str:
    return str((pod.get("metadata") or {}).get("creationTimestamp") or "")


def _is_of(node: Node, pod: Live) -> bool:
    metadata = pod.get("metadata") or {}
    selector = node.manifest.spec.get("selector") or {}
    return metadata.get("namespace") == node.ref.namespace and matches(selector, metadata.get("labels") or {})


def _is_rolled(node: Node) -> bool:
    return node.ref.group == "apps" and node.ref.kind in _ROLLED


def _given(node: Node) -> frozenset[ObjectRef]:
    return frozenset(each.target for each in references(node.manifest) if each.target.kind == "Secret")
