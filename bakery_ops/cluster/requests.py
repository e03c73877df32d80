"""Single requests: apply, read, list, delete, logs, proxy. Implements the Protocol `workflows.ports.Requests`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import msgspec

from bakery_ops.cluster.answers import answer
from bakery_ops.cluster.discovery import BUILT_IN, Discovery, Resource
from bakery_ops.cluster.lag import LagMeter
from bakery_ops.cluster.lists import METADATA_ONLY, items_at
from bakery_ops.cluster.retry import Retrier
from bakery_ops.cluster.transport import JSON, Query, Reply, Timeouts, Transport
from bakery_ops.cluster.troubles import TransportError
from bakery_ops.errors import OperationFailed
from bakery_ops.model.answer import Answer
from bakery_ops.model.content import shows_write
from bakery_ops.model.contract import FIELD_MANAGER
from bakery_ops.model.manifest import Manifest, ObjectRef
from bakery_ops.model.times import parse_time

_APPLY = "application/apply-patch+yaml"  # JSON is YAML
_LOG_BYTES = 64 * 1024
_PROXY_BYTES = 64 * 1024
_WRITE = Timeouts(connect=5.0, read=60.0)  # admission webhooks alone may take 30 s
_encode = msgspec.json.Encoder().encode


class ApiRequests:
    """Requests with the retry policy of docs/faults.md. Safe to use from many threads."""

    def __init__(self, transport: Transport, retrier: Retrier, discovery: Discovery, lag: LagMeter) -> None:
        self._transport, self._retrier, self._discovery, self._lag = transport, retrier, discovery, lag

    def apply(
        self, manifest: Manifest, *, dry_run: bool = False, force: bool = False, manager: str = FIELD_MANAGER
    ) -> Answer:
        """Server-side apply, with our field manager unless another is named; fieldValidation=Strict on dry runs.

        A write whose outcome is unknown is read back by name before it is sent again (F8, F9): a Job that ran and was
        removed between two attempts must not run twice.
        """
        ref = manifest.ref
        resource = self._discovery.find(ref.group, ref.kind)
        if resource is None:
            return _not_served(ref.group, ref.kind)
        path = resource.path(ref.namespace, ref.name, api_version=manifest.api_version)
        query: dict[str, str | int | bool] = {"fieldManager": manager, "force": force}
        if dry_run:
            query |= {"dryRun": "All", "fieldValidation": "Strict"}
        body = _encode(manifest.body)
        verb = "dry-run" if dry_run else "apply"

        def patch() -> Reply:
            return self._transport.send(verb, "PATCH", path, query, body=body, content_type=_APPLY, timeouts=_WRITE)

        reply = self._retrier.call(patch if dry_run else self._read_back(patch, path, manifest))
        result = answer(reply, written=manifest.body)
        if not dry_run and result.status < 300:
            self._lag.written(
                str((result.body.get("metadata") or {}).get("resourceVersion", "")), reply.sent, reply.received
            )
        return result

    def _read_back(self, write: Callable[[], Reply], path: str, manifest: Manifest) -> Callable[[], Reply]:
        """`write`, which after an attempt of unknown outcome first asks whether that attempt was carried out."""
        unknown_since: list[float] = []

        def attempt() -> Reply:
            if unknown_since:
                found = self._transport.send("get", "GET", path)
                if found.status != 404 and (landed := _landed(found, manifest, unknown_since[0])) is not None:
                    return landed
            began = self._transport.clock.now()
            try:
                reply = write()
            except TransportError as error:
                if error.sent and not unknown_since:
                    unknown_since.append(began)
                raise
            if reply.status >= 500 and not unknown_since:
                unknown_since.append(began)
            return reply

        return attempt

    def read(self, ref: ObjectRef) -> Answer:
        resource = self._discovery.find(ref.group, ref.kind)
        if resource is None:
            return _not_served(ref.group, ref.kind)
        return answer(self._get("get", resource.path(ref.namespace, ref.name)))

    def list(
        self, group: str, kind: str, namespace: str | None, *, label_selector: str = "", field_selector: str = ""
    ) -> Sequence[Mapping[str, Any]]:
        """Whole objects as dictionaries, all pages, kind and apiVersion filled in; [] when the kind is not served.

        Raises: OperationFailed: the server refuses the list. ClusterUnreachable.
        """
        resource = self._discovery.find(group, kind)
        if resource is None:
            return []
        selectors = {"labelSelector": label_selector, "fieldSelector": field_selector}
        items = self._items(resource, namespace, {key: value for key, value in selectors.items() if value})
        return [{"apiVersion": resource.api_version, "kind": kind, **item} for item in items]

    def metadata(self, group: str, kind: str, namespace: str | None) -> Sequence[Mapping[str, Any]]:
        """All objects of a kind, with nothing but their metadata: a Secret's bytes stay where they are.

        Raises: as `list`.
        """
        resource = self._discovery.find(group, kind)
        if resource is None:
            return []
        return self._items(resource, namespace, accept=METADATA_ONLY)

    def _items(
        self, resource: Resource, namespace: str | None, query: Query | None = None, *, accept: str = JSON
    ) -> Sequence[Mapping[str, Any]]:
        path = resource.path(namespace)
        return items_at(self._transport, self._retrier, path, query, what=resource.plural, accept=accept)

    def delete(self, ref: ObjectRef, *, uid: str | None = None, propagation: str = "Background") -> Answer:
        """Delete exactly the object of that `uid`. Gone already: an Answer of status 404."""
        resource = self._discovery.find(ref.group, ref.kind)
        if resource is None:
            return _not_served(ref.group, ref.kind)
        options: dict[str, Any] = {"apiVersion": "v1", "kind": "DeleteOptions", "propagationPolicy": propagation}
        if uid is not None:
            options["preconditions"] = {"uid": uid}
        path, body = resource.path(ref.namespace, ref.name), _encode(options)
        return answer(
            self._retrier.call(lambda: self._transport.send("delete", "DELETE", path, body=body, timeouts=_WRITE))
        )

    def logs(
        self,
        namespace: str,
        pod: str,
        container: str,
        *,
        previous: bool = False,
        tail_lines: int | None = 50,
        since_seconds: int | None = None,
        limit_bytes: int | None = _LOG_BYTES,
    ) -> Sequence[str]:
        """The last lines of a container, raw (they may hold control characters); () when there is no log.

        None is no limit. `limit_bytes` cuts at the end: the server counts it from the first line it sends.
        Raises: OperationFailed: it may be there, but cannot be read (no permission, a node that does not answer).
        """
        path = BUILT_IN["", "Pod"].path(namespace, pod) + "/log"
        limits = {"tailLines": tail_lines, "sinceSeconds": since_seconds, "limitBytes": limit_bytes}
        given = {key: number for key, number in limits.items() if number is not None}
        query: Query = {"container": container, "previous": previous, **given}
        reply = self._retrier.call(lambda: self._transport.send("log", "GET", path, query, accept="*/*"), budget=10.0)
        if reply.status in (400, 404):  # waiting to start, no previous container, no such pod
            return ()
        if reply.status != 200:
            said = answer(reply).message or f"the API server answered {reply.status}"
            raise OperationFailed(f"the log of {pod}/{container} cannot be read: {said}")
        text = reply.body.decode("utf-8", "replace")
        return tuple(text.removesuffix("\n").split("\n")) if text else ()

    def proxy_get(
        self, namespace: str, service: str, port: str, path: str, *, timeout: float = 5.0
    ) -> tuple[int, bytes, float]:
        """GET through the API server's service proxy: status, body (at most 64 KiB), seconds taken. Never repeated.

        `service` may name a scheme ("https:web"). Raises: ClusterUnreachable.
        """
        target = f"/api/v1/namespaces/{namespace}/services/{service}:{port}/proxy/{path.lstrip('/')}"
        timeouts = Timeouts(timeout, timeout)
        reply = self._retrier.call(
            lambda: self._transport.send("proxy", "GET", target, accept="*/*", timeouts=timeouts, limit=_PROXY_BYTES),
            budget=0.0,
        )
        return reply.status, reply.body, reply.received - reply.sent

    def served(self, refs: Iterable[ObjectRef]) -> Mapping[tuple[str, str], bool]:
        return self._discovery.served(refs)

    def _get(self, verb: str, path: str, query: Query | None = None, *, accept: str = JSON) -> Reply:
        return self._retrier.call(lambda: self._transport.send(verb, "GET", path, query, accept=accept))


def _landed(found: Reply, manifest: Manifest, since: float) -> Reply | None:
    """The reply our lost write would have had, if `found` shows that it was carried out; else None."""
    if found.status != 200:
        return found  # still in trouble, or refused: the retry policy decides
    body = answer(found).body
    if not shows_write(body, manifest):
        return None
    created = parse_time(body["metadata"]["creationTimestamp"]) >= since - 1.0  # whole seconds
    return found._replace(status=201 if created else 200)


def _not_served(group: str, kind: str) -> Answer:
    what = f"{kind} of the group {group}" if group else kind
    return Answer(404, {}, "KindNotServed", f"the server does not serve {what}")
