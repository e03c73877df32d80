"""Releases recorded in the cluster."""

from __future__ import annotations

import json
import random
import string

import pytest

from bakery_ops.cluster.releases import KEPT, ApiReleases
from bakery_ops.errors import OperationFailed, UsageError
from tests.unit.cluster.scripted import Action, Client, Drop, Say, ScriptedServer, Seen, status

MAPS = "/api/v1/namespaces/shop/configmaps"


class Maps:
    """ConfigMaps that can be created, read, listed and deleted."""

    def __init__(self, server: ScriptedServer) -> None:
        self.bodies: dict[str, dict] = {}
        self.lose = False
        self.unlisted: set[str] = set()
        self._server = server
        server.always("POST", MAPS, self._create)
        server.always("GET", MAPS, self._list)
        for number in range(30):
            self._offer(f"bakery-ops-release-{number}")

    def _offer(self, name: str) -> None:
        self._server.always(
            "GET", f"{MAPS}/{name}", lambda seen: Say(200, self.bodies[name]) if name in self.bodies else status(404)
        )
        self._server.always("DELETE", f"{MAPS}/{name}", lambda seen: Say(200, self.bodies.pop(name)))

    def _list(self, seen: Seen) -> Say:
        listed = [body for name, body in self.bodies.items() if name not in self.unlisted]
        return Say(200, {"items": [{"metadata": body["metadata"]} for body in listed]})

    def _create(self, seen: Seen) -> Action:
        body = json.loads(seen.body)
        name = body["metadata"]["name"]
        if name in self.bodies:
            return status(409, "AlreadyExists")
        self.bodies[name] = body
        lost, self.lose = self.lose, False
        return Drop() if lost else Say(201, body)


@pytest.fixture
def maps(server: ScriptedServer) -> Maps:
    return Maps(server)


@pytest.fixture
def releases(client: Client) -> ApiReleases:
    return ApiReleases(client.transport, client.retrier, "shop")


def test_a_release_comes_back_as_it_was(maps: Maps, releases: ApiReleases) -> None:
    assert releases.history() == ()
    text = "kind: ConfigMap\n" * 1000 + "ümlaut"
    assert releases.record(text, {"profile": "dev"}) == 1
    assert releases.read(1) == text
    (only,) = releases.history()
    assert (only.number, only.facts) == (1, {"profile": "dev"})


def test_the_same_release_again_is_no_new_one(maps: Maps, releases: ApiReleases) -> None:
    """I4"""
    assert [releases.record(text, {}) for text in ("a", "a", "b", "a")] == [1, 1, 2, 3]
    assert [release.number for release in releases.history()] == [3, 2, 1]


def test_the_newest_ten_are_kept(maps: Maps, releases: ApiReleases) -> None:
    for number in range(KEPT + 3):
        releases.record(f"text {number}", {})
    assert [release.number for release in releases.history()] == list(range(KEPT + 3, 3, -1))


def test_a_lost_answer_does_not_record_it_twice(maps: Maps, releases: ApiReleases) -> None:
    """F9"""
    maps.lose = True
    assert releases.record("a", {}) == 1
    assert list(maps.bodies) == ["bakery-ops-release-1"]


def test_a_number_taken_by_someone_else_is_passed_over(maps: Maps, releases: ApiReleases) -> None:
    releases.record("a", {})
    maps.bodies["bakery-ops-release-2"] = {"metadata": {"name": "bakery-ops-release-2"}, "binaryData": {"text": "x"}}
    maps.unlisted = {"bakery-ops-release-2"}  # recorded between our list and our write
    assert releases.record("b", {}) == 3


def test_an_unknown_release_lists_those_there_are(maps: Maps, releases: ApiReleases) -> None:
    releases.record("a", {})
    with pytest.raises(UsageError, match="no release 7") as caught:
        releases.read(7)
    assert caught.value.remedy == "Recorded: 1."


def test_a_damaged_release_says_so(maps: Maps, releases: ApiReleases) -> None:
    releases.record("a", {})
    maps.bodies["bakery-ops-release-1"]["binaryData"]["text"] = "AAAA"
    with pytest.raises(OperationFailed, match="damaged"):
        releases.read(1)


def test_a_giant_release_is_refused_before_it_is_sent(server: ScriptedServer, releases: ApiReleases) -> None:
    dice = random.Random(1)
    text = "".join(dice.choices(string.printable, k=1_500_000))
    with pytest.raises(OperationFailed, match="too large"):
        releases.record(text, {})
    assert server.seen == []
