"""Faults put into the shipped platform on simulated nodes, and what a deploy has to say of each.

A fault is a patch of one workload on top of an overlay, as a user would write it. The simulated kubelet does what the
annotation `bakery-ia.dev/simulate` says (`bakery_ops/sandbox/failures.py`); scheduler and controllers are real.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bakery_ops.model.contract import COMPONENT, NAME, WAITS_FOR, Stage
from bakery_ops.rules import evidence as rows
from tests.commands import ARGV, ROOT
from tests.manifests.rendered import K8S, Rendered, component

Patch = Mapping[str, Any]

RUN_TIME, BACK_OFF = 1.0, 2.0
"""How long the simulated kubelet lets a crashing container run, and how long it waits then, in seconds."""


@dataclass(frozen=True)
class Fault:
    """One way to break one workload.

    Attributes:
        node: The workload's name; its kind follows from the name.
        says: Regular expression of what stands between "<node> <state>: " and the end of the sentence.
        verdict_after: Seconds from the first evidence to the verdict: the hold time, or until the count is used up.
        mode, more: The value of the annotation, "" for none, and other annotations by their short names.
        spec: Merged into the workload's spec, beside the annotations.
    """

    name: str
    node: str
    says: str
    verdict_after: float
    mode: str = ""
    more: Mapping[str, str] = field(default_factory=dict)
    spec: Mapping[str, Any] = field(default_factory=dict)

    @property
    def patch(self) -> Patch:
        marks = {**({"simulate": self.mode} if self.mode else {}), **self.more}
        template = {"metadata": {"annotations": {f"bakery-ia.dev/{key}": value for key, value in marks.items()}}}
        return patch(self.node, merged({"template": template}, self.spec))

    @property
    def state(self) -> str:
        return "has failed" if kind_of(self.node) == "Job" else "is down"

    def matches(self, sentence: str, blocks: str = "") -> bool:
        """Whether `sentence` is the one about this fault; `blocks` is its end, "" when nothing is blocked."""
        tail = f"; blocks {blocks}" if blocks else ""
        wanted = f"{re.escape(self.node)} {self.state}: {self.says}{re.escape(tail)}"
        return re.fullmatch(wanted, sentence) is not None


def held(row: rows.Row) -> float:
    assert row.hold is not None
    return row.hold


def counted(row: rows.Row, *, run: float = RUN_TIME, pause: float = BACK_OFF, restarts: bool = True) -> float:
    """From the first bad end to the one (or the restart after it) that uses up the budget."""
    return (row.budget - 1) * (run + pause) + (pause if restarts else 0)


_NO_PROBE: Mapping[str, Any] = {"template": {"spec": {"containers": [{"name": "app", "readinessProbe": None}]}}}
_RARELY: Mapping[str, str] = {"simulate-run-time": "4s"}

FAULTS = (
    Fault(
        "image not found",
        "auth-service",
        r"ErrImagePull: rpc error: code = NotFound .*: not found",
        held(rows.IMAGE_MISSING),
        "image-not-found",
    ),
    Fault(
        "Secret of the environment gone after the preflight",
        "orders-service",
        r'CreateContainerConfigError: secret "orders-key" not found',
        held(rows.CONFIG_MISSING),
        "missing-secret",
        {"simulate-missing": "orders-key"},
    ),
    Fault(
        "Secret of a volume gone after the preflight",
        "tenant-service",
        r'FailedMount: MountVolume\.SetUp failed for volume "credentials" : secret "tenant-key" not found',
        held(rows.MOUNT_MISSING),
        "missing-volume",
        {"simulate-missing": "tenant-key"},
    ),
    Fault(
        "crash loop",
        "sales-service",
        r"CrashLoopBackOff: exit code 1, 3 restarts",
        counted(rows.CRASH_LOOP),
        "crash-loop",
    ),
    Fault(
        "crash loop that looks ready at first, without a probe",
        "recipes-service",
        r"CrashLoopBackOff: exit code 1, 3 restarts",
        counted(rows.CRASH_LOOP, run=4.2),
        "crash-after-ready",
        _RARELY,
        _NO_PROBE,
    ),
    Fault(
        "out of memory",
        "pos-service",
        r"OOMKilled: killed for exceeding its memory limit of \w+ \(exit code 137\), 2 times",
        counted(rows.OUT_OF_MEMORY, restarts=False),
        "oom-killed",
    ),
    Fault(
        "out of memory after it was ready",
        "inventory-service",
        r"OOMKilled: killed for exceeding its memory limit of \w+ \(exit code 137\), 2 times",
        counted(rows.OUT_OF_MEMORY, run=4.2, restarts=False),
        "oom-after-ready",
        _RARELY,
    ),
    Fault(
        "killed by its liveness probe",
        "suppliers-service",
        r"Unhealthy: the liveness probe failed and the container was killed, 3 restarts",
        counted(rows.PROBE_KILLS, run=2.0, pause=0.0),
        "liveness-killed",
    ),
    Fault(
        "init container exits with 3",
        "production-service",
        r"CrashLoopBackOff: exit code 3, 3 restarts",
        counted(rows.CRASH_LOOP, run=0.5),
        "init-fails",
    ),
    Fault(
        "evicted again and again",
        "training-service",
        r"Evicted: The node was low on resource: memory\. .*, 3 times",
        counted(rows.EVICTED, run=0.5, pause=0.5, restarts=False),
        "evicted",
    ),
    Fault(
        "seed Job fails",
        "demo-seed-users",
        r"BackoffLimitExceeded: container seed ended with exit code 1 \(Job has reached the specified backoff limit\)",
        held(rows.JOB_FAILED),
        "job-failed",
        spec={"backoffLimit": 0},
    ),
)

BY_NAME: Mapping[str, Fault] = {fault.name: fault for fault in FAULTS}


def kind_of(node: str) -> str:
    if node.endswith("-db") or node in ("redis", "rabbitmq"):
        return "StatefulSet"
    return "Job" if node.endswith("-migration") or node.startswith("demo-seed-") else "Deployment"


def patch(node: str, spec: Mapping[str, Any]) -> Patch:
    kind = kind_of(node)
    group = "batch/v1" if kind == "Job" else "apps/v1"
    return {"apiVersion": group, "kind": kind, "metadata": {"name": node}, "spec": spec}


def merged(first: Mapping[str, Any], second: Mapping[str, Any]) -> dict[str, Any]:
    """Both, where mappings meet merged; else the second wins."""
    both = {**first, **second}
    for key in first.keys() & second.keys():
        if isinstance(first[key], Mapping) and isinstance(second[key], Mapping):
            both[key] = merged(first[key], second[key])
    return both


def write_overlay(
    folder: Path, namespace: str, patches: Sequence[Patch] = (), resources: Sequence[Mapping[str, Any]] = ()
) -> Path:
    """The sandbox's overlay in another namespace, with patches and more objects: a folder to give to --overlay."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, body in enumerate(resources):
        (folder / f"more-{number}.yaml").write_text(json.dumps(body))
    base = os.path.relpath(K8S / "overlays" / "sandbox", folder)
    body = {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "namespace": namespace,
        "resources": [base, *(f"more-{number}.yaml" for number in range(len(resources)))],
        "patches": [{"patch": json.dumps(each)} for each in patches],
    }
    (folder / "kustomization.yaml").write_text(json.dumps(body))
    return folder


