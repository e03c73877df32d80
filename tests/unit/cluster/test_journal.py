"""What runs recorded of their nodes."""

from __future__ import annotations

import pytest

from bakery_ops.cluster.journal import ApiJournal
from bakery_ops.errors import Locked, OperationFailed
from bakery_ops.model.manifest import ObjectRef
from bakery_ops.rules.plan import JournalEntry
from tests.unit.cluster.scripted import Client, ScriptedServer, status
from tests.unit.cluster.stored import Stored

MAPS = "/api/v1/namespaces/shop/configmaps"
DONE = JournalEntry("h1", "u1", "ready", 1700000000.5)


@pytest.fixture
def stored(server: ScriptedServer) -> Stored:
    return Stored(server, MAPS, "bakery-ops-journal")


@pytest.fixture
def journal(client: Client) -> ApiJournal:
    return ApiJournal(client.transport, client.retrier, "shop")


def test_a_new_journal_is_empty(stored: Stored, journal: ApiJournal) -> None:
    assert journal.read() == {}


def test_entries_come_back_as_they_were_recorded(stored: Stored, journal: ApiJournal) -> None:
    journal.record({"auth-migration": DONE, "configmap/app": DONE})
    journal.record({"auth-migration": DONE._replace(verdict="failed")})
    assert journal.read() == {"auth-migration": DONE._replace(verdict="failed"), "configmap/app": DONE}


def test_a_repeated_record_writes_nothing(stored: Stored, journal: ApiJournal) -> None:
    """I4"""
    journal.record({"a": DONE})
    journal.record({"a": DONE})
    journal.record({})
    assert stored.writes == 1


def test_a_conflict_is_read_again_and_keeps_what_the_other_wrote(stored: Stored, journal: ApiJournal) -> None:
    """F10: a lost answer looks like someone else's write."""
    journal.record({"a": DONE})
    stored.lose = 1
    journal.record({"b": DONE})
    assert set(journal.read()) == {"a", "b"}


def test_one_run_reads_the_journal_once_however_often_it_writes(
    stored: Stored, journal: ApiJournal, server: ScriptedServer
) -> None:
    for name in ("a", "b", "c"):
        journal.record({name: DONE})
    assert [seen.method for seen in server.seen] == ["GET", "POST", "PUT", "PUT"]
    assert set(journal.read()) == {"a", "b", "c"}


def test_a_journal_deleted_between_two_writes_begins_anew(stored: Stored, journal: ApiJournal) -> None:
    journal.record({"a": DONE})
    stored.delete()
    journal.record({"b": DONE})
    assert set(journal.read()) == {"b"}


def test_what_was_listed_a_moment_ago_is_not_read_again(
    stored: Stored, journal: ApiJournal, server: ScriptedServer
) -> None:
    journal.record({"a": DONE})
    before = len(server.seen)
    ref = ObjectRef("", "ConfigMap", "shop", "bakery-ops-journal")
    assert stored.body is not None
    assert journal.read({ref: stored.body}) == {"a": DONE}
    assert journal.read({}) == {}
    assert len(server.seen) == before


def test_an_unreadable_journal_counts_as_empty(stored: Stored, journal: ApiJournal) -> None:
    journal.record({"a": DONE})
    stored.edit(data={"journal.json": "edited by hand"})
    assert journal.read() == {}
    journal.record({"b": DONE})
    assert set(journal.read()) == {"b"}


def test_a_refusal_is_an_error(server: ScriptedServer, journal: ApiJournal) -> None:
    server.expect("GET", f"{MAPS}/bakery-ops-journal", status(403, "Forbidden", "no"))
    with pytest.raises(OperationFailed, match="no"):
        journal.record({"a": DONE})


def test_a_lost_lock_writes_no_journal(stored: Stored, client: Client) -> None:
    def lost() -> None:
        raise Locked("lost")

    client.transport.guard(lost)
    with pytest.raises(Locked):
        ApiJournal(client.transport, client.retrier, "shop").record({"a": DONE})
    assert stored.writes == 0


def test_a_cleared_journal_is_empty_and_clearing_it_again_writes_nothing(stored: Stored, journal: ApiJournal) -> None:
    journal.record({"a": DONE})
    journal.clear()
    journal.clear()
    assert (journal.read(), stored.writes) == ({}, 2)


def test_clearing_a_journal_that_never_was_writes_nothing(stored: Stored, journal: ApiJournal) -> None:
    journal.clear()
    assert stored.writes == 0
