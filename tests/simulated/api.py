"""What the tests of the cluster room share: a namespace of their own, a connection, a proxy in between."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

from bakery_ops.cluster.connection import Connection, connect
from bakery_ops.model.contract import CONTENT_HASH
from bakery_ops.model.live import LiveObject
from bakery_ops.model.manifest import Manifest, ObjectRef
from bakery_ops.rules.rollout.events import Event, ObjectChanged, ObjectDeleted, StreamLost, Synced
from bakery_ops.sandbox.lifecycle import SandboxStatus
from tests.proxy import FaultProxy, upstream_of


def manifest(kind: str, api_version: str, namespace: str, name: str, **body: Any) -> Manifest:
    group = api_version.rpartition("/")[0]
    metadata = {"name": name, "annotations": {CONTENT_HASH: "h1"}} | ({"namespace": namespace} if namespace else {})
    metadata |= body.pop("metadata", {})
    whole = {"apiVersion": api_version, "kind": kind, "metadata": metadata, **body}
    return Manifest(ObjectRef(group, kind, namespace, name), api_version, whole, "test")


def config_map(namespace: str, name: str = "settings", **data: str) -> Manifest:
    return manifest("ConfigMap", "v1", namespace, name, data=data or {"a": "b"})


def job(namespace: str, name: str = "seed") -> Manifest:
    container = {"name": "c", "image": "bakery/seed:1", "resources": {"requests": {"cpu": "10m", "memory": "16Mi"}}}
    template = {"spec": {"restartPolicy": "Never", "containers": [container]}}
    return manifest("Job", "batch/v1", namespace, name, spec={"template": template})


def deployment(namespace: str, name: str, replicas: int = 1) -> Manifest:
    container = {"name": "c", "image": "bakery/web:1", "resources": {"requests": {"cpu": "10m", "memory": "16Mi"}}}
    template = {"metadata": {"labels": {"app": name}}, "spec": {"containers": [container]}}
    specification = {"replicas": replicas, "selector": {"matchLabels": {"app": name}}, "template": template}
    return manifest("Deployment", "apps/v1", namespace, name, spec=specification)


@contextmanager
def own_namespace(connection: Connection) -> Iterator[str]:
    name = f"cluster-{uuid4().hex[:8]}"
    assert connection.requests.apply(manifest("Namespace", "v1", "", name)).status == 201
    yield name
    connection.requests.delete(ObjectRef("", "Namespace", "", name))


@contextmanager
def through_proxy(cluster: SandboxStatus, folder: Path) -> Iterator[tuple[FaultProxy, Connection, list[str]]]:
    """A proxy, a connection through it, and the lines the connection had to say."""
    lines: list[str] = []
    with FaultProxy(upstream_of(cluster.kubeconfig, cluster.kubeconfig.parent / "pki")) as proxy:
        connection = connect(proxy.write_kubeconfig(folder / "kubeconfig"), notify=lines.append)
        yield proxy, connection, lines
        connection.close()


class Watched:
    """What a mirror delivered, and a way to wait for it."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self._changed = threading.Condition()

    def __call__(self, event: Event) -> None:
        with self._changed:
            self.events.append(event)
            self._changed.notify_all()

    def wait_until(self, test: Callable[[list[Event]], bool], within: float = 30.0) -> None:
        with self._changed:
            assert self._changed.wait_for(lambda: test(self.events), within), self.events[-10:]

    def wait_synced(self, *kinds: str, times: int = 1) -> None:
        def synced(events: list[Event]) -> bool:
            said = [event.kind for event in events if isinstance(event, Synced)]
            return all(said.count(kind) >= times for kind in kinds)

        self.wait_until(synced)

    def wait_lost(self, kind: str) -> None:
        self.wait_until(lambda events: any(isinstance(event, StreamLost) and event.kind == kind for event in events))

    def wait_for(self, kind: str, name: str, test: Callable[[LiveObject], bool] = lambda live: True) -> None:
        def there(events: list[Event]) -> bool:
            return any(
                isinstance(event, ObjectChanged)
                and (event.object.kind, event.object.metadata.name) == (kind, name)
                and test(event.object)
                for event in events
            )

        self.wait_until(there)

    def wait_deleted(self, kind: str, name: str) -> None:
        def gone(events: list[Event]) -> bool:
            return any(isinstance(event, ObjectDeleted) and event.ref[1:4:2] == (kind, name) for event in events)

        self.wait_until(gone)
