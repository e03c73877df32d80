"""What a history says of each release."""

from __future__ import annotations

import pytest

from bakery_ops.model.manifest import Manifest
from bakery_ops.model.recorded import recorded
from bakery_ops.rules.history import images, rows
from bakery_ops.rules.releases import Contents, Known, Release
from tests.rollouts import node


def workload(name: str, *containers: str) -> Manifest:
    spec = {"template": {"spec": {"containers": [{"name": f"c{image}", "image": image} for image in containers]}}}
    return node(name, spec=spec).manifest


def contents(number: int, *manifests: Manifest, **facts: str) -> Contents:
    return Contents(Release(number, 1_700_000_000.0, facts), recorded(manifests), {})


ONE = contents(1, workload("web", "web:1"), by="me@here", profile="dev")
TWO = contents(2, workload("web", "web:2"), workload("new", "new:1"))


def test_each_release_is_told_by_what_it_changed() -> None:
    second, first = rows((TWO, ONE), Known((TWO.release, ONE.release)))
    assert (second.is_live, first.is_live) == (True, False)
    assert second.changes is not None
    assert second.changes.lines() == ["added: deployment/new", "changed: deployment/web"]
    assert second.images == ("new 1 added", "web 1 -> 2")
    assert (first.objects, first.changes) == (1, None)


def test_nothing_recorded_yet_is_no_row() -> None:
    assert rows((), Known((), Release(0, 0.0, {}))) == ()


def test_nothing_is_live_once_something_was_begun() -> None:
    pending = Release(0, 0.0, {})
    found = rows((TWO, ONE), Known((TWO.release, ONE.release), pending))
    assert [(row.release.number, row.is_live) for row in found] == [(2, False), (1, False)]


def test_a_damaged_release_is_shown_as_damaged_and_the_others_as_they_are() -> None:
    three = contents(3, workload("web", "web:3"))
    damaged = TWO._replace(text="")
    found = rows((three, damaged, ONE), Known((three.release, damaged.release, ONE.release)))
    assert [(row.objects, row.changes) for row in found] == [(1, None), (None, None), (1, None)]


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        ("web:1", "web:1", ()),
        ("registry:5000/web", "registry:5000/web:2", ("registry:5000/web latest -> 2",)),
        ("web@sha256:aa", "web@sha256:bb", ("web sha256:aa -> sha256:bb",)),
        ("web:1", "site:1", ("site 1 added", "web 1 removed")),
    ],
)
def test_images_are_compared_by_repository(before: str, after: str, told: tuple[str, ...]) -> None:
    assert images([workload("web", before)], [workload("web", after)]) == told
