"""What the offline rules say: one value per mistake, with a stable id, so that it can be looked up and excepted."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from enum import Enum
from typing import NamedTuple

from bakery_ops.model.manifest import Manifest


class Severity(Enum):
    """How a finding ends a check. USAGE: the manifests contradict themselves. PREFLIGHT: they are not acceptable."""

    USAGE = "error"
    REFUSED = "refused"
    PREFLIGHT = "preflight"
    WARNING = "warning"

    @property
    def blocks(self) -> bool:
        return self is not Severity.WARNING


class Finding(NamedTuple):
    """One mistake.

    Attributes:
        rule: Stable id, "service-selects-nothing"; rows of docs/faults.md stand in docs/checks.md beside it.
        subject: "deployment/web".
        source: Where it is written: "k8s/base/redis.yaml:12".
        message: What is wrong, one sentence without a full stop; never a secret value.
        remedy: What to do about it.
    """

    rule: str
    severity: Severity
    subject: str
    source: str
    message: str
    remedy: str = ""

    def __str__(self) -> str:
        return f"{self.severity.value}: {self.subject} ({self.source}): {self.message} [{self.rule}]"


def finding(rule: str, severity: Severity, manifest: Manifest, message: str, remedy: str = "") -> Finding:
    """A finding about `manifest`."""
    return Finding(rule, severity, str(manifest.ref), manifest.source, message, remedy)


def ordered(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """What blocks first, then by rule and object; each once."""
    rank = {severity: position for position, severity in enumerate(Severity)}
    return tuple(sorted(set(findings), key=lambda each: (rank[each.severity], each.rule, each.subject, each.message)))


def blocking(findings: Sequence[Finding]) -> tuple[Finding, ...]:
    return tuple(each for each in findings if each.severity.blocks)
