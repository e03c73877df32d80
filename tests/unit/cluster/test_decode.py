"""Bytes to partial structs."""

from __future__ import annotations

import json

import msgspec
import pytest

from bakery_ops.cluster.decode import Codec, bookmark, live_object, status, watch_event
from bakery_ops.model.live import Deployment, Generic, Pod
from tests.unit.cluster.scripted import item


def encoded(*items: object, **metadata: object) -> bytes:
    return json.dumps({"kind": "PodList", "metadata": metadata, "items": list(items)}).encode()


def test_a_page_has_items_version_and_token() -> None:
    page = Codec("v1", "Pod").page(encoded(item("a"), **{"resourceVersion": "7", "continue": "t"}))
    assert [(type(pod), pod.kind, pod.api_version, pod.metadata.name) for pod in page.items] == [
        (Pod, "Pod", "v1", "a")
    ]
    assert (page.resource_version, page.token) == ("7", "t")


def test_a_page_without_items_is_empty() -> None:
    assert Codec("v1", "Pod").page(b'{"metadata":{},"items":null}').items == ()


def test_one_odd_object_does_not_spoil_the_page() -> None:
    odd = item("odd", spec={"containers": 5}, status={"phase": "Running"})
    first, second = Codec("v1", "Pod").page(encoded(item("a"), odd)).items
    assert isinstance(first, Pod)
    assert isinstance(second, Generic)
    assert (second.kind, second.metadata.name, second.status) == ("Pod", "odd", {"phase": "Running"})


def test_an_unknown_kind_is_generic() -> None:
    codec = Codec("bakery.example/v1", "Oven")
    oven = codec.object(json.dumps(item("o", status={"hot": True})).encode())
    assert isinstance(oven, Generic)
    assert (oven.kind, oven.api_version, oven.status) == ("Oven", "bakery.example/v1", {"hot": True})


def test_metadata_only_objects_get_back_their_kind() -> None:
    raw = json.dumps({"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", **item("s")}).encode()
    secret = Codec("v1", "Secret").object(raw)
    assert (secret.kind, secret.api_version) == ("Secret", "v1")


def test_watch_lines_are_taken_apart() -> None:
    event = watch_event(b'{"type":"ERROR","object":{"code":410,"reason":"Expired","message":"old"}}')
    assert (event.type, status(event.object).code) == ("ERROR", 410)
    event = watch_event(
        b'{"type":"BOOKMARK","object":{"metadata":{"resourceVersion":"9","annotations":{"k8s.io/initial-events-end":"true"}}}}'
    )
    assert bookmark(event.object) == ("9", True)


@pytest.mark.parametrize("line", [b"<html>", b"{}", b'{"type": 5}'])
def test_what_is_no_watch_line_is_an_error(line: bytes) -> None:
    with pytest.raises(msgspec.DecodeError):
        watch_event(line)


def test_an_answers_body_becomes_its_struct() -> None:
    body = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        **item("d", metadata={"generation": 3}),
        "spec": {"replicas": 2},
    }
    deployment = live_object(body)
    assert isinstance(deployment, Deployment)
    assert (deployment.metadata.generation, deployment.spec.replicas) == (3, 2)
    assert isinstance(live_object(body | {"spec": 5}), Generic)
