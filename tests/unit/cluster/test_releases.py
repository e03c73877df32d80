"""Releases recorded in the cluster."""

from __future__ import annotations

import json
import random
import string

import pytest

from bakery_ops.cluster.releases import KEPT, ApiReleases
from bakery_ops.errors import OperationFailed, UsageError
from bakery_ops.model.contract import RELEASE
from bakery_ops.rules.releases import PENDING, Known, Migration
from tests.unit.cluster.scripted import Action, Client, Drop, Say, ScriptedServer, Seen, status

MAPS = "/api/v1/namespaces/shop/configmaps"


MIGRATED = {"auth-migration": Migration("bakery/auth-service:2 migrate", "c0ffee", "0002_kinds")}


class Maps:
    """ConfigMaps that can be created, read, replaced, listed by our label and deleted."""

    def __init__(self, server: ScriptedServer) -> None:
        self.bodies: dict[str, dict] = {}
        self.lose = False
        self.unlisted: set[str] = set()
        self._server = server
        server.always("POST", MAPS, self._create)
        server.always("GET", MAPS, self._list)
        for number in (*range(30), "pending"):
            self._offer(f"bakery-ops-release-{number}")

    def _offer(self, name: str) -> None:
        self._server.always(
            "GET", f"{MAPS}/{name}", lambda seen: Say(200, self.bodies[name]) if name in self.bodies else status(404)
        )
        self._server.always("DELETE", f"{MAPS}/{name}", lambda seen: self._delete(name))
        self._server.always("PUT", f"{MAPS}/{name}", self._replace)

    def _delete(self, name: str) -> Say:
        return Say(200, self.bodies.pop(name)) if name in self.bodies else status(404)

    def _replace(self, seen: Seen) -> Say:
        body = json.loads(seen.body)
        body["metadata"]["resourceVersion"] += "1"
        self.bodies[body["metadata"]["name"]] = body
        return Say(200, body)

    def _list(self, seen: Seen) -> Say:
        label = seen.query["labelSelector"]
        listed = [
            body
            for name, body in self.bodies.items()
            if name not in self.unlisted and label in body["metadata"].get("labels", {})
        ]
        whole = "PartialObjectMetadataList" not in seen.headers["Accept"]
        return Say(200, {"items": [body if whole else {"metadata": body["metadata"]} for body in listed]})

    def _create(self, seen: Seen) -> Action:
        body = json.loads(seen.body)
        name = body["metadata"]["name"]
        if name in self.bodies:
            return status(409, "AlreadyExists")
        self.bodies[name] = {**body, "metadata": {**body["metadata"], "resourceVersion": "1"}}
        lost, self.lose = self.lose, False
        return Drop() if lost else Say(201, body)


@pytest.fixture
def maps(server: ScriptedServer) -> Maps:
    return Maps(server)


@pytest.fixture
def releases(client: Client) -> ApiReleases:
    return ApiReleases(client.transport, client.retrier, "shop")


def numbers(releases: ApiReleases) -> list[int]:
    return [release.number for release in releases.known().releases]


def test_a_release_comes_back_as_it_was(maps: Maps, releases: ApiReleases) -> None:
    assert releases.known() == Known()
    text = "kind: ConfigMap\n" * 1000 + "ümlaut"
    assert releases.record(text, {"profile": "dev"}, MIGRATED) == 1
    found = releases.read(1)
    assert (found.text, found.migrations) == (text, MIGRATED)
    assert (found.release.number, found.release.facts["profile"]) == (1, "dev")
    assert releases.known().releases == (found.release,)
    assert releases.all() == (found,)


def test_the_same_release_again_is_no_new_one(maps: Maps, releases: ApiReleases) -> None:
    """I4"""
    assert [releases.record(text, {}, {}) for text in ("a", "a", "b", "a")] == [1, 1, 2, 3]
    assert numbers(releases) == [3, 2, 1]


def test_the_same_text_on_databases_that_have_moved_on_is_a_new_one(maps: Maps, releases: ApiReleases) -> None:
    assert [releases.record("a", {}, {}), releases.record("a", {}, MIGRATED)] == [1, 2]


def test_the_newest_ten_are_kept(maps: Maps, releases: ApiReleases) -> None:
    for number in range(KEPT + 3):
        releases.record(f"text {number}", {}, {})
    assert numbers(releases) == list(range(KEPT + 3, 3, -1))


