"""The generated tables of the sizing documents: what they say is computed from the manifests, never typed.

A document marks a table's place with `<!-- generated: NAME -->` and `<!-- end generated -->`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from bakery_ops.model.contract import Stage
from bakery_ops.model.graph import Graph
from bakery_ops.model.manifest import Manifest
from bakery_ops.model.quantities import NodeSize, cpu_text, memory_text
from bakery_ops.rules.capacity.demand import CPU, MEMORY
from bakery_ops.rules.capacity.machines import RESERVED, machines
from bakery_ops.rules.capacity.phases import Load
from bakery_ops.rules.capacity.proof import CapacityReport, prove
from bakery_ops.workflows.capacity import (
    GROWTH_HEADINGS,
    PHASE_HEADINGS,
    CapacityAnswer,
    capacity,
    growth_rows,
    phase_rows,
)

_PLACE = re.compile(r"(<!-- generated: (?P<name>[\w-]+) -->\n).*?(<!-- end generated -->)", re.DOTALL)

Rows = Sequence[Sequence[str]]


def refreshed(document: str, tables: Mapping[str, str]) -> str:
    """`document` with every marked place filled from `tables`. Raises KeyError for a place without a table."""
    return _PLACE.sub(lambda place: f"{place[1]}{tables[place['name']]}{place[3]}", document)


def markdown(headings: Sequence[str], rows: Rows) -> str:
    """A Markdown table, ending with a newline."""
    lines = [headings, ["---"] * len(headings), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def server_tables(
    manifests: Sequence[Manifest], monitoring: Sequence[Manifest], graph: Graph, size: NodeSize
) -> dict[str, str]:
    """The tables of docs/VPS-SIZING-PRODUCTION.md, for a server of `size`."""
    answer = capacity(manifests, [size], monitoring=monitoring, growth=True)
    tables = {
        "node": markdown(("what", "CPU", "memory"), _node(size)),
        "phases": markdown(PHASE_HEADINGS, phase_rows(answer.shipped)),
        "parts": markdown(("part", "pods", "CPU requests", "memory requests", "memory limits"), part_rows(graph, size)),
        "growth": markdown(GROWTH_HEADINGS, growth_rows(answer.growth)),
        "totals": markdown(("what", "amount"), _totals(answer)),
    }
    if answer.monitored is not None:
        tables["phases-monitored"] = markdown(PHASE_HEADINGS, phase_rows(answer.monitored))
    return tables


def local_table(graph: Graph, sizes: Mapping[str, NodeSize]) -> str:
    """Which size of the local machine the graph fits: size -> a row with its shares and verdict."""
    rows = []
    for name, size in sizes.items():
        report = prove(graph, machines([size]))
        peak = report.peak
        rows.append((name, str(size), _shares(report), f"{peak.share:.0%} ({peak.name})", report.verdict.value))
    return markdown(("size", "machine", "steady state: CPU, memory", "peak", "verdict"), rows)


def part_rows(graph: Graph, size: NodeSize) -> tuple[tuple[str, ...], ...]:
    """What each stage asks for in the steady state: pods, requests and memory limits."""
    sums: dict[Stage, list[int]] = {}
    for demand in Load(graph, machines([size])).lasting():
        known = sums.setdefault(graph[demand.name].stage, [0, 0, 0, 0])
        for position, amount in enumerate(
            (1, demand.request.get(CPU, 0), demand.request.get(MEMORY, 0), demand.limit.get(MEMORY, 0))
        ):
            known[position] += amount
    rows = [
        (stage.title, str(pods), cpu_text(cpu), memory_text(memory), memory_text(limit))
        for stage, (pods, cpu, memory, limit) in sorted(sums.items(), key=lambda item: item[0].order)
    ]
    pods, cpu, memory, limit = (sum(each[position] for each in sums.values()) for position in range(4))
    return (*rows, ("**together**", str(pods), cpu_text(cpu), memory_text(memory), memory_text(limit)))


def _node(size: NodeSize) -> Rows:
    (machine,) = machines([size])
    system = [sum(pod.request[resource] for pod in machine.pods) for resource in (CPU, MEMORY)]
    return (
        ("the server", cpu_text(size.cpu_milli), memory_text(size.memory)),
        ("held back: kubelet and runtime, system, eviction", cpu_text(RESERVED[CPU]), memory_text(RESERVED[MEMORY])),
        ("allocatable", cpu_text(machine.allocatable[CPU]), memory_text(machine.allocatable[MEMORY])),
        ("CoreDNS, metrics-server, ingress controller", cpu_text(system[0]), memory_text(system[1])),
    )


def _totals(answer: CapacityAnswer) -> Rows:
    shipped = answer.shipped
    cpu, memory = shipped.headroom
    offered = sum(machine.allocatable[MEMORY] for machine in shipped.machines)
    return (
        ("verdict", shipped.verdict.value),
        ("free in the steady state", f"{cpu:.0%} of the CPU, {memory:.0%} of the memory"),
        ("the tightest moment", f"{shipped.peak.name}: {shipped.peak.share:.0%}"),
        (
            "memory limits",
            f"{memory_text(shipped.memory_limits)}, {shipped.memory_limits / offered:.1f} times allocatable",
        ),
        ("volumes claimed", memory_text(shipped.storage)),
    )


def _shares(report: CapacityReport) -> str:
    return f"{report.steady.cpu_share:.0%}, {report.steady.memory_share:.0%}"
