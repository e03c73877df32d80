"""Watches of a real API server, straight and through a line that breaks."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest

from bakery_ops.cluster.connection import Connection
from bakery_ops.cluster.mirror import ApiMirror
from bakery_ops.cluster.streams import Settings
from bakery_ops.model.live import Deployment, Event, Secret
from bakery_ops.rules.rollout.events import ObjectChanged, StreamLost
from bakery_ops.rules.rollout.options import STREAMED_KINDS
from bakery_ops.sandbox.lifecycle import SandboxStatus
from tests.proxy_faults import Answer, Rule, WatchLines
from tests.simulated.api import Watched, config_map, deployment, manifest, through_proxy

GONE = WatchLines(
    ({"type": "ERROR", "object": {"kind": "Status", "code": 410, "reason": "Expired", "message": "old"}},)
)


def quick(connection: Connection) -> ApiMirror:
    settings = Settings(read=1.0, longest_pause=0.5)
    return ApiMirror(connection.transport, connection.discovery, connection.lag, settings=settings)


def available(live: object) -> bool:
    return isinstance(live, Deployment) and live.status.available_replicas == 1


def test_a_rollout_is_followed_to_its_end_with_one_request_per_kind(connection: Connection, namespace: str) -> None:
    watched, mirror = Watched(), connection.mirror()
    before = dict(connection.transport.requests)
    mirror.start(STREAMED_KINDS, namespace, watched)
    watched.wait_synced(*STREAMED_KINDS)
    assert connection.transport.requests["watch"] - before.get("watch", 0) == len(STREAMED_KINDS)
    assert connection.transport.requests.get("list", 0) == before.get("list", 0)  # WatchList is served
    connection.requests.apply(deployment(namespace, "web"))
    watched.wait_for("Deployment", "web", available)
    connection.requests.delete(deployment(namespace, "web").ref)
    watched.wait_deleted("Deployment", "web")
    began = time.monotonic()
    mirror.stop()
    assert time.monotonic() - began < 3
    assert not [thread.name for thread in threading.enumerate() if thread.name.startswith("watch-")]
    lag = connection.lag.percentile(0.95)
    assert lag is not None
    assert lag < 5


def test_warnings_and_needed_normal_events_arrive_and_chatter_does_not(connection: Connection, namespace: str) -> None:
    """Both halves of readiness.md 7.1 in one stream: a field selector may name many reasons to leave out."""
    watched, mirror = Watched(), connection.mirror()
    mirror.start(["Event"], namespace, watched)
    watched.wait_synced("Event")
    for reason, kind in (("Scheduled", "Normal"), ("Pulled", "Normal"), ("BackOff", "Warning")):
        involved = {"kind": "Pod", "namespace": namespace, "name": "p", "uid": "u"}
        body = {"involvedObject": involved, "reason": reason, "type": kind, "message": "x"}
        assert connection.requests.apply(manifest("Event", "v1", namespace, reason.lower(), **body)).status == 201
    watched.wait_for("Event", "backoff")
    objects = [event.object for event in watched.events if isinstance(event, ObjectChanged)]
    assert {live.reason for live in objects if isinstance(live, Event)} == {"Pulled", "BackOff"}
    mirror.stop()


def test_a_secret_is_seen_but_not_read(connection: Connection, namespace: str) -> None:
    watched, mirror = Watched(), connection.mirror()
    mirror.start(["Secret"], namespace, watched)
    connection.requests.apply(manifest("Secret", "v1", namespace, "db", stringData={"password": "canary"}))
    watched.wait_for("Secret", "db", lambda live: isinstance(live, Secret) and live.data is None)
    mirror.stop()


def test_a_half_open_stream_is_found_and_replaced(
    simulated_cluster: SandboxStatus, connection: Connection, namespace: str, tmp_path: Path
) -> None:
    """F5: first it is shown that the stall does block."""
    with through_proxy(simulated_cluster, tmp_path) as (proxy, broken, _):
        watched, mirror = Watched(), quick(broken)
        mirror.start(["ConfigMap"], namespace, watched)
        watched.wait_synced("ConfigMap")
        proxy.stall()
        connection.requests.apply(config_map(namespace))
        assert not any(
            isinstance(event, ObjectChanged) and event.object.metadata.name == "settings" for event in watched.events
        )
        watched.wait_for("ConfigMap", "settings")
        mirror.stop()


def test_a_cut_stream_is_lost_synced_and_misses_nothing(
    simulated_cluster: SandboxStatus, connection: Connection, namespace: str, tmp_path: Path
) -> None:
    """F2"""
    with through_proxy(simulated_cluster, tmp_path) as (proxy, broken, _):
        watched, mirror = Watched(), quick(broken)
        mirror.start(["ConfigMap"], namespace, watched)
        watched.wait_synced("ConfigMap")
        proxy.begin_outage()
        watched.wait_lost("ConfigMap")
        connection.requests.apply(config_map(namespace))
        proxy.end_outage()
        watched.wait_synced("ConfigMap", times=2)
        watched.wait_for("ConfigMap", "settings")
        mirror.stop()


@pytest.mark.parametrize("fault", [GONE, Answer(410)], ids=["as an event", "as a status"])
def test_gone_is_listed_anew_and_the_vanished_reported(
    simulated_cluster: SandboxStatus,
    connection: Connection,
    namespace: str,
    tmp_path: Path,
    fault: WatchLines | Answer,
) -> None:
    """F3"""
    connection.requests.apply(config_map(namespace))
    with through_proxy(simulated_cluster, tmp_path) as (proxy, broken, _):
        watched, mirror = Watched(), quick(broken)
        mirror.start(["ConfigMap"], namespace, watched)
        watched.wait_synced("ConfigMap")
        proxy.begin_outage()
        watched.wait_lost("ConfigMap")
        connection.requests.delete(config_map(namespace).ref)
        proxy.rules.add(Rule(fault, "GET", "configmaps$", when=lambda call: "resourceVersion" in call.query, times=3))
        proxy.end_outage()
        watched.wait_deleted("ConfigMap", "settings")
        watched.wait_synced("ConfigMap", times=2)
        mirror.stop()


def test_a_server_without_watch_list_is_listed(
    simulated_cluster: SandboxStatus, namespace: str, tmp_path: Path
) -> None:
    with through_proxy(simulated_cluster, tmp_path) as (proxy, connection, _):
        forbidden = Answer(422, {"reason": "Invalid", "message": "sendInitialEvents is forbidden"})
        proxy.rules.add(Rule(forbidden, "GET", when=lambda call: "sendInitialEvents" in call.query, times=100))
        watched, mirror = Watched(), quick(connection)
        mirror.start(["ConfigMap"], namespace, watched)
        watched.wait_synced("ConfigMap")
        connection.requests.apply(config_map(namespace))
        watched.wait_for("ConfigMap", "settings")
        mirror.stop()


def test_a_quiet_stream_is_never_reported_lost(
    simulated_cluster: SandboxStatus, namespace: str, tmp_path: Path
) -> None:
    with through_proxy(simulated_cluster, tmp_path) as (proxy, connection, _):
        watched, mirror = Watched(), quick(connection)
        mirror.start(["ConfigMap"], namespace, watched)
        watched.wait_synced("ConfigMap")
        deadline = time.monotonic() + 15
        while proxy.rules.count(lambda call: call.is_watch) < 4:
            assert time.monotonic() < deadline
            threading.Event().wait(0.1)
        assert not any(isinstance(event, StreamLost) for event in watched.events)
        mirror.stop()
