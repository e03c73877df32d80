"""One hash for one content."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from bakery_ops.model.content import OUR_ANNOTATIONS, content_hash, recorded_hash, stamped
from bakery_ops.model.contract import CONTENT_HASH, FENCE
from bakery_ops.model.manifest import Manifest, ObjectRef


def manifest(**body: Any) -> Manifest:
    whole = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "app"}, **body}
    return Manifest(ObjectRef("", "ConfigMap", "bakery-ia", "app"), "v1", whole, "test")


def test_the_order_of_keys_does_not_matter() -> None:
    assert content_hash(manifest(data={"a": "1", "b": "2"})) == content_hash(manifest(data={"b": "2", "a": "1"}))


def test_the_order_of_lists_does() -> None:
    assert content_hash(manifest(spec={"args": ["a", "b"]})) != content_hash(manifest(spec={"args": ["b", "a"]}))


def test_status_and_the_servers_metadata_are_not_content() -> None:
    noted = {"name": "app", "uid": "x", "resourceVersion": "7", "creationTimestamp": None, "managedFields": []}
    assert content_hash(manifest(metadata=noted, status={"phase": "x"})) == content_hash(manifest())


def test_our_own_annotations_are_not_content_and_others_are() -> None:
    ours = dict.fromkeys(OUR_ANNOTATIONS, "x")
    assert content_hash(manifest(metadata={"name": "app", "annotations": ours})) == content_hash(manifest())
    theirs = {"note": "x"}
    assert content_hash(manifest(metadata={"name": "app", "annotations": theirs})) != content_hash(manifest())


def test_the_source_of_a_manifest_is_not_content() -> None:
    assert content_hash(replace(manifest(), source="elsewhere")) == content_hash(manifest())


def test_stamping_adds_hash_and_fence_and_leaves_the_original_and_the_template_alone() -> None:
    plain = manifest(spec={"template": {"metadata": {"labels": {"app": "x"}}}})
    sent = stamped(plain, "abc", fence=3)
    assert sent.annotations == {CONTENT_HASH: "abc", FENCE: "3"}
    assert plain.annotations == {}
    assert sent.spec == plain.spec
    assert recorded_hash(sent.body) == "abc"
    assert content_hash(sent) == content_hash(plain)


def test_without_a_lease_there_is_no_fence() -> None:
    assert FENCE not in stamped(manifest(), "abc").annotations


def test_the_hash_is_stable_between_releases() -> None:
    """It decides whether a Job runs again: a change of the algorithm reruns every migration and seed."""
    assert content_hash(manifest(data={"ä": "1", "n": 2, "f": 1.5, "b": True, "z": None})) == (
        "fdf222b69d8564e5b7d7b7e730f4316254352f08275416d7f52a579ffda58bcf"
    )
