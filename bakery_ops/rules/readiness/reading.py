"""What a kind's rule answers, before it becomes a Judgement."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from bakery_ops.rules.readiness.look import Look, Symptom, Weighed
from bakery_ops.rules.verdict import Verdict


@dataclass(frozen=True, slots=True)
class Reading:
    """A verdict with its reasons. `counters` grow as the node gets further; they start anew with `revision`."""

    verdict: Verdict
    message: str = ""
    evidence: tuple[Weighed, ...] = ()
    waiting_for: tuple[str, ...] = ()
    held: bool = False
    warnings: tuple[str, ...] = ()
    revision: str = ""
    counters: tuple[int, ...] = ()
    restarts: Mapping[tuple[str, str], int] = field(default_factory=dict)


def ready(message: str = "ready", *, warnings: tuple[str, ...] = ()) -> Reading:
    return Reading(Verdict.READY, message, warnings=warnings)


def progressing(message: str, *, warnings: tuple[str, ...] = (), counters: tuple[int, ...] = ()) -> Reading:
    return Reading(Verdict.PROGRESSING, message, warnings=warnings, counters=counters)


def held(message: str) -> Reading:
    """Kept from going on by the user's own word: paused, suspended."""
    return Reading(Verdict.BLOCKED, message, held=True)


def against(look: Look, symptoms: Iterable[Symptom], otherwise: Reading) -> Reading:
    """The reading when every piece of evidence speaks for the whole object: Failed if one is, else Failing."""
    weighed = tuple(look.weigh(symptom) for symptom in symptoms)
    return accused(weighed, otherwise) if weighed else otherwise


def accused(weighed: tuple[Weighed, ...], otherwise: Reading) -> Reading:
    verdict = Verdict.FAILED if any(one.failed for one in weighed) else Verdict.FAILING
    ordered = worst_first(weighed)
    return Reading(
        verdict,
        ordered[0].evidence.message,
        ordered,
        otherwise.waiting_for,
        warnings=otherwise.warnings,
        revision=otherwise.revision,
        counters=otherwise.counters,
        restarts=otherwise.restarts,
    )


def worst_first(weighed: Iterable[Weighed]) -> tuple[Weighed, ...]:
    """Failed before failing, then what fails soonest; the rest of the key only makes the order one."""
    return tuple(sorted(weighed, key=_badness))


def _badness(weighed: Weighed) -> tuple[bool, float, float, str, str, str]:
    evidence = weighed.evidence
    return (
        not weighed.failed,
        evidence.fails_at,
        evidence.since,
        evidence.subject,
        evidence.container,
        weighed.row.id,
    )
