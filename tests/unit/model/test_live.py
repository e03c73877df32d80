"""The structs read what a real API server writes, nulls included, and a thousand pods are cheap."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import msgspec

from bakery_ops.model import live
from bakery_ops.model.manifest import ObjectRef
from tests.unit.model.samples import POD


def test_pod_keeps_the_fields_the_rules_read() -> None:
    pod = msgspec.json.decode(json.dumps(POD), type=live.Pod)
    status = pod.status.container_statuses[0]
    assert pod.metadata.owner_references[0].kind == "ReplicaSet"
    assert status.state.waiting is not None
    assert status.state.waiting.reason == "CrashLoopBackOff"
    assert status.last_state.terminated is not None
    assert status.last_state.terminated.exit_code == 1
    assert pod.spec.containers[0].readiness_probe == live.Probe(
        period_seconds=5, failure_threshold=3, timeout_seconds=2
    )


def test_no_field_is_decoded_that_nobody_reads() -> None:
    package = Path(live.__file__).parents[2]
    texts = [path.read_text() for path in package.rglob("*.py") if path.parent != Path(live.__file__).parent]
    read = set(re.findall(r"\.(\w+)", "".join(texts)))
    structs = [getattr(live, name) for name in live.__all__ if isinstance(getattr(live, name), type)]
    fields = {name for struct in structs for name in getattr(struct, "__struct_fields__", ())}
    assert len(fields) > 80
    assert fields - read == set()


def test_nulls_that_go_writes_are_accepted() -> None:
    event = '{"kind":"Event","firstTimestamp":null,"lastTimestamp":null,"eventTime":null,"series":null,"count":null}'
    assert msgspec.json.decode(event, type=live.Event).first_timestamp is None
    slices = '{"kind":"EndpointSlice","endpoints":null,"ports":null}'
    assert msgspec.json.decode(slices, type=live.EndpointSlice).endpoints is None
    scaler = '{"kind":"HorizontalPodAutoscaler","status":{"currentMetrics":null,"conditions":null,"desiredReplicas":0}}'
    assert msgspec.json.decode(scaler, type=live.HorizontalPodAutoscaler).status.conditions is None
    ended = '{"exitCode":1,"startedAt":null,"finishedAt":null}'
    assert msgspec.json.decode(ended, type=live.Terminated).finished_at is None


def test_kind_without_a_struct_is_generic() -> None:
    widget = '{"apiVersion":"example.com/v1","kind":"Widget","metadata":{"name":"a"},"status":{"phase":"ok"}}'
    decoded = msgspec.json.decode(widget, type=live.struct_for("example.com/v1", "Widget"))
    assert isinstance(decoded, live.Generic)
    assert decoded.status == {"phase": "ok"}


def test_foreign_kind_that_shares_a_name_is_generic() -> None:
    assert live.struct_for("serving.knative.dev/v1", "Service") is live.Generic
    assert live.struct_for("v1", "Service") is live.Service
    assert live.STRUCTS["Service"] is live.Service


def test_ref_names_group_kind_namespace_and_name() -> None:
    deployment = live.Deployment("apps/v1", "Deployment", live.Metadata(name="a", namespace="n"))
    assert live.ref_of(deployment) == ObjectRef("apps", "Deployment", "n", "a")
    assert live.ref_of(live.Pod("v1", "Pod", live.Metadata(name="a"))) == ObjectRef("", "Pod", "", "a")


def test_secret_never_shows_its_values() -> None:
    secret = live.Secret("v1", "Secret", live.Metadata(name="s", namespace="n"), data={"password": "aHVudGVyMg=="})
    assert "aHVudGVyMg" not in f"{secret} {secret!r} {[secret]!r}"


ROOT = Path(__file__).resolve().parents[3]
FIRST_USE_BY_MANY_THREADS = """
import sys, threading
sys.setswitchinterval(1e-6)
import msgspec
from bakery_ops.model.live import STRUCTS, Generic
gate = threading.Barrier(12)
def use():
    gate.wait()
    for struct in (*STRUCTS.values(), Generic):
        msgspec.convert({"metadata": {"name": "x"}}, struct)
threads = [threading.Thread(target=use) for _ in range(12)]
for thread in threads: thread.start()
for thread in threads: thread.join()
"""


def test_threads_that_are_the_first_to_decode_a_kind_do_not_crash_the_interpreter():
    """Three processes, because the crash is a race: unprepared, five of six died of a segmentation fault."""
    for _ in range(3):
        assert subprocess.run([sys.executable, "-c", FIRST_USE_BY_MANY_THREADS], cwd=ROOT, check=False).returncode == 0
