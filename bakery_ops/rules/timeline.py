"""Where the time of a rollout went: when each pod got how far, and the longest path through the graph.

The longest path is the chain of dependencies whose own times add up to most. However many workloads start at one time,
a rollout cannot be shorter than that chain; what it took beyond that was waiting for a free slot, or for the cluster.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from graphlib import TopologicalSorter
from typing import NamedTuple

from bakery_ops.model.live import LiveObject, Pod
from bakery_ops.model.times import time_or


class Milestones(NamedTuple):
    """How far a workload's pods had got when: the time at which the last of them got there, or None. Server time."""

    scheduled_at: float | None = None
    initialized_at: float | None = None


class Span(NamedTuple):
    """One node's own time in seconds, and what it had to wait for. 0 where we wrote nothing."""

    name: str
    seconds: float
    needs: Collection[str] = ()


class Path(NamedTuple):
    """A chain of spans along `needs`, first to last, without those that took no time."""

    steps: tuple[Span, ...] = ()

    @property
    def seconds(self) -> float:
        return sum(step.seconds for step in self.steps)


def milestones(children: Iterable[LiveObject], since: float | None) -> Milestones:
    """Of a workload's pods made at or after `since` (None: nothing was sent, so none is ours).

    Conditions carry whole seconds, so a pod of the very second of `since` counts.
    """
    if since is None:
        return Milestones()
    pods = [
        child
        for child in children
        if isinstance(child, Pod) and time_or(child.metadata.creation_timestamp, since) >= int(since)
    ]
    return Milestones(_last(pods, "PodScheduled"), _last(pods, "Initialized"))


def longest_path(spans: Iterable[Span]) -> Path:
    """The chain with the largest sum; among equals the one whose names come first.

    Needs that are no span are ignored. Raises: ValueError: the needs form a cycle (preflight refuses those).
    """
    known = {span.name: span for span in spans}
    best: dict[str, tuple[float, str]] = {}
    for span in _upstream_first(known):
        before = min(((-best[need][0], need) for need in span.needs if need in known), default=(0.0, ""))
        best[span.name] = (span.seconds - before[0], before[1])
    end = min(((-length, name) for name, (length, _) in best.items()), default=(0.0, ""))[1]
    chain: list[Span] = []
    while end:
        chain.append(known[end])
        end = best[end][1]
    return Path(tuple(span for span in reversed(chain) if span.seconds > 0))


def savings(spans: Iterable[Span], path: Path) -> Mapping[str, float]:
    """By how many seconds the longest path would be shorter if a step of it took no time at all."""
    known = tuple(spans)
    return {
        step.name: path.seconds
        - longest_path(span._replace(seconds=0.0) if span.name == step.name else span for span in known).seconds
        for step in path.steps
    }


def _upstream_first(known: Mapping[str, Span]) -> Iterator[Span]:
    edges = {name: [need for need in span.needs if need in known] for name, span in known.items()}
    return (known[name] for name in TopologicalSorter(edges).static_order())


def _last(pods: Iterable[Pod], condition: str) -> float | None:
    times = [
        time_or(seen.last_transition_time, 0.0)
        for pod in pods
        for seen in pod.status.conditions
        if seen.type == condition and seen.status == "True"
    ]
    return max((time for time in times if time), default=None)
