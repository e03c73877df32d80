"""Pieces of our own work, and the same work by a peer's library, each timed in a fresh process.

    python -m benchmarks.inside NAME FOLDER     prints {"seconds": …, "cpu": …, "grew_mb": …, "count": …}

The best of three, after the imports; what a whole command costs stands in the rows that start one.
"""

from __future__ import annotations

import json
import resource
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from time import perf_counter
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
OVERLAY = ROOT / "k8s/overlays/prod"
NAMESPACE = "bakery-ia"

Work = Callable[[], int]


def render_cold(folder: Path) -> Work:
    from bakery_ops.tools.kustomize import render_overlay

    return lambda: len(render_overlay(OVERLAY))


def render_cached(folder: Path) -> Work:
    from bakery_ops.tools.kustomize import render_overlay

    cache = folder / "renders"
    render_overlay(OVERLAY, cache_dir=cache)
    return lambda: len(render_overlay(OVERLAY, cache_dir=cache))


def check_documents(folder: Path) -> Work:
    """Read the YAML, lint it, and check it against the schemas."""
    from bakery_ops.model.documents import load
    from bakery_ops.workflows.check import check

    text = (folder / "documents/objects.yaml").read_text()

    def work() -> int:
        manifests = load(text, "documents", namespace="documents")
        return check(manifests, namespace="documents", strict=False).objects

    return work


def prove_capacity(folder: Path) -> Work:
    from bakery_ops.model.builder import build_graph
    from bakery_ops.model.documents import load
    from bakery_ops.model.quantities import node_size
    from bakery_ops.rules.capacity.machines import machines
    from bakery_ops.rules.capacity.proof import prove
    from bakery_ops.tools.kustomize import render_overlay

    graph = build_graph(load(render_overlay(OVERLAY), "prod", namespace=NAMESPACE))
    return lambda: len(prove(graph, machines([node_size("8cpu,20Gi")])).phases)


def judge_pods(folder: Path) -> Work:
    """From the bytes of three lists to a verdict for each of 50 Deployments with their 1,000 pods."""
    from bakery_ops.cluster.decode import Codec
    from bakery_ops.model.builder import build_graph
    from bakery_ops.model.documents import load
    from bakery_ops.rules.rollout import machine
    from bakery_ops.rules.rollout.options import STREAMED_KINDS, Options
    from bakery_ops.rules.verdict import Verdict
    from bakery_ops.workflows.observe import watched_only
    from benchmarks import live

    graph = build_graph(load(live.manifests(), "live", namespace=live.NAMESPACE))
    lists = [(kind, version, live.read(folder, kind)) for kind, version in live.KINDS.items()]

    def work() -> int:
        seen = [item for kind, version, body in lists for item in Codec(version, kind).page(body).items]
        rollout, _ = machine.begin(
            graph, watched_only(graph), Options(), live.NOW, snapshot=seen, synced=STREAMED_KINDS
        )
        ready = sum(node.verdict is Verdict.READY for node in rollout.nodes.values())
        if ready != len(graph):
            raise RuntimeError(f"{ready} of {len(graph)} are ready: the wrong work was measured")
        return len(seen)

    return work


def read_pods_typed(folder: Path) -> Work:
    """The same bytes as the `kubernetes` package's typed models; nothing is judged."""
    from kubernetes.client import ApiClient

    from benchmarks import live

    client = ApiClient()
    names = {"Pod": "V1PodList", "ReplicaSet": "V1ReplicaSetList", "Deployment": "V1DeploymentList"}
    lists = [(names[kind], live.read(folder, kind)) for kind in live.KINDS]

    def work() -> int:
        return sum(len(client.deserialize(body.decode(), name, "application/json").items) for name, body in lists)

    return work


def watch_intake(folder: Path) -> Work:
    """20,000 lines of a watch of pods, decoded and delivered as our reflector does it."""
    from bakery_ops.cluster import decode
    from bakery_ops.cluster.delivered import Delivered
    from benchmarks import live

    lines = live.watch_lines(folder, 20_000)
    found: list[object] = []

    def work() -> int:
        found.clear()
        codec, delivered = decode.Codec("v1", "Pod"), Delivered("", "Pod", found.append)
        for line in lines:
            delivered.changed(codec.object(decode.watch_event(line).object), live.NOW)
        return len(found)

    return work


def watch_intake_typed(folder: Path) -> Work:
    """A tenth of the lines, by the `kubernetes` package's own watch."""
    from kubernetes.watch import Watch

    from benchmarks import live

    lines = [line.decode() for line in live.watch_lines(folder, 2_000)]
    watch: Any = Watch()  # type: ignore[no-untyped-call] # the package ships no types
    return lambda: sum(watch.unmarshal_event(line, "V1Pod") is not None for line in lines)


WORKS: dict[str, Callable[[Path], Work]] = {
    work.__name__: work
    for work in (
        render_cold,
        render_cached,
        check_documents,
        prove_capacity,
        judge_pods,
        read_pods_typed,
        watch_intake,
        watch_intake_typed,
    )
}


def main(arguments: Sequence[str]) -> None:
    name, folder = arguments
    work = WORKS[name](Path(folder))
    before, times, count = _reset_peak(), [], 0
    for _ in range(3):
        began, used = perf_counter(), _cpu()
        count = work()
        times.append((perf_counter() - began, _cpu() - used))
    seconds, cpu = (min(column) for column in zip(*times, strict=True))
    grew = _resident("VmHWM") - before
    print(json.dumps({"seconds": seconds, "cpu": cpu, "grew_mb": grew, "count": count}))


def _cpu() -> float:
    """Seconds used by this process and by the programs it started and waited for."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


def _reset_peak() -> float:
    """Forget the peak so far (Linux: proc(5), clear_refs); what is resident now, in MB."""
    Path("/proc/self/clear_refs").write_text("5")
    return _resident("VmRSS")


def _resident(field: str) -> float:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{field}:")) / 1024


if __name__ == "__main__":
    main(sys.argv[1:])
