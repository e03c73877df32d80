"""How the platform stands now: a row per workload, and the causes of what is not ready."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bakery_ops.report.schema import API_VERSION
from bakery_ops.report.terminal import Terminal
from bakery_ops.rules.rollout.view import RolloutView
from bakery_ops.rules.verdict import Verdict


def show_status(terminal: Terminal, view: RolloutView) -> None:
    """A row per workload, the causes of what is not ready, and the count."""
    rows = [
        (node.name, node.stage.title, node.kind, node.verdict.value, node.message, str(node.restarts or ""))
        for node in view.nodes.values()
        if node.is_workload or node.verdict is not Verdict.READY
    ]
    terminal.table(("name", "stage", "kind", "state", "detail", "restarts"), rows, right=(5,))
    for cause in view.causes:
        terminal.show(cause.sentence, style="bold red")
    workloads = [node for node in view.nodes.values() if node.is_workload]
    ready = sum(node.verdict is Verdict.READY for node in workloads)
    terminal.show(f"{ready} of {len(workloads)} workloads ready", style="bold")


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
