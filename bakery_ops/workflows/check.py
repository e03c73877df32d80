"""`check`: everything that can be judged of a render without a cluster, in one report."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from bakery_ops.errors import BakeryError, PreflightRefused, TargetRefused, UsageError
from bakery_ops.model.builder import build
from bakery_ops.model.manifest import Manifest
from bakery_ops.model.words import amount
from bakery_ops.rules import consistency, references, schema, security
from bakery_ops.rules.findings import Finding, Severity, blocking, ordered
from bakery_ops.rules.schema import Schemas


class CheckReport(NamedTuple):
    """What was judged and what was found, worst first; `notes` are remarks that need no action."""

    objects: int
    findings: tuple[Finding, ...]
    notes: tuple[str, ...]

    @property
    def passed(self) -> bool:
        return not blocking(self.findings)


def check(manifests: Sequence[Manifest], *, namespace: str, strict: bool) -> CheckReport:
    """Judge a render by every offline rule.

    Args:
        namespace: Where the profile deploys to.
        strict: Judge as production is judged (protected profiles).
    """
    graph, problems, notes = build(manifests)
    found = [
        *(Finding("dependencies", Severity.USAGE, "graph", "render", problem) for problem in problems),
        *schema.check(manifests, schemas()),
        *references.check(manifests),
        *consistency.check(manifests),
        *security.check(manifests, namespace=namespace, strict=strict),
    ]
    return CheckReport(len(graph), ordered(found), notes)


def require(report: CheckReport) -> None:
    """Raise what blocks a deploy: UsageError, TargetRefused or PreflightRefused, with every blocking finding."""
    found = blocking(report.findings)
    if not found:
        return
    worst: type[BakeryError] = {
        Severity.USAGE: UsageError,
        Severity.REFUSED: TargetRefused,
        Severity.PREFLIGHT: PreflightRefused,
    }[found[0].severity]
    remedy = found[0].remedy or "invoke check shows all findings"
    raise worst(
        f"the manifests may not be deployed: {amount(len(found), 'finding')}", details=_lines(found), remedy=remedy
    )


def rows(report: CheckReport) -> tuple[tuple[str, ...], ...]:
    """Rows of the table of findings."""
    return tuple(
        (each.severity.value, each.rule, each.subject, each.source, each.message, each.remedy)
        for each in report.findings
    )


HEADINGS = ("severity", "rule", "object", "where", "found", "remedy")


def _lines(found: Sequence[Finding]) -> list[str]:
    shown = [str(each) for each in found[:50]]
    return shown + ([f"and {len(found) - 50} more"] if len(found) > 50 else [])


@lru_cache(maxsize=1)
def schemas() -> Schemas:
    """The schemas of the newest Kubernetes version that the installed schema package knows."""
    # The package's data is all we want of it: importing it would cost a tenth of a second.
    found = find_spec("kubernetes_validate")
    if found is None or found.origin is None:
        raise UsageError("the package kubernetes-validate is not installed", remedy="run ./invoke, which installs it")
    home = Path(found.origin).parent / "kubernetes-json-schema"
    version = max(_versions(entry.name for entry in home.iterdir()))
    text = ".".join(map(str, version))
    document: Mapping[str, Any] = msgspec.json.decode((home / f"v{text}-local" / "_definitions.json").read_bytes())
    return Schemas(document["$defs"], f"{version[0]}.{version[1]}")


def _versions(names: Iterator[str]) -> Iterator[tuple[int, ...]]:
    for name in names:
        if name.startswith("v") and name.endswith("-local"):
            yield tuple(int(part) for part in name[1:].removesuffix("-local").split("."))
