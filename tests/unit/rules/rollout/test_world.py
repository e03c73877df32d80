"""The index of live objects: right whatever the order of arrival."""

from __future__ import annotations

import itertools
import random
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from bakery_ops.model.live import LiveObject, ref_of
from bakery_ops.model.times import format_time
from bakery_ops.rules.rollout.world import World, event_time
from bakery_ops.workflows.rollout_requests import live_object
from tests.rollouts import START, runs

_versions = itertools.count(1)


def live(kind: str, name: str, uid: str, owner: str = "", version: int | None = None, **more: Any) -> LiveObject:
    groups = {
        "Deployment": "apps/v1",
        "ReplicaSet": "apps/v1",
        "Job": "batch/v1",
        "EndpointSlice": "discovery.k8s.io/v1",
    }
    metadata = {
        "name": name,
        "namespace": "n",
        "uid": uid,
        "resourceVersion": str(version or next(_versions)),
        **more.pop("metadata", {}),
    }
    if owner:
        metadata["ownerReferences"] = [{"uid": owner, "kind": "x", "name": "x"}]
    return live_object({"apiVersion": groups.get(kind, "v1"), "kind": kind, "metadata": metadata, **more})


def family() -> list[LiveObject]:
    return [
        live("Deployment", "web", "d"),
        live("ReplicaSet", "web-1", "r1", "d"),
        live("ReplicaSet", "web-2", "r2", "d"),
        live("Pod", "web-1-a", "p1", "r1"),
        live("Pod", "web-2-a", "p2", "r2"),
        live("Pod", "stranger", "p3", "elsewhere"),
    ]


@runs(100)
@given(st.integers(0, 2**32))
def test_children_are_found_whatever_came_first(seed: int) -> None:
    objects = family()
    random.Random(seed).shuffle(objects)
    world = World()
    for item in objects:
        world.put(item)
    deployment = world.by_uid("d")
    assert deployment is not None
    assert {child.metadata.uid for child in world.children(deployment)} == {"r1", "r2", "p1", "p2"}
    pod = world.by_uid("p1")
    assert pod is not None
    assert [owner.metadata.uid for owner in world.owners(pod)] == ["r1", "d"]


def test_an_older_state_never_replaces_a_newer_one() -> None:
    """The answer to our own write may come before or after the watch shows it."""
    world = World()
    assert world.put(live("Pod", "a", "u", version=7))
    assert not world.put(live("Pod", "a", "u", version=6))
    assert not world.put(live("Pod", "a", "u", version=7))
    assert world.put(live("Pod", "a", "u", version=8))


def test_a_name_means_its_youngest_object() -> None:
    """A late event of a replaced Job must not hide the new Job."""
    world = World()
    new = live("Job", "seed", "new", metadata={"creationTimestamp": format_time(START + 60)})
    old = live("Job", "seed", "old", metadata={"creationTimestamp": format_time(START)})
    world.put(new)
    world.put(old)
    assert world.of(ref_of(new)) is new
    world.remove("old")
    assert world.of(ref_of(new)) is new


def test_what_is_removed_leaves_no_trace() -> None:
    world = World()
    for item in family():
        world.put(item)
    world.remove("p1")
    world.remove("r2")
    deployment = world.by_uid("d")
    assert deployment is not None
    assert {child.metadata.uid for child in world.children(deployment)} == {"r1"}
    assert world.remove("p1") is None


def test_a_uid_that_is_gone_for_good_never_comes_back() -> None:
    world = World()
    world.put(live("Pod", "a", "u"))
    world.remove("u", for_good=True)
    assert world.is_gone("u")
    assert not world.put(live("Pod", "a", "u"))
    assert world.put(live("Pod", "a", "another"))


def test_an_orphan_that_is_adopted_later_is_a_child_from_then_on() -> None:
    world = World()
    deployment = live("Deployment", "web", "d")
    world.put(deployment)
    world.put(live("ReplicaSet", "web-1", "r"))
    world.put(live("Pod", "web-1-a", "p", "r"))
    assert world.children(deployment) == []
    world.put(live("ReplicaSet", "web-1", "r", "d"))
    assert {child.metadata.uid for child in world.children(deployment)} == {"r", "p"}
    world.put(live("ReplicaSet", "web-1", "r", "elsewhere"))
    assert world.children(deployment) == []


def test_a_slice_that_changes_its_label_belongs_to_the_other_service_and_can_be_removed() -> None:
    world = World()
    for service in ("web", "other"):
        world.put(live("EndpointSlice", "x1", "e", metadata={"labels": {"kubernetes.io/service-name": service}}))
    assert world.slices("n", "web") == []
    assert [item.metadata.uid for item in world.slices("n", "other")] == ["e"]
    world.remove("e")
    assert world.slices("n", "other") == []


def test_claims_of_a_stateful_set_are_found_by_name() -> None:
    world = World()
    owner = live("StatefulSet", "auth-db", "s")
    world.put(owner)
    world.put(live("PersistentVolumeClaim", "data-auth-db-0", "c0"))
    world.put(live("PersistentVolumeClaim", "data-auth-db-11", "c11"))
    world.put(live("PersistentVolumeClaim", "data-auth-db2-0", "other"))
    world.put(live("PersistentVolumeClaim", "wal-auth-db-0", "wal"))
    assert {child.metadata.uid for child in world.children(owner, ("data",))} == {"c0", "c11"}


def test_slices_belong_to_the_service_their_label_names() -> None:
    world = World()
    label = {"labels": {"kubernetes.io/service-name": "web"}}
    world.put(live("EndpointSlice", "web-x1", "e1", metadata=label))
    world.put(live("EndpointSlice", "other-x1", "e2", metadata={"labels": {"kubernetes.io/service-name": "other"}}))
    assert [item.metadata.uid for item in world.slices("n", "web")] == ["e1"]
    world.remove("e1")
    assert world.slices("n", "web") == []


def test_events_are_found_by_uid_and_not_before_their_time() -> None:
    world = World()
    pod = live("Pod", "a", "u")
    world.put(pod)
    for index, at in enumerate((START - 5, START + 0.0, START + 9)):
        about = {"involvedObject": {"uid": "u"}, "reason": f"R{index}", "lastTimestamp": format_time(at)}
        world.put(live("Event", f"e{index}", f"ev{index}", **about))
    world.put(live("Event", "x", "evx", involvedObject={"uid": "other"}, lastTimestamp=format_time(START + 9)))
    assert [event.reason for event in world.events([pod], START + 0.7)] == ["R1", "R2"], "event times are whole seconds"


def test_an_events_time_is_its_last_occurrence_in_either_api() -> None:
    old = live("Event", "e", "e1", firstTimestamp=format_time(START), lastTimestamp=format_time(START + 3))
    series = {"count": 2, "lastObservedTime": "2023-11-14T22:13:25.500000Z"}
    new = live("Event", "e", "e2", eventTime="2023-11-14T22:13:20.000000Z", series=series)
    bare = live("Event", "e", "e3", metadata={"creationTimestamp": format_time(START)})
    assert [event_time(item) for item in (old, new, bare)] == [START + 3, START + 5.5, START]  # type: ignore[arg-type]


def test_what_a_first_full_list_does_not_confirm_is_known_as_gone() -> None:
    world = World()
    world.put(live("Pod", "a", "u1", version=5), from_snapshot=True)
    world.put(live("Pod", "b", "u2", version=6), from_snapshot=True)
    world.put(live("Pod", "a", "u1", version=5))
    assert world.unconfirmed("Pod") == {"u2"}
    assert world.unconfirmed("Pod") == frozenset()
