"""How the platform stands now: what is not ready first, each with its cause, and the count of what is."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from bakery_ops.report.schema import API_VERSION
from bakery_ops.report.terminal import Terminal
from bakery_ops.rules.rollout.view import MISSING, NodeView, RolloutView
from bakery_ops.rules.verdict import Verdict

_ALIKE = 3  # nodes in the same plight that get a row each; more of them share one


def show_status(terminal: Terminal, view: RolloutView, *, every: bool = False) -> None:
    """The causes, a row for what else is not ready, the count. `every`: a row for each workload, the ready ones too."""
    for cause in view.causes:
        terminal.show(cause.sentence, style="bold red")
    told = {name for cause in view.causes for name in cause.members}
    # What starts no containers follows the workload behind it: a Service without endpoints is no news beside its cause.
    told |= {name for cause in view.causes for name in cause.blocked if not view.nodes[name].is_workload}
    late = [node for node in view.nodes.values() if node.verdict is not Verdict.READY]
    workloads = [node for node in view.nodes.values() if node.is_workload]
    ready = [node for node in workloads if node.verdict is Verdict.READY]
    if every:
        rows = [_row(node.name, node) for node in (*_worst_first(late), *ready)]
    else:
        rows = list(_grouped(_worst_first(node for node in late if node.name not in told)))
    if rows:
        terminal.table(("name" if every else "not ready", "kind", "state", "why", "restarts"), rows, right=(4,))
    more = "" if every else "; --all names each"
    style = "bold green" if len(ready) == len(workloads) and not late else "bold red"
    terminal.show(f"{len(ready)} of {len(workloads)} workloads ready{more}", style=style)


def _worst_first(nodes: Iterable[NodeView]) -> list[NodeView]:
    def rank(node: NodeView) -> tuple[int, int, str]:
        # What is missing is no mere wait, whatever the rollout would say of it.
        verdict = Verdict.FAILING if node.message == MISSING else node.verdict
        return -verdict.severity, node.stage.order, node.name

    return sorted(nodes, key=rank)


def _grouped(nodes: Iterable[NodeView]) -> Iterator[tuple[str, ...]]:
    """Before the first deploy 200 objects are missing: that is a row for each kind."""
    alike: dict[tuple[str, ...], list[NodeView]] = defaultdict(list)
    for node in nodes:
        alike[_alike(node)].append(node)
    for members in alike.values():
        if len(members) > _ALIKE:
            yield _row(f"{members[0].name} and {len(members) - 1} more", members[0])
        else:
            yield from (_row(node.name, node) for node in members)


def _alike(node: NodeView) -> tuple[str, ...]:
    return _row("", node)[1:-1]


def _row(name: str, node: NodeView) -> tuple[str, ...]:
    state = "missing" if node.message == MISSING else node.verdict.value
    return name, node.kind, state, node.message, str(node.restarts or "")


def status_document(
    view: RolloutView, *, cluster: str, version: str, release: int | None, lock: Mapping[str, str] | None
) -> dict[str, Any]:
    """`cluster`: its identity, which a profile may pin. `lock`: its holder, in words; None when it is free."""
    return {
        "apiVersion": API_VERSION,
        "kind": "DeployStatus",
        "cluster": {"identity": cluster, "version": version},
        "release": release,
        "lock": lock,
        "nodes": [
            {
                "name": node.name,
                "kind": node.kind,
                "stage": node.stage.value,
                "state": node.verdict.value,
                "message": node.message,
            }
            for node in view.nodes.values()
        ],
        "causes": [cause.sentence for cause in view.causes],
    }
