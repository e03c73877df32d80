"""How long a deploy still takes, by the one before it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from bakery_ops.report import schema
from bakery_ops.report.forecast import about, of_past, of_report
from bakery_ops.report.runs import RunFolder
from bakery_ops.rules.rollout.view import RolloutView
from bakery_ops.rules.verdict import Verdict
from tests.reports import deployed
from tests.simulation import CRASH, Behaviour
from tests.unit.report.test_progress import row


@pytest.fixture(scope="module")
def before() -> schema.Deploy:
    """db -> migration -> web -> seed, a second each but the database, which takes twenty."""
    return deployed({"db": Behaviour(start=20.0)}).document


def view(at: float, **started: float | None) -> RolloutView:
    """`started`: when what is on its way was sent; None: not yet. What is not named is ready."""
    names = ("redis", "db", "migration", "web", "seed")
    rows = [row(name, Verdict.READY) if name not in started else row(name, started=started[name]) for name in names]
    return RolloutView(at, 0.0, {each.name: each for each in rows}, (), (), None)


def left(before: schema.Deploy, seen: RolloutView) -> float:
    found = of_report(before)
    assert found is not None
    seconds = found.left(seen)
    assert seconds is not None
    return seconds


def test_at_the_beginning_it_is_what_the_last_one_took(before: schema.Deploy) -> None:
    nothing: dict[str, Any] = dict.fromkeys(("redis", "db", "migration", "web", "seed"))
    assert before.seconds is not None
    assert left(before, view(0.0, **nothing)) == pytest.approx(before.seconds, rel=0.1)


def test_what_has_run_for_a_while_takes_that_much_less(before: schema.Deploy) -> None:
    ahead = {"migration": None, "web": None, "seed": None}
    fresh, older = left(before, view(0.0, db=0.0, **ahead)), left(before, view(10.0, db=0.0, **ahead))
    assert fresh - older == pytest.approx(10.0, rel=0.1)
    late = left(before, view(500.0, db=0.0, **ahead))
    assert 0 < late < older, "what takes longer than last time is never negative"


def test_where_something_fails_nobody_can_say(before: schema.Deploy) -> None:
    seen = view(5.0, web=1.0)
    broken = seen._replace(nodes={**seen.nodes, "web": row("web", Verdict.FAILING)})
    found = of_report(before)
    assert found is not None
    assert found.left(broken) is None


def test_another_platform_tells_nothing(before: schema.Deploy) -> None:
    found = of_report(before)
    assert found is not None
    assert found.left(RolloutView(1.0, 0.0, {"else": row("else")}, (), (), None)) is None


def test_a_run_that_failed_or_changed_nothing_tells_nothing(before: schema.Deploy) -> None:
    assert of_report(deployed({"web": Behaviour(fault=CRASH)}).document) is None
    idle = tuple(msgspec.structs.replace(node, ready_after=None) for node in before.nodes)
    assert of_report(msgspec.structs.replace(before, nodes=idle)) is None


def test_the_newest_run_of_the_same_profile_and_place_is_taken(tmp_path: Path, before: schema.Deploy) -> None:
    assert of_past(tmp_path, "dev", "minikube") is None
    for name, report in (("1", before), ("2", msgspec.structs.replace(before, profile="prod"))):
        with RunFolder(tmp_path, name) as folder:
            folder.keep(report)
    with RunFolder(tmp_path, "3") as folder:
        (folder.path / "summary.json").write_text("{")
    assert of_past(tmp_path, "dev", "minikube") == of_report(before)
    assert of_past(tmp_path, "dev", "elsewhere") is None


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.0, "a few seconds"), (9.9, "a few seconds"), (47.0, "45 s"), (61.0, "1m00s"), (88.0, "1m30s"), (59.0, "1m00s")],
)
def test_a_guess_has_no_more_digits_than_it_deserves(seconds: float, words: str) -> None:
    assert about(seconds) == words
