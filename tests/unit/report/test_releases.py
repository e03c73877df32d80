"""How the history of releases is told."""

from __future__ import annotations

import json

import pytest

from bakery_ops.model.recorded import Difference
from bakery_ops.report.releases import errand, history_document, live_number, live_release, show_nothing_to_do
from bakery_ops.report.terminal import Terminal
from bakery_ops.rules.history import Row
from bakery_ops.rules.releases import Known, Release

ONE = Release(1, 1_700_000_000.0, {"by": "me@here", "profile": "dev"})
TWO = Release(2, 1_700_000_000.0, {})
ROWS = (Row(TWO, True, 2, Difference((), (), ()), ("web 1 -> 2",)), Row(ONE, False, None))


@pytest.mark.parametrize(
    ("facts", "command"),
    [
        ({}, "invoke deploy --resume"),
        ({"only": "web"}, "invoke deploy brings the rest"),
        ({"rollback": "3"}, "invoke deploy.rollback --to 3"),
        ({"destroyed": "objects"}, "invoke deploy brings it up again"),
    ],
)
def test_what_is_not_recorded_is_told_with_the_command_that_goes_on(facts: dict[str, str], command: str) -> None:
    assert command in errand(Release(0, 0.0, facts))


def test_what_was_destroyed_was_so_at_a_time_and_not_since() -> None:
    told = errand(Release(0, 1_700_000_000.0, {"destroyed": "objects", "by": "me@here"}))
    assert told == "destroyed by me@here, 2023-11-14 22:13:20 UTC; invoke deploy brings it up again"


def test_a_status_says_which_release_is_live() -> None:
    stands = Known((TWO, ONE))
    assert (live_number(stands), live_release(stands)) == (2, "2, 2023-11-14 22:13:20 UTC, by unknown")
    begun = stands._replace(pending=Release(0, 0.0, {}))
    assert live_number(begun) is None
    assert live_release(begun).startswith("not recorded, but a deploy by unknown")
    assert (live_number(Known()), live_release(Known())) == (None, "none recorded")


def test_the_document_has_kind_version_and_every_release() -> None:
    found = history_document(ROWS, None, "shop")
    assert (found["apiVersion"], found["kind"], found["unrecorded"]) == ("bakery-ia.dev/v1", "ReleaseHistory", None)
    assert [(each["number"], each["live"], each["by"]) for each in found["releases"]] == [
        (2, True, None),
        (1, False, "me@here"),
    ]


@pytest.mark.parametrize("output", ["json", "ndjson"])
def test_a_rollback_with_nothing_to_do_says_so_to_programs_in_their_form(output: str, capsys) -> None:
    show_nothing_to_do(Terminal(), TWO, output, 5.0)
    out = capsys.readouterr().out
    told = json.loads(out)
    assert "release 2 is what is live" in told["headline" if output == "ndjson" else "message"]
    assert (out.count("\n") == 1) is (output == "ndjson")


def test_a_rollback_with_nothing_to_do_tells_people_where_to_look(capsys) -> None:
    show_nothing_to_do(Terminal(), TWO, None, 5.0)
    assert "invoke deploy.history" in capsys.readouterr().out