def test_a_lost_answer_does_not_record_it_twice(maps: Maps, releases: ApiReleases) -> None:
    """F9"""
    maps.lose = True
    assert releases.record("a", {}, {}) == 1
    assert list(maps.bodies) == ["bakery-ops-release-1"]


def test_a_number_taken_by_someone_else_is_passed_over(maps: Maps, releases: ApiReleases) -> None:
    releases.record("a", {}, {})
    maps.bodies["bakery-ops-release-2"] = {"metadata": {"name": "bakery-ops-release-2"}, "binaryData": {"text": "x"}}
    maps.unlisted = {"bakery-ops-release-2"}  # recorded between our list and our write
    assert releases.record("b", {}, {}) == 3


def test_an_unknown_release_lists_those_there_are(maps: Maps, releases: ApiReleases) -> None:
    releases.record("a", {}, {})
    with pytest.raises(UsageError, match="no release 7") as caught:
        releases.read(7)
    assert caught.value.remedy == "Recorded: 1."


@pytest.mark.parametrize("text", ["AAAA", "not base64!", "eJxLBAAAYgBi", None], ids=str)
def test_a_damaged_release_says_so_and_does_not_hide_the_others(
    maps: Maps, releases: ApiReleases, text: str | None
) -> None:
    """The third is a whole text ("a"), only not the one that was recorded."""
    releases.record("whole", {}, {})
    releases.record("broken", {}, {})
    maps.bodies["bakery-ops-release-2"]["binaryData"]["text"] = text
    with pytest.raises(OperationFailed, match="Release 2 in shop is damaged"):
        releases.read(2)
    assert [found.text for found in releases.all()] == ["", "whole"]


def test_what_is_not_readable_about_migrations_is_unknown(maps: Maps, releases: ApiReleases) -> None:
    releases.record("a", {}, MIGRATED)
    maps.bodies["bakery-ops-release-1"]["data"]["migrations"] = "{"
    assert releases.read(1).migrations == {}


def test_a_giant_release_is_refused_before_it_is_sent(server: ScriptedServer, releases: ApiReleases) -> None:
    dice = random.Random(1)
    text = "".join(dice.choices(string.printable, k=1_500_000))
    for keep in (lambda: releases.record(text, {}, {}), lambda: releases.begin(text, {})):
        with pytest.raises(OperationFailed, match="too large"):
            keep()
    assert server.seen == []


def test_what_is_begun_is_pending_until_it_is_finished(maps: Maps, releases: ApiReleases) -> None:
    assert releases.pending() is None
    releases.begin("a", {"by": "me"})
    begun = releases.pending()
    assert begun is not None
    assert (begun.text, begun.release.facts["by"]) == ("a", "me")
    assert releases.known() == Known((), begun.release)
    releases.finish()
    releases.finish()
    assert releases.pending() is None


def test_begun_again_it_is_written_only_when_it_is_another_errand(maps: Maps, releases: ApiReleases) -> None:
    """I4: a rerun goes on with what the dead run began."""
    releases.begin("a", {"by": "the first"})
    releases.begin("a", {"by": "the second"})
    assert maps.bodies[PENDING]["metadata"]["resourceVersion"] == "1"
    releases.begin("a", {"by": "the third", "rollback": "1"})
    begun = releases.pending()
    assert begun is not None
    assert begun.release.rollback_to == 1


@pytest.mark.usefixtures("maps")
def test_a_destroy_of_data_is_another_errand_than_one_that_kept_it(releases: ApiReleases) -> None:
    for taken in ("objects", "data"):
        releases.begin("", {"destroyed": taken})
        begun = releases.pending()
        assert begun is not None
        assert begun.release.facts["destroyed"] == taken


def test_whoever_lists_config_maps_without_releases_sees_the_pending_one(maps: Maps, releases: ApiReleases) -> None:
    """A deploy leaves the large texts out of its look, and must still notice that something was begun."""
    releases.begin("a", {})
    releases.record("a", {}, {})
    labelled = [name for name, body in maps.bodies.items() if RELEASE in body["metadata"]["labels"]]
    assert labelled == ["bakery-ops-release-1"]
