"""What we may not do: what a deploy follows before its first write, all of it where something was refused (B51)."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from bakery_ops.cluster.answers import answer
from bakery_ops.cluster.discovery import Resource, built_in
from bakery_ops.cluster.retry import Retrier
from bakery_ops.cluster.transport import Transport
from bakery_ops.model.manifest import ObjectRef

_REVIEWS = "/apis/authorization.k8s.io/v1"


class Permission(NamedTuple):
    """A verb on a resource (plural, "pods/log" for a subresource) of an API group, "" being core.

    `namespace` "" asks for the cluster-scoped resource, or for all namespaces.
    """

    verb: str
    group: str
    resource: str
    namespace: str = ""

    def __str__(self) -> str:
        resource = f"{self.resource}.{self.group}" if self.group else self.resource
        return f"{self.verb} {resource}" + (f" in {self.namespace}" if self.namespace else "")


_OF_EVERY_OBJECT = ("get", "list", "create", "patch")


def needed(
    refs: Collection[ObjectRef],
    records: str,
    find: Callable[[str, str], Resource | None],
    followed: Collection[Permission] = (),
) -> Iterator[Permission]:
    """What a deploy of these objects does, with its own lock and records in the namespace `records`.

    Args:
        refs: Secrets that it makes among them.
        find: The resource of a (group, kind), as discovery knows it.
        followed: What it has to follow (`streams`).
    """
    for verb in ("get", "create", "update", "delete"):
        yield Permission(verb, "coordination.k8s.io", "leases", records)
    for verb in (*_OF_EVERY_OBJECT, "update", "delete"):
        yield Permission(verb, "", "configmaps", records)
    for group, kind, namespace in sorted({ref[:3] for ref in refs}):
        resource = find(group, kind)
        if resource is not None:
            # Jobs are run anew, and what left the render is pruned; of what is cluster-wide only where that is asked.
            verbs = (*_OF_EVERY_OBJECT, "delete") if namespace else _OF_EVERY_OBJECT
            yield from (Permission(verb, group, resource.plural, namespace) for verb in verbs)
    for namespace in sorted({ref.namespace for ref in refs if ref.namespace}):
        yield Permission("get", "", "pods/log", namespace)
        yield Permission("get", "", "services/proxy", namespace)
    yield from followed


def streams(kinds: Iterable[str], namespace: str) -> tuple[Permission, ...]:
    """What it takes to follow these kinds of Kubernetes itself in a namespace, "" being all of them."""
    resources = [resource for kind in kinds if (resource := built_in(kind)) is not None]
    return tuple(
        Permission(verb, resource.group, resource.plural, namespace)
        for resource in resources
        for verb in ("list", "watch")
    )


class _Rule(msgspec.Struct, rename="camel"):
    verbs: list[str] = []
    api_groups: list[str] | None = None
    resources: list[str] | None = None
    resource_names: list[str] | None = None

    def allows(self, wanted: Permission) -> bool:
        below = wanted.resource.partition("/")[2]
        named = self.resources or []
        fits = wanted.resource in named or "*" in named or (bool(below) and f"*/{below}" in named)
        return (
            not self.resource_names
            and _covers(self.verbs, wanted.verb)
            and _covers(self.api_groups, wanted.group)
            and fits
        )


class Permissions:
    """Asks the server about ourselves: a rules review per namespace, an access review for what that leaves open."""

    def __init__(self, transport: Transport, retrier: Retrier) -> None:
        self._transport, self._retrier = transport, retrier

    def missing(self, wanted: Iterable[Permission]) -> tuple[Permission, ...]:
        """Those of `wanted` that we have not got, sorted. Raises: ClusterUnreachable."""
        by_namespace: dict[str, list[Permission]] = {}
        for permission in dict.fromkeys(wanted):
            by_namespace.setdefault(permission.namespace, []).append(permission)
        open_questions = [
            permission
            for namespace, permissions in by_namespace.items()
            for permission in self._not_granted(namespace, permissions)
        ]
        # A rules review may be incomplete (webhook authorizers), so what it does not grant is asked one by one.
        return tuple(sorted(permission for permission in open_questions if not self._is_allowed(permission)))

    def _not_granted(self, namespace: str, wanted: Sequence[Permission]) -> list[Permission]:
        if not namespace:
            return list(wanted)
        status = self._review("selfsubjectrulesreviews", "SelfSubjectRulesReview", {"namespace": namespace})
        rules = msgspec.convert(status.get("resourceRules") or [], list[_Rule])
        return [permission for permission in wanted if not any(rule.allows(permission) for rule in rules)]

    def _is_allowed(self, permission: Permission) -> bool:
        resource, _, below = permission.resource.partition("/")
        attributes = {
            "verb": permission.verb,
            "group": permission.group,
            "resource": resource,
            "subresource": below,
            "namespace": permission.namespace,
        }
        specification = {"resourceAttributes": {key: value for key, value in attributes.items() if value}}
        return bool(self._review("selfsubjectaccessreviews", "SelfSubjectAccessReview", specification).get("allowed"))

    def _review(self, plural: str, kind: str, specification: Mapping[str, Any]) -> Mapping[str, Any]:
        content = {"apiVersion": "authorization.k8s.io/v1", "kind": kind, "spec": specification}
        body = msgspec.json.encode(content)
        reply = self._retrier.call(lambda: self._transport.send("review", "POST", f"{_REVIEWS}/{plural}", body=body))
        status: Mapping[str, Any] = answer(reply).body.get("status") or {}
        return status if isinstance(status, dict) else {}


def _covers(granted: Sequence[str] | None, wanted: str) -> bool:
    return wanted in (granted or ()) or "*" in (granted or ())