@dataclass(frozen=True)
class Ended:
    """A deploy that is over: exit code, report, and the facts of `runs/<id>/events.ndjson`."""

    code: int
    report: Mapping[str, Any]
    events: Sequence[Mapping[str, Any]]
    progress: str

    @property
    def sentences(self) -> list[str]:
        return [cause["sentence"] for cause in self.report.get("causes", ())]

    def verdict(self, node: str) -> str:
        return next(str(each["verdict"]) for each in self.report["nodes"] if each["name"] == node)

    def nodes(self, verdict: str) -> set[str]:
        return {each["name"] for each in self.report["nodes"] if each["verdict"] == verdict}

    def seconds_to_verdict(self, node: str) -> float:
        """From the first evidence against `node` (its verdict "failing") to "failed", in the server's time."""
        told = [event for event in self.events if event["type"] == "verdict" and event["node"] == node]
        failed = next(event["at"] for event in told if event["to"] == "failed")
        before = [event for event in told if event["at"] <= failed and event["to"] != "failed"]
        first = next((event["at"] for event in before if event["to"] == "failing"), failed)
        return float(failed - first)


def deploy(
    words: Sequence[str],
    *,
    env: Mapping[str, str] | None = None,
    after: str = "",
    act: Callable[[], object] = lambda: None,
    freeze: bool = False,
) -> Ended:
    """`invoke deploy WORDS --output json` to its end; `act` is called when a progress line contains `after`.

    `freeze`: the deploy stands still meanwhile, so that what `act` does is done before the next write.
    """
    # Not a pipe: nobody reads it while the progress is read, and a report is longer than a pipe holds.
    with tempfile.TemporaryFile("w+") as out:
        process = subprocess.Popen(
            [*ARGV, "deploy", *words, "--output", "json"],
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, **(env or {})},
        )
        with process:
            progress = _followed(process, after, act, freeze=freeze)
        out.seek(0)
        text = out.read()
    report = json.loads(text) if text.startswith("{") else {}
    return Ended(process.returncode, report, list(_events_of(text)) if report else [], progress)


