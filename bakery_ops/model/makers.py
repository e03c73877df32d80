"""Who of the render may make a Secret or ConfigMap that the render refers to and does not hold.

A controller makes it from a custom resource (cert-manager's Certificate, a SealedSecret), or a program of the render
does, as its permissions tell: the Job that signs a webhook's certificate, the operator that keeps a list of roots.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any

from bakery_ops.model.manifest import Manifest, ObjectRef
from bakery_ops.model.references import RBAC, listed, references

_RESOURCES = {"Secret": "secrets", "ConfigMap": "configmaps"}
# Those of every cluster that may create both (Kubernetes documentation, "RBAC", user-facing roles).
_BUILT_IN = frozenset({"cluster-admin", "admin", "edit"})
_STARTS_NOW = frozenset({"Job", "Deployment", "StatefulSet", "DaemonSet", "Pod", "ReplicaSet"})


class Makers:
    """The makers of one render."""

    def __init__(self, manifests: Sequence[Manifest]) -> None:
        self._manifests = manifests

    def of(self, ref: ObjectRef, consumer: Manifest) -> list[Manifest]:
        """The objects that may make `ref` for `consumer`, the likeliest first; not those that need it to start."""
        custom = [each for each in self._custom if _is_near(each, ref) and _names(each, ref.name)]
        programs = [each for each in self._creators(ref) if each.ref != consumer.ref and not _needs(each, ref)]
        return custom + sorted(programs, key=lambda each: (not _mentions(each.pod_spec, ref.name), not each.ref.is_job))

    @cached_property
    def _custom(self) -> tuple[Manifest, ...]:
        return tuple(manifest for manifest in self._manifests if manifest.ref.is_custom)

    def _creators(self, ref: ObjectRef) -> Iterator[Manifest]:
        """Workloads of the render whose account may create such an object there."""
        allowed = self._accounts.get((_RESOURCES.get(ref.kind, ""), ref.namespace), set())
        allowed = allowed | self._accounts.get((_RESOURCES.get(ref.kind, ""), ""), set())
        for manifest in self._manifests if allowed else ():
            if manifest.ref.is_workload and manifest.ref.kind in _STARTS_NOW:
                account = (manifest.pod_spec or {}).get("serviceAccountName") or "default"
                if (manifest.ref.namespace, account) in allowed:
                    yield manifest

    @cached_property
    def _accounts(self) -> dict[tuple[str, str], set[tuple[str, str]]]:
        """(resource, namespace, "" for all) -> the accounts (namespace, name) that may create it."""
        roles = {manifest.ref: manifest for manifest in self._manifests if manifest.ref.group == RBAC}
        found: dict[tuple[str, str], set[tuple[str, str]]] = {}
        for manifest in roles.values():
            if manifest.ref.kind not in ("RoleBinding", "ClusterRoleBinding"):
                continue
            named = [reference.target for reference in references(manifest)]
            accounts = {(target.namespace, target.name) for target in named if target.kind == "ServiceAccount"}
            for role in (target for target in named if target.kind in ("Role", "ClusterRole")):
                for resource in _RESOURCES.values():
                    if role.name in _BUILT_IN or _may_create(roles.get(role), resource):
                        found.setdefault((resource, manifest.ref.namespace), set()).update(accounts)
        return found


def _may_create(role: Manifest | None, resource: str) -> bool:
    return role is not None and any(
        {"", "*"} & {*(rule.get("apiGroups") or ())}
        and {resource, "*"} & {*(rule.get("resources") or ())}
        and {"create", "*"} & {*(rule.get("verbs") or ())}
        for rule in listed(role.body, "rules")
    )


def _is_near(custom: Manifest, ref: ObjectRef) -> bool:
    return custom.ref.namespace in ("", ref.namespace)


def _names(custom: Manifest, name: str) -> bool:
    return custom.ref.name == name or _mentions(custom.spec, name, whole=True)


def _mentions(body: Any, name: str, *, whole: bool = False) -> bool:
    """Whether a text of the body is `name`, or holds it where it need not be the `whole` text."""
    if isinstance(body, Mapping):
        return any(_mentions(value, name, whole=whole) for value in body.values())
    if isinstance(body, list):
        return any(_mentions(value, name, whole=whole) for value in body)
    return isinstance(body, str) and (body == name if whole else name in body)


def _needs(manifest: Manifest, ref: ObjectRef) -> bool:
    return any(reference.target == ref and not reference.optional for reference in references(manifest))
