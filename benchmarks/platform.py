"""The whole platform on a cluster of its own: a fresh deploy with the images in place, and a deploy of the same."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from bakery_ops.sandbox import lifecycle
from benchmarks.measure import Run, row, run, show

ROOT = Path(__file__).resolve().parents[1]
INVOKE = ROOT / ".venv/bin/invoke"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--real", action="store_true")
    parser.add_argument("--simulated", action="store_true")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    kind = "simulated" if options.simulated else "real"
    name = f"bench-{os.getpid()}"
    status = lifecycle.start(kind, (), say=print, repository=ROOT, name=name)  # type: ignore[arg-type]
    try:
        fresh, same = measured(status.context, name, kind, options.rounds, status.kubeconfig)
    finally:
        lifecycle.stop(say=print, name=name)
    rows = [row("fresh deploy, verified", fresh), row("deploy of the same", same, fresh)]
    show(f"the whole platform, {kind} node", rows, options.json)
    for one in (*fresh, *same):
        told = [line for line in one.output.splitlines() if " applied, " in line or " API requests" in line]
        print(f"  {'; '.join(told) or one.output[-300:]}")


def measured(context: str, name: str, kind: str, rounds: int, kubeconfig: Path) -> tuple[list[Run], list[Run]]:
    if kind == "real":
        run([INVOKE, "sandbox.images", "--name", name], cwd=ROOT)
    kubectl = Path(sys.executable).parent / "kubectl"
    fresh, same = [], []
    for _ in range(rounds):
        fresh.append(run([INVOKE, "deploy", "--context", context], cwd=ROOT))
        same.append(run([INVOKE, "deploy", "--context", context], cwd=ROOT))
        run([kubectl, "--kubeconfig", kubeconfig, "delete", "namespace", "bakery-ia", "--wait"], cwd=ROOT)
    return fresh, same


if __name__ == "__main__":
    main()
