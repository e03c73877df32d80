"""The last lines of a run can be typed as they are."""

from __future__ import annotations

import shlex

import pytest

from bakery_ops.report.hints import Way, hints
from bakery_ops.rules.rollout.events import Outcome

PLAIN = Way("bakery-ia", kubeconfig="/state/kubeconfig")
NAMED = Way("shop", ("--profile", "prod", "--overlay", "/my shop", "--context", "bakery-prod"), "bakery-prod")


def told(way: Way, outcome: Outcome = Outcome.SUCCEEDED, *, is_dry_run: bool = False) -> list[str]:
    return hints(way, outcome, is_dry_run=is_dry_run)


def test_a_command_without_flags_ends_with_one_short_line():
    assert told(PLAIN) == [
        "export KUBECONFIG=/state/kubeconfig",
        "look: kubectl get pods -n bakery-ia   again: invoke verify   state: invoke deploy.status",
    ]


def test_the_flags_that_led_there_are_part_of_every_command():
    look, again, state = told(NAMED)
    assert look == "look: kubectl --context bakery-prod get pods -n shop"
    assert shlex.split(again) == ["again:", "invoke", "verify", *NAMED.flags]
    assert shlex.split(state) == ["state:", "invoke", "deploy.status", *NAMED.flags]


def test_a_dry_run_points_at_nothing_that_it_did_not_do():
    assert told(NAMED, is_dry_run=True) == ["to do it: the same command without --dry-run"]


@pytest.mark.parametrize("outcome", [each for each in Outcome if each is not Outcome.SUCCEEDED])
def test_what_did_not_succeed_is_gone_on_with_and_not_verified(outcome):
    text = " ".join(told(PLAIN, outcome))
    assert "go on: the same command again" in text
    assert ("mended" in text) == (outcome is Outcome.FAILED)
    assert "invoke verify" not in text


def test_after_a_rollback_the_working_copy_is_not_what_is_verified():
    lines = told(NAMED._replace(is_rollback=True))
    assert lines[1:] == ["releases: invoke deploy.history --profile prod --context bakery-prod"]
