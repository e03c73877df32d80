"""The tools that are compared, each started as its users start it."""

from __future__ import annotations

import json
import re
import shlex
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

from bakery_ops.sandbox.binaries import build_tool
from benchmarks.measure import Run
from benchmarks.surroundings import KUBECTL, ROOT, SCRIPTS, surroundings
from benchmarks.workloads import Workload

OURS = "bakery_ops"
_PAINT = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")  # colours and cursor movements of a terminal
LOOKS_ON = 10.0  # the stability window: `Options.stability`


class Stage(NamedTuple):
    """Where a tool works: the kubeconfig and its only context, and a home without anybody's settings."""

    kubeconfig: Path
    context: str
    home: Path

    @property
    def environment(self) -> Mapping[str, str]:
        return surroundings(self.home, self.kubeconfig)


class Contestant(NamedTuple):
    """A tool and a way to use it.

    Attributes:
        argv: The command for a set on a stage.
        waits: Whether it ends only when all is ready.
        looks_on: Seconds for which it goes on watching, on purpose, after all was ready.
        verdict: When it knew that all was ready, in seconds since the epoch; its end where it does not say.
    """

    name: str
    argv: Callable[[Workload, Stage], tuple[str, ...]]
    waits: bool = False
    looks_on: float = 0.0
    verdict: Callable[[Run], float] = lambda run: run.ended


def our_verdicts(run: Run) -> dict[str, float]:
    """The last "ready" of each Deployment in the run's record, by name; its times are the server's to within
    milliseconds."""
    folder = re.findall(r"report: (\S+)", _PAINT.sub("", run.output))[-1]
    lines = (ROOT / folder / "events.ndjson").read_text().splitlines()
    events = [json.loads(line) for line in lines]
    return {
        one["node"].rpartition("/")[2]: float(one["at"])
        for one in events
        if one["type"] == "verdict" and one["to"] == "ready" and one["kind"] == "Deployment"
    }


def our_verdict(run: Run) -> float:
    """When the last Deployment was "ready" to us."""
    return max(our_verdicts(run).values())


def ours(workload: Workload, stage: Stage) -> tuple[str, ...]:
    command = (str(SCRIPTS / "invoke"), "deploy", "--overlay", str(workload.folder), "--namespace", workload.namespace)
    return (*command, "--context", stage.context, "--kubeconfig", str(stage.kubeconfig))


def kubectl_apply(workload: Workload, stage: Stage, *flags: str) -> tuple[str, ...]:
    return (str(KUBECTL), "apply", *flags, "-f", str(workload.folder))


def apply_then_rollout_status(workload: Workload, stage: Stage) -> tuple[str, ...]:
    """`kubectl apply --server-side`, then `kubectl rollout status` for one Deployment after the other."""
    apply = shlex.join(kubectl_apply(workload, stage, "--server-side"))
    status = shlex.join([str(KUBECTL), "rollout", "status", "--namespace", workload.namespace])
    names = " ".join(sorted(workload.deployments))
    return ("/bin/sh", "-ec", f"{apply}; for name in {names}; do {status} deployment/$name; done")


def _kapp(program: Path, *flags: str) -> Callable[[Workload, Stage], tuple[str, ...]]:
    def argv(workload: Workload, stage: Stage) -> tuple[str, ...]:
        where = ("--app", "benchmark", "--namespace", workload.namespace, "--file", str(workload.folder))
        return (str(program), "deploy", *where, "--yes", "--color=false", *flags)

    return argv


def _skaffold(program: Path, *flags: str) -> Callable[[Workload, Stage], tuple[str, ...]]:
    def argv(workload: Workload, stage: Stage) -> tuple[str, ...]:
        configuration = stage.home / f"skaffold-{workload.namespace}.yaml"
        configuration.write_text(
            "apiVersion: skaffold/v4beta11\nkind: Config\nmetadata: {name: benchmark}\n"
            f"manifests: {{rawYaml: ['{workload.folder}/*.yaml']}}\ndeploy: {{kubectl: {{}}}}\n"
        )
        where = ("--filename", str(configuration), "--namespace", workload.namespace)
        return (str(program), "run", *where, f"--kube-context={stage.context}", *flags)

    return argv


def _helm(program: Path, *flags: str) -> Callable[[Workload, Stage], tuple[str, ...]]:
    def argv(workload: Workload, stage: Stage) -> tuple[str, ...]:
        chart = stage.home / f"chart-{workload.namespace}"
        shutil.copytree(workload.folder, chart / "templates", dirs_exist_ok=True)
        (chart / "Chart.yaml").write_text("apiVersion: v2\nname: benchmark\nversion: 0.1.0\n")
        command = (str(program), "upgrade", "--install", "benchmark", str(chart))
        return (*command, "--namespace", workload.namespace, f"--kube-context={stage.context}", *flags)

    return argv


def contestants(say: Callable[[str], None]) -> tuple[list[Contestant], list[Contestant]]:
    """Those that apply, and those that apply and wait for all; ours always waits. Builds what is missing."""
    kapp = build_tool("kapp", repository=ROOT, say=say)
    skaffold = build_tool("skaffold", repository=ROOT, say=say)
    helm = build_tool("helm", repository=ROOT, say=say)
    we = Contestant(OURS, ours, waits=True, looks_on=LOOKS_ON, verdict=our_verdict)
    applying = [
        we,
        Contestant("kubectl apply --server-side", lambda one, stage: kubectl_apply(one, stage, "--server-side")),
        Contestant("kubectl apply", kubectl_apply),
        Contestant("kapp deploy --wait=false", _kapp(kapp, "--wait=false")),
        Contestant("helm upgrade --install", _helm(helm)),
        Contestant("skaffold run --status-check=false", _skaffold(skaffold, "--status-check=false")),
    ]
    waiting = [
        we,
        Contestant("kubectl apply + rollout status", apply_then_rollout_status, waits=True),
        Contestant("kapp deploy", _kapp(kapp), waits=True),
        Contestant("helm upgrade --install --wait", _helm(helm, "--wait"), waits=True),
        Contestant("skaffold run", _skaffold(skaffold), waits=True),
    ]
    return applying, waiting
