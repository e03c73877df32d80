"""How a deploy, a verification and a destroy ended, as values: what workflows return and reports draw."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import NamedTuple

from bakery_ops.model.manifest import ObjectRef
from bakery_ops.rules import acceptance
from bakery_ops.rules.acceptance import CheckResult
from bakery_ops.rules.next_step import Address
from bakery_ops.rules.plan import Plan
from bakery_ops.rules.rollout.events import Outcome
from bakery_ops.rules.rollout.result import RolloutResult


@dataclass(frozen=True, slots=True)
class VerifyReport:
    """`seconds`: how long the checks took, in the API server's time."""

    results: tuple[CheckResult, ...]
    seconds: float

    @property
    def passed(self) -> bool:
        return acceptance.passed(self.results)


@dataclass(frozen=True, slots=True)
class DeployReport:
    """`rollout` and `verified` are None where the deploy stopped before them.

    `requests`: all that were sent, by kind ("get", "list", "watch", "apply", "dry-run", "lease", "proxy", …).
    """

    plan: Plan
    rollout: RolloutResult | None = None
    verified: VerifyReport | None = None
    requests: Mapping[str, int] = field(default_factory=dict)

    @property
    def outcome(self) -> Outcome:
        """The rollout's, unless it succeeded and the verification found failures."""
        if self.rollout is not None and self.rollout.outcome is not Outcome.SUCCEEDED:
            return self.rollout.outcome
        return Outcome.SUCCEEDED if self.verified is None or self.verified.passed else Outcome.FAILED


class Fate(Enum):
    """What became of one object in a destroy."""

    REMOVED = "removed"
    GONE = "was gone before"
    KEPT = "kept"
    HANGING = "still there"
    REFUSED = "refused"
    SKIPPED = "not tried"
    UNKNOWN = "unknown"


class Removed(NamedTuple):
    """One object and what became of it; `why` is "" where the fate says it all."""

    ref: ObjectRef
    fate: Fate
    why: str = ""


@dataclass(frozen=True, slots=True)
class RemovalReport:
    """How a destroy ended. `notes`: what the user should know besides."""

    outcome: Outcome
    rows: tuple[Removed, ...] = ()
    notes: tuple[str, ...] = ()

    def of(self, *fates: Fate) -> tuple[Removed, ...]:
        return tuple(row for row in self.rows if row.fate in fates)


class RemovalRun(NamedTuple):
    """Which destroy a report is of."""

    id: str
    profile: str
    namespace: str
    context: str


@dataclass(frozen=True, slots=True)
class Run:
    """Which run a report is of, and what only the one who ran it knows.

    Attributes:
        seconds: From the command's first breath to its report, preflight and verification included.
        lag: 95 of 100 changes arrived by watch within that many seconds of the server's answer; None: nothing measured.
    """

    id: str
    profile: str
    overlay: str
    address: Address
    seconds: float
    lag: float | None = None
