"""The summary on a terminal tells what went wrong, and does not list what had no time to go right."""

from __future__ import annotations

import msgspec
import pytest

from bakery_ops.report import schema, summary
from bakery_ops.report.terminal import Terminal
from tests.reports import hostile

CAUSE = hostile("x").causes[0]


def late(name: str) -> schema.Cause:
    return msgspec.structs.replace(
        CAUSE,
        sentence=f"{name} is not ready yet: 0/1 done",
        node=name,
        state="is not ready yet",
        next=f"look at {name}",
    )


BROKEN = msgspec.structs.replace(CAUSE, sentence="db is down: it broke", node="db", state="is down", next="look at db")


def shown(capsys, outcome: str, *causes: schema.Cause) -> str:
    report = msgspec.structs.replace(hostile("x"), outcome=outcome, causes=causes)
    summary.show(Terminal({}), report)
    return capsys.readouterr().out


@pytest.mark.parametrize("many", [1, 18])
def test_an_interrupted_deploy_names_what_was_on_its_way_in_one_line(capsys, many):
    told = shown(capsys, "interrupted", BROKEN, *(late(f"m{number}") for number in range(many)))
    assert told.startswith("db is down: it broke\n"), "a failure is told all the same"
    named = {1: "m0", 18: "m0, m1, m2 and 15 more"}[many]
    assert f"\nnot ready yet: {named}\n" in told
    assert "look at m0" not in told


def test_when_time_ran_out_three_are_told_and_the_rest_is_counted(capsys):
    told = shown(capsys, "timed out", *(late(f"m{number}") for number in range(9)))
    assert "  next: look at m2\n" in told
    assert "look at m3" not in told
    assert "\nalso not ready yet: m3, m4, m5 and 3 more\n" in told


def test_causes_are_never_summed_up(capsys):
    broken = [msgspec.structs.replace(BROKEN, next=f"look at {number}") for number in range(9)]
    told = shown(capsys, "failed", *broken)
    assert ("look at 8" in told, "not ready yet" in told) == (True, False)
