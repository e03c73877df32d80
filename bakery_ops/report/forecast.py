"""How long a deploy still takes, by the last one of the same profile to the same place. A guess, and said to be one."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from bakery_ops.errors import UsageError
from bakery_ops.report import history, schema
from bakery_ops.rules.rollout.view import NodeView, RolloutView
from bakery_ops.rules.timeline import Span, longest_path
from bakery_ops.rules.verdict import Verdict

_SHARE = 0.5


class Forecast(NamedTuple):
    """What a run took.

    Attributes:
        spans: Each node's own time, and what it waited for.
        stretch: How much longer the rollout took than its longest path: waiting for slots, for the cluster.
        tail: Seconds from the last node ready to the end of the rollout.
    """

    spans: tuple[Span, ...]
    stretch: float
    tail: float

    def left(self, view: RolloutView) -> float | None:
        """Seconds until the rollout ends; None where something fails, or where most of it was not there that time."""
        late = [node for node in view.nodes.values() if node.is_workload and node.verdict is not Verdict.READY]
        known = {span.name for span in self.spans}
        if any(node.verdict in (Verdict.FAILED, Verdict.FAILING) for node in late):
            return None
        if sum(node.name in known for node in late) < _SHARE * len(late):
            return None
        return longest_path(_rest(self.spans, view)).seconds * self.stretch + self.tail


def _rest(spans: Iterable[Span], view: RolloutView) -> Iterable[Span]:
    for span in spans:
        node = view.nodes.get(span.name)
        yield span._replace(seconds=0.0 if node is None else _left(node, span.seconds, view.at))


def _left(node: NodeView, expected: float, now: float) -> float:
    if node.verdict is Verdict.READY:
        return 0.0
    return expected if node.started is None else max(0.0, expected - (now - node.started))


def of_report(report: schema.Deploy) -> Forecast | None:
    """What a run tells of the next one; None when it rolled out too little, or not to the end."""
    workloads = [node for node in report.nodes if node.workload]
    timed = [node for node in workloads if node.ready_after]
    if report.outcome != "succeeded" or report.seconds is None or len(timed) <= _SHARE * len(workloads):
        return None
    spans = tuple(Span(node.name, node.ready_after or 0.0, node.needs) for node in report.nodes)
    ended = max(node.ready_at or 0.0 for node in timed)
    path = longest_path(spans).seconds
    return Forecast(spans, max(1.0, ended / path), max(0.0, report.seconds - ended)) if path else None


def of_past(root: Path, profile: str, context: str) -> Forecast | None:
    """By the newest run below `root` that has one to give; a damaged report gives none."""
    for run in reversed(history.known(root)):
        try:
            report = history.summary(run)
        except UsageError:
            continue
        if not isinstance(report, schema.Deploy) or (report.profile, report.context) != (profile, context):
            continue
        if found := of_report(report):
            return found
    return None


def about(seconds: float) -> str:
    """A guess in words: no more digits than it deserves."""
    if seconds < 10:
        return "a few seconds"
    rounded = round(seconds / 5) * 5 if seconds < 60 else round(seconds / 10) * 10
    return f"{rounded} s" if rounded < 60 else f"{rounded // 60}m{rounded % 60:02}s"
