"""The proof that a platform fits its nodes: phase by phase, with headroom, verdict and what would fix it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from typing import NamedTuple

from bakery_ops.model.graph import Graph
from bakery_ops.model.quantities import GIBI, NodeSize, cpu_text, memory_text
from bakery_ops.model.words import amount
from bakery_ops.rules.capacity.demand import CPU, EPHEMERAL, MEMORY, PODS, Amounts, Demand, add
from bakery_ops.rules.capacity.limits import claims_total, quota_problems
from bakery_ops.rules.capacity.machines import Machine, machines
from bakery_ops.rules.capacity.packing import Placement, pack, without_place
from bakery_ops.rules.capacity.phases import Load, Phase

STEADY_WARNING = 0.85
"""Share of allocatable above which the steady state leaves too little for what is not planned."""

HEADROOM = 0.10
"""Share of CPU and of memory that the steady state has to leave (docs/hardening.md, Capacity)."""

OVERCOMMIT_WARNING = 1.5
_LARGEST = 2048  # GiB, and twice that many CPUs are beyond any machine we advise


class Verdict(Enum):
    FITS = "fits"
    TIGHT = "fits, with little room"
    TOO_SMALL = "does not fit"


class PhaseRow(NamedTuple):
    """One moment.

    Attributes:
        pods: Of the platform and of what was there before.
        requested: What they ask for together. The shares are of allocatable, 1.0 being all of it.
        unplaced: (node of the graph, how many pods, why), those that would stay Pending.
    """

    name: str
    pods: int
    requested: Amounts
    cpu_share: float
    memory_share: float
    unplaced: tuple[tuple[str, int, str], ...]

    @property
    def fits(self) -> bool:
        return not self.unplaced

    @property
    def share(self) -> float:
        return max(self.cpu_share, self.memory_share)


class MachineRow(NamedTuple):
    """One cluster node in the steady state: what it offers, and what is asked of it."""

    name: str
    allocatable: Amounts
    requested: Amounts


class Consumer(NamedTuple):
    """A workload by what all its pods ask for in the steady state."""

    name: str
    pods: int
    cpu: int
    memory: int


@dataclass(frozen=True, slots=True)
class CapacityReport:
    """All that `invoke capacity` shows. Amounts: CPU in thousandths of a core, memory and storage in bytes.

    `never`: workloads of which not even one pod more finds a place beside the steady state: waiting does not help them.
    """

    machines: tuple[MachineRow, ...]
    phases: tuple[PhaseRow, ...]
    verdict: Verdict
    consumers: tuple[Consumer, ...]
    memory_limits: int
    unlimited: tuple[str, ...]
    storage: int
    problems: tuple[str, ...]
    never: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    advice: tuple[str, ...] = ()

    @property
    def steady(self) -> PhaseRow:
        return self.phases[0]

    @property
    def peak(self) -> PhaseRow:
        return max(self.phases, key=lambda phase: phase.share)

    @property
    def headroom(self) -> tuple[float, float]:
        """Shares of CPU and memory that are free in the steady state."""
        return 1 - self.steady.cpu_share, 1 - self.steady.memory_share


def prove(graph: Graph, nodes: Sequence[Machine]) -> CapacityReport:
    """Place the pods of every phase on `nodes` and judge what is left over."""
    load = Load(graph, nodes)
    phases = load.phases()
    packed = [pack(phase.lasting, nodes, added=phase.added) for phase in phases]
    rows = tuple(_row(phase, placement, nodes) for phase, placement in zip(phases, packed, strict=True))
    steady = phases[0].demands
    limits, unlimited = _memory_limits(steady)
    problems = tuple(quota_problems(graph, phases))
    report = CapacityReport(
        machines=tuple(MachineRow(node.name, node.allocatable, packed[0].used[node.name]) for node in nodes),
        phases=rows,
        verdict=_verdict(rows, problems),
        consumers=_consumers(steady),
        memory_limits=limits,
        unlimited=unlimited,
        storage=claims_total(graph),
        problems=problems,
        never=tuple(_never(phases, rows, nodes)),
    )
    warnings = tuple(_warnings(report, phases, nodes))
    return replace(report, warnings=warnings, advice=tuple(_advice(report, graph, load, nodes)))


def _never(phases: Sequence[Phase], rows: Sequence[PhaseRow], nodes: Sequence[Machine]) -> Iterable[str]:
    for phase, row in zip(phases, rows, strict=True):
        failing = {name for name, _, _ in row.unplaced}
        single = {demand.name: demand for demand in phase.added if demand.name in failing}
        if single:
            yield from sorted(demand.name for demand in without_place(phase.lasting, nodes, single.values()))


def fits(graph: Graph, nodes: Sequence[Machine]) -> bool:
    """Whether every phase fits and the steady state keeps its headroom."""
    phases = Load(graph, nodes).phases()
    if any(pack(phase.lasting, nodes, added=phase.added).unplaced for phase in phases):
        return False
    return _row(phases[0], pack(phases[0].demands, nodes), nodes).share <= 1 - HEADROOM


def smallest_machine(graph: Graph) -> NodeSize | None:
    """The smallest single machine on which everything `fits`, in steps of one CPU and 1 GiB."""
    cpu = _least(lambda count: fits(graph, _one(count, _LARGEST)))
    memory = _least(lambda count: fits(graph, _one(cpu, count))) if cpu else None
    return NodeSize(cpu * 1000, memory * GIBI) if cpu and memory else None


def _least(enough: Callable[[int], bool], most: int = _LARGEST) -> int | None:
    """The least number from 1 to `most` that is enough, by halving: what is enough stays enough when there is more."""
    low, high = 0, most
    if most < 1 or not enough(most):
        return None
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high


def _one(cpu: int, memory_gib: int) -> tuple[Machine, ...]:
    return machines([NodeSize(cpu * 1000, memory_gib * GIBI)])


def _row(phase: Phase, placement: Placement, nodes: Iterable[Machine]) -> PhaseRow:
    offered: Amounts = {}
    before: list[Demand] = []
    for node in nodes:
        offered = add(offered, node.allocatable)
        before += node.pods
    requested: Amounts = {}
    for demand in (*before, *phase.demands):
        requested = add(requested, demand.request)
    counts: dict[tuple[str, str], int] = {}
    for unplaced in placement.unplaced:
        key = (unplaced.demand.name, unplaced.reason)
        counts[key] = counts.get(key, 0) + 1
    return PhaseRow(
        phase.name,
        len(before) + len(phase.demands),
        requested,
        requested.get(CPU, 0) / max(1, offered.get(CPU, 0)),
        requested.get(MEMORY, 0) / max(1, offered.get(MEMORY, 0)),
        tuple((name, count, reason) for (name, reason), count in counts.items()),
    )


def _verdict(rows: Sequence[PhaseRow], problems: Sequence[str]) -> Verdict:
    # What is there already may fill a node beyond what it has: a machine smaller than its own system.
    if problems or not all(row.fits for row in rows) or rows[0].share > 1:
        return Verdict.TOO_SMALL
    return Verdict.TIGHT if rows[0].share > STEADY_WARNING else Verdict.FITS


def _consumers(demands: Iterable[Demand]) -> tuple[Consumer, ...]:
    found: dict[str, Consumer] = {}
    for demand in demands:
        known = found.get(demand.name, Consumer(demand.name, 0, 0, 0))
        cpu, memory = demand.request.get(CPU, 0), demand.request.get(MEMORY, 0)
        found[demand.name] = Consumer(demand.name, known.pods + 1, known.cpu + cpu, known.memory + memory)
    return tuple(sorted(found.values(), key=lambda each: (-each.memory, -each.cpu, each.name)))


def _memory_limits(demands: Iterable[Demand]) -> tuple[int, tuple[str, ...]]:
    """The sum of memory limits, and the workloads that have none."""
    total = 0
    unlimited: dict[str, None] = {}
    for demand in demands:
        if MEMORY in demand.limit:
            total += demand.limit[MEMORY]
        else:
            unlimited.setdefault(demand.name)
    return total, tuple(unlimited)


def _warnings(report: CapacityReport, phases: Sequence[Phase], nodes: Sequence[Machine]) -> Iterable[str]:
    offered = sum(node.allocatable.get(MEMORY, 0) for node in nodes)
    if report.steady.share > STEADY_WARNING:
        yield f"the steady state asks for {report.steady.share:.0%} of the nodes; above {STEADY_WARNING:.0%} is tight"
    if offered and report.memory_limits / offered > OVERCOMMIT_WARNING:
        ratio = report.memory_limits / offered
        yield f"memory limits add up to {ratio:.1f} times what there is; above {OVERCOMMIT_WARNING} expect OOM kills"
    if report.unlimited:
        yield f"no memory limit: {', '.join(report.unlimited[:10])}"
    if len(nodes) > 1 and report.verdict is not Verdict.TOO_SMALL:
        yield from _several(phases, nodes)
    most = max((node.allocatable.get(EPHEMERAL, 0) for node in nodes), default=0)
    for name in {demand.name for demand in phases[0].demands if demand.request.get(EPHEMERAL, 0) > most}:
        yield f"{name} asks for more ephemeral storage than any node has"


def _several(phases: Sequence[Phase], nodes: Sequence[Machine]) -> Iterable[str]:
    """What only several nodes can get wrong: spreading, and the loss of one."""
    for phase in phases:
        if pack(phase.lasting, nodes, added=phase.added, spread=True).unplaced:
            yield f"{phase.name} fits only when pods are packed tightly; the scheduler spreads them by default"
    largest = max(nodes, key=lambda node: (node.allocatable.get(MEMORY, 0), node.allocatable.get(CPU, 0)))
    moved = [demand for demand in phases[0].demands if demand.pinned != largest.name]
    lost = pack(moved, [node for node in nodes if node is not largest]).unplaced
    if lost:
        yield f"while {largest.name} is drained, there is no place on the others for {amount(len(lost), 'pod')}"


def _advice(report: CapacityReport, graph: Graph, load: Load, nodes: Sequence[Machine]) -> Iterable[str]:
    """What would make it fit; or, where it fits, how far it can go as it is."""
    failing = [row for row in report.phases if not row.fits]
    if not failing:
        yield from _waves(load, nodes)
        return
    for row in failing:
        smaller = "; do it in smaller steps, or lower requests" if report.steady.fits else ""
        yield f"{row.name}: {_shortage(row, nodes)}{smaller}"
    largest = [
        f"{each.name} {cpu_text(each.cpu)} CPU / {memory_text(each.memory)}" for each in report.consumers[:5]
    ]  # fmt: skip
    yield f"the largest: {', '.join(largest)}"
    if (size := smallest_machine(graph)) is not None:
        yield f"one node of {size} would fit, with {HEADROOM:.0%} to spare"


def _shortage(row: PhaseRow, nodes: Sequence[Machine]) -> str:
    parts = []
    for resource, text, called in ((CPU, cpu_text, "CPU"), (MEMORY, memory_text, "memory")):
        offered = sum(node.allocatable.get(resource, 0) for node in nodes)
        if (missing := row.requested.get(resource, 0) - offered) > 0:
            parts.append(f"{text(missing)} {called} short")
    if row.pods > sum(node.allocatable.get(PODS, 0) for node in nodes):
        parts.append("more pods than the nodes may run")
    return " and ".join(parts) or f"no place for {amount(sum(count for _, count, _ in row.unplaced), 'pod')}"


def _waves(load: Load, nodes: Sequence[Machine]) -> Iterable[str]:
    """How many pods may surge at once while the autoscalers are at their maximum."""
    base, surge = list(load.lasting(at_maximum=True)), list(load.surge(at_maximum=True))
    too_many = _least(lambda count: bool(pack(base, nodes, added=surge[:count]).unplaced), most=len(surge))
    if too_many is not None:
        at_once = too_many - 1
        yield f"with the autoscalers at maximum, {at_once} of {len(surge)} pods may be updated at a time"
