"""The tools that are given the faults of a real node, each started as its users start it, with one deadline for all."""

from __future__ import annotations

import shlex
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

import yaml

from bakery_ops.sandbox.binaries import build_tool
from benchmarks.surroundings import KUBECTL, ROOT, SCRIPTS, surroundings

# What `kubectl rollout status` can follow; for a Job people wait for its condition Complete.
_FOLLOWED = ("Deployment", "StatefulSet", "DaemonSet")


class Task(NamedTuple):
    """What one tool has to do: a folder of manifests, the namespace (it is there), and how many seconds it may take.

    `home` is an empty folder of its own, without anybody's settings.
    """

    manifests: Path
    namespace: str
    deadline: int
    kubeconfig: Path
    context: str
    home: Path

    @property
    def environment(self) -> Mapping[str, str]:
        """Each tool reads what is meant for it."""
        return {**surroundings(self.home, self.kubeconfig), "BAKERY_DEADLINE": f"{self.deadline}s"}


Argv = tuple[str, ...]


class Deployer(NamedTuple):
    """A tool. `short` names its namespaces; `argv` makes what the tool wants to find, and returns the command."""

    name: str
    short: str
    argv: Callable[[Task], Argv]


def deployers(say: Callable[[str], None], wanted: Callable[[str], bool]) -> tuple[Deployer, ...]:
    """The tools whose short names are wanted, built where the cache lacks them (minutes)."""
    makers: Mapping[str, Callable[[], Deployer]] = {
        "ours": lambda: Deployer("invoke deploy", "ours", _ours),
        "skaffold": lambda: Deployer("skaffold run", "skaffold", _skaffold(_built("skaffold", say))),
        "kapp": lambda: Deployer("kapp deploy", "kapp", _kapp(_built("kapp", say))),
        "helm": lambda: Deployer("helm install --wait", "helm", _helm(_built("helm", say))),
        "kubectl": lambda: Deployer("kubectl apply + rollout status", "kubectl", _kubectl),
    }
    return tuple(make() for short, make in makers.items() if wanted(short))


def _built(name: str, say: Callable[[str], None]) -> Path:
    return build_tool(name, repository=ROOT, say=say)


def _ours(task: Task) -> Argv:
    where = ("--namespace", task.namespace, "--context", task.context)
    return (str(SCRIPTS / "invoke"), "deploy", "--overlay", str(task.manifests), *where)


def _kubectl(task: Task) -> Argv:
    """Apply, then one workload after the other; the first that is told to have failed ends it."""
    kubectl = (str(KUBECTL), "--namespace", task.namespace)
    commands: list[Argv] = [(*kubectl, "apply", "--filename", str(task.manifests))]
    for kind, name in _workloads(task.manifests):
        if kind in _FOLLOWED:
            commands.append((*kubectl, "rollout", "status", f"{kind.lower()}/{name}", f"--timeout={task.deadline}s"))
        elif kind == "Job":
            condition = ("--for=condition=complete", f"--timeout={task.deadline}s")
            commands.append((*kubectl, "wait", f"job/{name}", *condition))
    return ("/bin/sh", "-ec", "\n".join(map(shlex.join, commands)))


def _workloads(manifests: Path) -> list[tuple[str, str]]:
    """Kind and name of every object of the folder, in the order of the files."""
    documents = (
        document for path in sorted(manifests.glob("*.yaml")) for document in yaml.safe_load_all(path.read_text())
    )
    return [(document["kind"], document["metadata"]["name"]) for document in documents]


def _kapp(program: Path) -> Callable[[Task], Argv]:
    def argv(task: Task) -> Argv:
        where = ("--app", "fault", "--namespace", task.namespace, "--into-ns", task.namespace)
        waits = (f"--wait-timeout={task.deadline}s", f"--wait-resource-timeout={task.deadline}s")
        return (str(program), "deploy", *where, "--file", str(task.manifests), "--yes", "--color=false", *waits)

    return argv


def _helm(program: Path) -> Callable[[Task], Argv]:
    def argv(task: Task) -> Argv:
        chart = task.home / "chart"
        shutil.copytree(task.manifests, chart / "templates")
        (chart / "Chart.yaml").write_text("apiVersion: v2\nname: fault\nversion: 0.1.0\n")
        waits = ("--wait", "--wait-for-jobs", f"--timeout={task.deadline}s")
        return (str(program), "install", "fault", str(chart), "--namespace", task.namespace, *waits)

    return argv


def _skaffold(program: Path) -> Callable[[Task], Argv]:
    def argv(task: Task) -> Argv:
        configuration = {
            "apiVersion": "skaffold/v4beta11",
            "kind": "Config",
            "metadata": {"name": "fault"},
            "manifests": {"rawYaml": [f"{task.manifests}/*.yaml"]},
            "deploy": {"kubectl": {}, "statusCheckDeadlineSeconds": task.deadline},
        }
        path = task.home / "skaffold.yaml"
        path.write_text(yaml.safe_dump(configuration))
        where = (f"--filename={path}", f"--namespace={task.namespace}", f"--kube-context={task.context}")
        return (str(program), "run", *where, "--status-check=true")

    return argv
