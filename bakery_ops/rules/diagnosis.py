"""From forty symptoms to the one cause: the collapse of readiness.md section 5 over the dependency graph."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import NamedTuple

from bakery_ops.model.contract import Stage
from bakery_ops.model.graph import Graph
from bakery_ops.model.manifest import ObjectRef
from bakery_ops.model.words import one_line
from bakery_ops.rules.verdict import Evidence, Verdict

# The words of Go's HTTP client, which every container runtime pulls with: the request, then what came of the way there.
_UNREACHED = re.compile(
    r'(?:Head|Get) "?https?://(?P<host>[^/"\s]+)[^"\s]*"?: (?P<why>dial .*|.*(?:i/o timeout|TLS handshake timeout).*)'
)
LATE = "is not ready yet"
"""The state of a cause that only took too long: nothing is known to be wrong with it."""
HELD = "is held"  # the state of what was paused or suspended on purpose


class Condition(NamedTuple):
    """How one node stands, as far as the diagnosis looks.

    Attributes:
        edges: Blocking edges: the nodes that hold this one up. Those to Ready nodes are ignored.
        evidence: Own evidence, worst first.
        held: Paused or suspended on purpose.
    """

    verdict: Verdict
    message: str = ""
    edges: frozenset[str] = frozenset()
    evidence: tuple[Evidence, ...] = ()
    held: bool = False


@dataclass(frozen=True, slots=True)
class RootCause:
    """One independent cause.

    Attributes:
        node: The node's name; of a merged cause the missing object ("secret/redis-tls") or the registry asked in vain.
        state: "is down", "has failed", "is failing", "is held", "is not ready yet"; of a merged cause "is missing" or
            "cannot be reached"; "refuses 6 objects" of the API server.
        reason, message: Of the worst own evidence; the message is one line. Without evidence the reason is "".
        blocked: Names of the other nodes whose walk reaches this root, in graph order.
        counts: How many of them per stage; objects that start no containers are in `blocked` only.
        members: The nodes that show it: the root itself, or all that name the missing object or are refused alike.
    """

    node: str
    verdict: Verdict
    state: str
    reason: str
    message: str
    evidence: tuple[Evidence, ...]
    blocked: tuple[str, ...]
    counts: tuple[tuple[Stage, int], ...]
    members: tuple[str, ...]
    stage: Stage

    @property
    def sentence(self) -> str:
        """`<node> <state>: <reason>: <first message>; blocks <n> <group>[, <n> <group>]...`"""
        parts = ": ".join(part for part in (f"{self.node} {self.state}", self.reason, self.message) if part)
        blocked = ", ".join(stage.counted(count) for stage, count in self.counts)
        return f"{parts}; blocks {blocked}" if blocked else parts


def roots(graph: Graph, conditions: Mapping[str, Condition]) -> tuple[RootCause, ...]:
    """Every independent cause: the one with the most blocked nodes first, then in graph order.

    Args: conditions: Of every node of the graph.
    Returns: () when every node is Ready. Depends only on the conditions, never on the order in which they came about.
    """
    position = {name: index for index, name in enumerate(graph)}
    reached: defaultdict[str, set[str]] = defaultdict(set)
    for name, condition in conditions.items():
        if condition.verdict is not Verdict.READY:
            for root in _walk(name, conditions):
                reached[root].add(name)
    causes = [_cause(graph, root, conditions[root], reached[root] - {root}) for root in reached]
    merged = _refused_alike(graph, _merge(graph, causes))
    return tuple(sorted(merged, key=lambda cause: (-len(cause.blocked), position[cause.members[0]], cause.node)))


def reported(causes: Iterable[RootCause]) -> tuple[RootCause, ...]:
    """The causes worth a sentence: beside a failure, nodes that merely have not finished yet are not causes."""
    found = tuple(causes)
    if not any(cause.verdict is Verdict.FAILED for cause in found):
        return found
    return tuple(cause for cause in found if cause.evidence or cause.state == HELD)


def _walk(start: str, conditions: Mapping[str, Condition]) -> set[str]:
    """Upstream from `start`; stop at the first node whose own evidence is Failed, or where no edge goes on."""
    found: set[str] = set()
    seen = {start}
    stack = [start]
    while stack:
        name = stack.pop()
        condition = conditions[name]
        if condition.verdict is Verdict.FAILED and condition.evidence:
            found.add(name)
            continue
        onward = [edge for edge in condition.edges if conditions[edge].verdict is not Verdict.READY and edge != name]
        if not onward or all(edge in seen and _closes_cycle(edge, name, conditions) for edge in onward):
            found.add(name)
        for edge in onward:
            if edge not in seen:
                seen.add(edge)
                stack.append(edge)
    return found


def _closes_cycle(edge: str, name: str, conditions: Mapping[str, Condition]) -> bool:
    """Whether `edge` leads back to `name`. A cycle is a preflight error, so this runs only on what slipped through."""
    seen: set[str] = set()
    stack = [edge]
    while stack:
        current = stack.pop()
        if current == name:
            return True
        if current not in seen:
            seen.add(current)
            stack.extend(conditions[current].edges)
    return False


def _cause(graph: Graph, name: str, condition: Condition, blocked: set[str]) -> RootCause:
    node = graph[name]
    evidence = condition.evidence
    return RootCause(
        node=name,
        verdict=condition.verdict,
        state=_state(node.ref.kind, node.is_workload, condition),
        reason=evidence[0].reason if evidence else "",
        message=one_line(evidence[0].message if evidence else condition.message),
        evidence=evidence,
        blocked=_ordered(graph, blocked),
        counts=_counts(graph, blocked),
        members=(name,),
        stage=node.stage,
    )


def _state(kind: str, is_workload: bool, condition: Condition) -> str:
    if condition.held:
        return HELD
    if condition.verdict is Verdict.FAILED:
        return "is down" if is_workload and kind != "Job" else "has failed"
    if condition.verdict is Verdict.FAILING:
        return "is failing"
    return LATE


def _merge(graph: Graph, causes: list[RootCause]) -> list[RootCause]:
    """Roots that name the same missing Secret or ConfigMap become one: that object."""
    naming: defaultdict[ObjectRef, list[RootCause]] = defaultdict(list)
    for cause in causes:
        for ref in {ref for evidence in cause.evidence for ref in evidence.names}:
            naming[ref].append(cause)
    merged: list[RootCause] = []
    taken: set[str] = set()
    for ref in sorted(naming, key=lambda ref: (-len(naming[ref]), ref)):
        sharing = [cause for cause in naming[ref] if cause.node not in taken]
        if len(sharing) >= 2:
            taken.update(cause.node for cause in sharing)
            merged.append(_missing(graph, ref, sharing))
    return _out_of_reach(graph, merged + [cause for cause in causes if cause.node not in taken])


def _out_of_reach(graph: Graph, causes: list[RootCause]) -> list[RootCause]:
    """Roots whose images no cluster node gets at become one: each of them would say the same of the network."""
    hosts = {cause.node: found for cause in causes if (found := _registry_asked(cause)) is not None}
    sharing = [cause for cause in causes if cause.node in hosts]
    if len(sharing) < 2:
        return causes
    first, *_ = _sorted(graph, sharing)
    names = sorted({found["host"] for found in hosts.values()})
    called = f"image {'registry' if len(names) == 1 else 'registries'} {', '.join(names)}"
    one = _joined(graph, sharing, node=called, state="cannot be reached", message=hosts[first.node]["why"])
    return [one, *(cause for cause in causes if cause.node not in hosts)]


def _registry_asked(cause: RootCause) -> re.Match[str] | None:
    if cause.reason != "ErrImagePull" or len({evidence.reason for evidence in cause.evidence}) != 1:
        return None
    return _UNREACHED.search(cause.message)


def _missing(graph: Graph, ref: ObjectRef, sharing: list[RootCause]) -> RootCause:
    first, *_ = _sorted(graph, sharing)
    shown = next(evidence for evidence in first.evidence if ref in evidence.names)
    told = (shown, *(evidence for evidence in first.evidence if evidence is not shown))
    joined = _joined(graph, sharing, node=str(ref), state="is missing", message=one_line(shown.message))
    return replace(joined, reason=shown.reason, evidence=told)


def _sorted(graph: Graph, causes: list[RootCause]) -> list[RootCause]:
    members = _ordered(graph, {cause.node for cause in causes})
    return sorted(causes, key=lambda cause: members.index(cause.node))


def _joined(graph: Graph, sharing: list[RootCause], *, node: str, state: str, message: str) -> RootCause:
    """One cause for all of `sharing`, with the evidence of the first of them in the graph's order."""
    members = _ordered(graph, {cause.node for cause in sharing})
    blocked, counts = tallied(graph, {name for cause in sharing for name in cause.blocked} | set(members))
    worst = max((cause.verdict for cause in sharing), key=lambda verdict: verdict.severity)
    first, *_ = _sorted(graph, sharing)
    return replace(
        first, node=node, verdict=worst, state=state, message=message, blocked=blocked, counts=counts, members=members
    )