def _followed(process: subprocess.Popen[str], after: str, act: Callable[[], object], *, freeze: bool) -> str:
    assert process.stderr is not None
    lines = []
    for line in process.stderr:
        lines.append(line)
        if after and after in line:
            after = ""
            with _frozen(process) if freeze else nullcontext():
                act()
    return "".join(lines)


@contextmanager
def _frozen(process: subprocess.Popen[str]) -> Iterator[None]:
    process.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        process.send_signal(signal.SIGCONT)


def _events_of(summary: str) -> Iterator[Mapping[str, Any]]:
    """The facts of the run that printed this report: its folder holds the same summary."""
    for folder in sorted((ROOT / "runs").iterdir(), reverse=True):
        written = folder / "summary.json"
        if written.exists() and written.read_text() == summary:
            yield from map(json.loads, (folder / "events.ndjson").read_text().splitlines())
            return


def blocked_by(rendered: Rendered, root: str) -> str:
    """What waits for `root`, directly or through others, counted per stage, as the annotations alone tell it."""
    needs = {workload.ref.name: _needs(rendered, workload) for workload in rendered.workloads}
    reached: set[str] = set()
    fresh = {root}
    while fresh:
        fresh = {name for name, waits in needs.items() if waits & fresh} - reached
        reached |= fresh
    counts = {
        stage: sum(component(each) == stage.value for each in rendered.workloads if each.ref.name in reached)
        for stage in Stage
    }
    return ", ".join(stage.counted(count) for stage, count in counts.items() if count)


def _needs(rendered: Rendered, workload: Any) -> set[str]:
    """The names behind `waits-for`: a workload's own name, or without its service's prefix (k8s/README.md)."""
    metadata = (workload.pod_template or {}).get("metadata") or {}
    names = {each.ref.name for each in rendered.workloads}
    own = metadata.get("labels", {}).get(NAME, "")
    waits = [word.strip() for word in metadata.get("annotations", {}).get(WAITS_FOR, "").split(",") if word.strip()]
    assert COMPONENT in metadata.get("labels", {}), workload.ref
    return {wait if wait in names else f"{own}-{wait}" for wait in waits}
