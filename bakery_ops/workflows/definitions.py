"""Custom resources whose definition the same deploy writes: tried before anything else is written.

Only the server knows what a definition allows, and only once it has it (docs/decisions/0008). So when all that could be
tried was accepted, the definitions are written first, and what they define is tried with a dry run.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from bakery_ops.errors import PreflightRefused
from bakery_ops.model.content import stamped
from bakery_ops.model.graph import Graph, Node
from bakery_ops.model.words import amount
from bakery_ops.rules.plan import Plan, Step
from bakery_ops.workflows.ports import Clock, Requests, Say
from bakery_ops.workflows.trial import Refusal, refusals

# What a server takes until it serves a definition, and until a changed one counts: watched by it like by everybody.
_SERVED_WITHIN = 15.0
_COUNTS_WITHIN = 3.0
_PAUSE = 0.25
_NOT_SERVED = 404


def needed_by(graph: Graph, node: Node, changed: frozenset[str]) -> frozenset[str]:
    """The definitions among `changed` without which the server does not know what `node` is."""
    return frozenset(name for name in node.needs & changed if _is_definition(graph[name]))


def try_what_they_define(
    graph: Graph,
    decided: Plan,
    requests: Requests,
    clock: Clock,
    *,
    fence: int,
    force: bool,
    workers: int,
    may_write: Callable[[], bool],
    say: Say,
) -> None:
    """Write the definitions that custom resources of the plan wait for, and try these.

    A definition that is refused or not served in time is left to the rollout, which tells why.
    Raises: PreflightRefused: the server would refuse custom resources; nothing but the definitions was written.
    """
    changed = frozenset(step.node for step in decided.changes)
    waiting = {step: needed_by(graph, graph[step.node], changed) for step in decided.changes}
    custom = [step for step, needed in waiting.items() if needed and not any(map(_converts, _nodes(graph, needed)))]
    first = sorted(set[str]().union(*(waiting[step] for step in custom)))
    if not custom or not _written(graph, decided, first, requests, fence=fence, force=force, may_write=may_write):
        return
    say(f"written before the rest, to try what they define: {amount(len(first), 'definition')}")
    refused = _tried(graph, custom, requests, clock, force=force, workers=workers)
    if refused:
        raise PreflightRefused(
            f"the API server would refuse {len(refused)} of {amount(len(custom), 'custom resource')};"
            " only their definitions were written",
            details=[*(each.text for each in refused), *(f"written: {graph[name].ref}" for name in first)],
            remedy="correct the objects named above, then run the same command again",
        )


def _is_definition(node: Node) -> bool:
    return node.ref.kind == "CustomResourceDefinition"


def _nodes(graph: Graph, names: frozenset[str]) -> list[Node]:
    return [graph[name] for name in sorted(names)]


def _converts(definition: Node) -> bool:
    """Whether objects of it may have to go through a webhook, which the same deploy may have to start first."""
    conversion: Mapping[str, Any] = definition.manifest.spec.get("conversion") or {}
    return conversion.get("strategy") == "Webhook"


def _written(
    graph: Graph,
    decided: Plan,
    names: Sequence[str],
    requests: Requests,
    *,
    fence: int,
    force: bool,
    may_write: Callable[[], bool],
) -> bool:
    for name in names:
        manifest = stamped(graph[name].manifest, decided.steps[name].content_hash, fence=fence)
        if not may_write() or requests.apply(manifest, force=force).status >= 300:
            return False
    return True


def _tried(
    graph: Graph, custom: Sequence[Step], requests: Requests, clock: Clock, *, force: bool, workers: int
) -> list[Refusal]:
    """What is still refused when the definitions have come to count."""
    began, left = clock.now(), list(custom)
    while True:
        refused = refusals(requests, graph, left, force=force, workers=workers)
        judged = [each for each in refused if each.status != _NOT_SERVED]
        patience = _SERVED_WITHIN if len(judged) < len(refused) else _COUNTS_WITHIN
        if not refused or clock.now() >= began + patience:
            return judged
        left = [each.step for each in refused]
        clock.sleep(_PAUSE)
