"""Whether the manifests agree with themselves. One module per subject, listed in `RULES`; each yields findings."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from bakery_ops.model.manifest import Manifest
from bakery_ops.rules.consistency import names, quantities, scaling, selection, waits
from bakery_ops.rules.findings import Finding

Rule = Callable[[Sequence[Manifest]], Iterator[Finding]]

RULES: tuple[Rule, ...] = (
    selection.selectors_match,
    selection.services_reach_pods,
    scaling.one_owner_of_replicas,
    scaling.budgets_allow_drains,
    names.names_are_valid,
    names.pods_are_coherent,
    quantities.quantities_make_sense,
    waits.waits_are_declared_once,
    waits.jobs_end,
)


def check(manifests: Sequence[Manifest]) -> Iterator[Finding]:
    for rule in RULES:
        yield from rule(manifests)
