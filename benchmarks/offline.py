"""The rows that need no cluster: rendering, checking, proving, reading and judging, each in fresh processes."""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import kubernetes_validate

from bakery_ops.sandbox.binaries import build_tool
from benchmarks import live, workloads
from benchmarks.contestants import OURS
from benchmarks.inside import OVERLAY
from benchmarks.measure import run, spread, turns
from benchmarks.surroundings import KUBECTL, ROOT

_SCHEMAS = Path(kubernetes_validate.__file__).parent / "kubernetes-json-schema" / "v1.36.0-local-strict"


class Piece(NamedTuple):
    """A row: `works` name a piece of `inside.py` or give a command, ours first; `goal` is the design's.

    `is_rate`: the goal is a number a second.
    """

    name: str
    goal: str
    works: Mapping[str, str | Sequence[str | Path]]
    is_rate: bool = False


def rows(rounds: int, say: Callable[[str], None]) -> Iterator[dict[str, Any]]:
    """One row a piece, each work `rounds` times in turns."""
    with tempfile.TemporaryDirectory(prefix="bakery-bench-") as directory:
        folder = Path(directory)
        workloads.write(folder / "documents", "documents", 80)
        live.write(folder)
        for piece in _pieces(folder, say):
            say(f"offline: {piece.name}")
            found: dict[str, list[dict[str, float]]] = {name: [] for name in piece.works}
            for name in turns(list(piece.works), rounds):
                found[name].append(_measured(piece.works[name], folder))
            yield {
                "row": "offline",
                "name": piece.name,
                "goal": piece.goal,
                "entries": [_entry(name, results, is_rate=piece.is_rate) for name, results in found.items()],
            }


def _pieces(folder: Path, say: Callable[[str], None]) -> Iterator[Piece]:
    kustomize: list[str | Path] = [KUBECTL, "kustomize", OVERLAY]
    yield Piece(
        "render prod, nothing cached", "kustomize + 10 %", {OURS: "render_cold", "kubectl kustomize": kustomize}
    )
    yield Piece("render prod again", "50 ms", {OURS: "render_cached", "kubectl kustomize": kustomize})
    yield Piece(
        "load, lint and schema-check 400 documents",
        "0.5 s",
        {OURS: "check_documents", "kubeconform (schema only)": _kubeconform(folder, say)},
    )
    yield Piece("capacity proof of prod, after loading", "50 ms", {OURS: "prove_capacity"})
    yield Piece(
        "read and judge 1,000 pods",
        "50 ms, 20 MB",
        {OURS: "judge_pods", "kubernetes package, typed models (read only)": "read_pods_typed"},
    )
    yield Piece(
        "watch intake",
        "10,000 events/s",
        {OURS: "watch_intake", "kubernetes package, its watch": "watch_intake_typed"},
        is_rate=True,
    )


def _kubeconform(folder: Path, say: Callable[[str], None]) -> list[str | Path]:
    """Its command, on the same schemas as ours, without their `$id`: it would fetch that address."""
    schemas = folder / "schemas"
    schemas.mkdir()
    for source in _SCHEMAS.glob("*.json"):
        schema = json.loads(source.read_text().replace("/api/_definitions.json", "_definitions.json"))
        (schemas / source.name).write_text(json.dumps({key: value for key, value in schema.items() if key != "$id"}))
    program = build_tool("kubeconform", repository=ROOT, say=say)
    location = f"{schemas}/{{{{.ResourceKind}}}}{{{{.KindSuffix}}}}.json"
    return [program, "-strict", "-schema-location", location, folder / "documents"]


def _measured(work: str | Sequence[str | Path], folder: Path) -> dict[str, float]:
    if isinstance(work, str):
        ended = run([sys.executable, "-m", "benchmarks.inside", work, folder], cwd=ROOT)
        if ended.status != 0:
            raise RuntimeError(f"{work}: {ended.output[-500:]}")
        result: dict[str, float] = json.loads(ended.output.splitlines()[-1])
        return result
    ended = run(work, cwd=ROOT)
    if ended.status != 0:
        raise RuntimeError(f"{work[0]}: {ended.output[-500:]}")
    return {"seconds": ended.wall, "cpu": ended.cpu, "grew_mb": ended.peak_mb, "count": 0}


def _entry(name: str, results: Sequence[Mapping[str, float]], *, is_rate: bool) -> dict[str, Any]:
    seconds = spread([one["seconds"] for one in results], 4)
    count = results[0]["count"]
    return {
        "name": name,
        "rounds": len(results),
        "seconds": seconds,
        "cpu": spread([one["cpu"] for one in results], 4),
        "grew_mb": spread([one["grew_mb"] for one in results], 1),
        "count": count,
        "per_second": round(count / seconds[1]) if is_rate else None,
    }