def _refused_alike(graph: Graph, causes: list[RootCause]) -> list[RootCause]:
    """Objects that the server or our own lock refuses in the same words, or for the same webhook, are one cause."""
    alike: defaultdict[str, list[RootCause]] = defaultdict(list)
    for cause in causes:
        if cause.reason in _NOT_THEIR_OWN:
            webhook = _WEBHOOK.search(cause.message)
            alike[webhook[0] if webhook else cause.message].append(cause)
    merged = [_refused(graph, same) for same in alike.values() if len(same) > 1]
    taken = {name for cause in merged for name in cause.members}
    return merged + [cause for cause in causes if cause.node not in taken]


def _refused(graph: Graph, same: list[RootCause]) -> RootCause:
    first, *_ = _sorted(graph, same)
    return _joined(graph, same, node=SERVER, state=f"refuses {len(same)} objects", message=first.message)


SERVER = "the API server"
"""How it is called where else the name of a node of the graph stands."""
_NOT_THEIR_OWN = frozenset({"Refused", "InternalError"})
_WEBHOOK = re.compile(r'failed calling webhook "[^"]*"')


def tallied(graph: Graph, names: set[str]) -> tuple[tuple[str, ...], tuple[tuple[Stage, int], ...]]:
    """`blocked` and `counts` of a cause that holds up `names`."""
    return _ordered(graph, names), _counts(graph, names)


def _ordered(graph: Graph, names: set[str]) -> tuple[str, ...]:
    return tuple(name for name in graph if name in names) if names else ()


def _counts(graph: Graph, names: set[str]) -> tuple[tuple[Stage, int], ...]:
    counted = Counter(graph[name].stage for name in names if graph[name].is_workload)
    return tuple(sorted(counted.items(), key=lambda item: item[0].order))
