"""One point of the kill-point sweep (docs/faults.md, section 3) at level L2: from an empty namespace to the proof."""

from __future__ import annotations

import base64
import difflib
import json
import os
import re
import signal
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bakery_ops.model.contract import CONTENT_HASH, FENCE
from bakery_ops.sandbox.lifecycle import SandboxStatus
from tests.commands import ARGV, ROOT, kubectl
from tests.proxy import FaultProxy, Kill, Upstream, upstream_of
from tests.proxy_faults import Call

PLATFORM = Path(__file__).with_name("sweep") / "platform.yaml"
KINDS = (
    "configmaps",
    "secrets",
    "persistentvolumeclaims",
    "serviceaccounts",
    "services",
    "statefulsets",
    "deployments",
    "jobs",
)
_OUR_RECORDS = re.compile(r"bakery-ops-(inventory|journal|release)")
_VOLATILE_METADATA = (
    "uid",
    "resourceVersion",
    "generation",
    "creationTimestamp",
    "managedFields",
    "namespace",
    "selfLink",
)
_VOLATILE_LABELS = ("controller-uid", "batch.kubernetes.io/controller-uid")
_VOLATILE_SPEC = ("clusterIP", "clusterIPs")


Arrange = Callable[[FaultProxy], None]


@dataclass(frozen=True)
class Run:
    """How a run of the tool ended, what it changed, and all that it asked."""

    status: int
    output: str
    mutations: Sequence[str]
    calls: Sequence[Call] = ()


@dataclass(frozen=True)
class Site:
    """A namespace to sweep in, reached through a proxy of its own."""

    cluster: SandboxStatus
    namespace: str
    folder: Path
    environment: tuple[tuple[str, str], ...] = ()

    def prepare(self, text: str = "") -> None:
        """Write the manifests: those of the sweep, or `text`, where "the-namespace" stands for this site's."""
        (self.folder / "overlay").mkdir(parents=True, exist_ok=True)
        text = (text or PLATFORM.read_text()).replace("the-namespace", self.namespace)
        (self.folder / "overlay" / "platform.yaml").write_text(text)

    @property
    def upstream(self) -> Upstream:
        return upstream_of(self.cluster.kubeconfig, self.cluster.kubeconfig.parent / "pki")

    def deploy(self, kill: Kill | None = None, arrange: Arrange = lambda proxy: None) -> Run:
        """A run of `invoke deploy`, killed where `kill` says, through a proxy that `arrange` told what to break."""
        with self.deploying(kill, arrange) as (process, proxy):
            output, _ = process.communicate(timeout=300)
            return Run(process.returncode, output, [str(call) for call in proxy.mutations], tuple(proxy.rules.calls))

    @contextmanager
    def deploying(
        self, kill: Kill | None = None, arrange: Arrange = lambda proxy: None
    ) -> Iterator[tuple[subprocess.Popen[str], FaultProxy]]:
        """A run that has just begun, and its proxy."""
        with FaultProxy(self.upstream) as proxy:
            kubeconfig = proxy.write_kubeconfig(self.folder / f"kubeconfig-{proxy.port}")
            proxy.kill = kill
            arrange(proxy)
            words = ["deploy", "--overlay", str(self.folder / "overlay"), *self.words(kubeconfig)]
            process = subprocess.Popen(
                [*ARGV, *words],
                cwd=ROOT,
                env={**os.environ, "BAKERY_LOCK_SECONDS": "3", **dict(self.environment)},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            )
            proxy.victim = process.pid
            with process:
                try:
                    yield process, proxy
                finally:
                    process.kill()

    def words(self, kubeconfig: Path | None = None) -> list[str]:
        """The flags that lead to this site, straight or through a proxy."""
        place = str(kubeconfig or self.cluster.kubeconfig)
        return ["--namespace", self.namespace, "--kubeconfig", place, "--context", self.cluster.context]

    def live(self) -> list[dict[str, Any]]:
        text = kubectl(
            self.cluster.kubeconfig, "get", ",".join(KINDS), "-n", self.namespace, "-o", "json", "--show-managed-fields"
        )
        items: list[dict[str, Any]] = json.loads(text)["items"]
        return items

    def jobs(self) -> Mapping[str, str]:
        """Name with image, and UID, of every Job."""
        return {_job(item): item["metadata"]["uid"] for item in self.live() if item["kind"] == "Job"}

    def pods_of(self, jobs: Mapping[str, str]) -> int:
        text = kubectl(self.cluster.kubeconfig, "get", "pods", "-n", self.namespace, "-l", "job-name", "-o", "json")
        labels = [pod["metadata"]["labels"] for pod in json.loads(text)["items"]]
        return sum(one["batch.kubernetes.io/controller-uid"] in jobs.values() for one in labels)

    def kept(self) -> Mapping[str, str]:
        """What no run may lose or make anew (I2): the UID of every claim, the values of every Secret."""
        return {
            f"{item['kind']}/{item['metadata']['name']}": item["metadata"]["uid"] + json.dumps(item.get("data"))
            for item in self.live()
            if item["kind"] in ("Secret", "PersistentVolumeClaim")
        }

    def leaks(self, *runs: Run) -> list[str]:
        """Secret values in what runs printed and left behind (I6), by the name of the key."""
        secrets = [item for item in self.live() if item["kind"] == "Secret"]
        values = {f"{one['metadata']['name']}.{key}": text for one in secrets for key, text in one["data"].items()}
        written = "".join(run.output + _left_behind(run) for run in runs)
        plain = {name: base64.b64decode(text).decode() for name, text in values.items()}
        return [name for name in values if values[name] in written or plain[name] in written]

    def outside_inventory(self) -> list[str]:
        """What we wrote and the inventory does not know (I1)."""
        items = self.live()
        text = next(
            (item["data"]["objects"] for item in items if item["metadata"]["name"] == "bakery-ops-inventory"), ""
        )
        known = {tuple(line.split("/")[1::2]) for line in text.splitlines()}
        ours = [(item["kind"], item["metadata"]["name"]) for item in items if _is_ours(item)]
        return [f"{kind}/{name}" for kind, name in ours if (kind, name) not in known]

    def holder(self) -> str:
        found = kubectl(self.cluster.kubeconfig, "get", "leases", "-n", self.namespace, "-o", "json")
        return "".join(item["spec"].get("holderIdentity") or "" for item in json.loads(found)["items"])

    def dump(self) -> str:
        """Everything but what differs between any two deploys, as text to compare."""
        kept = [_normal(item) for item in self.live() if _is_ours(item)]
        return json.dumps(
            sorted(kept, key=lambda item: (item["kind"], item["metadata"]["name"])), indent=1, sort_keys=True
        )

    def remove(self) -> None:
        kubectl(self.cluster.kubeconfig, "delete", "namespace", self.namespace, "--wait=false")


def sweep_point(site: Site, kills: Sequence[Kill], baseline: str, *, first: str = "", then: str = "") -> list[str]:
    """Everything that is wrong with killing the tool at each of `kills` in turn and running it once more.

    Args:
        kills: One for every run but the last; two kill the rerun as well.
        baseline: The dump of an undisturbed run.
        first, then: Manifests deployed undisturbed before, and those that are swept; "" means the sweep's own.
    Returns: sentences; [] is the promise kept.
    """
    if first:
        site.prepare(first)
        assert (before := site.deploy()).status == 0, before.output
    site.prepare(then)
    runs: list[Run] = []
    wrong: list[str] = []
    kept, jobs = dict(site.kept()) if first else {}, {}
    for kill in kills:
        wreck = site.deploy(kill)
        runs.append(wreck)
        if wreck.status == 0 and len(wreck.mutations) < kill.mutation + (kill.cut == "B"):
            break  # the journal writes several entries at once, so a slower machine has fewer mutations to die at
        if wreck.status != -signal.SIGKILL:
            wrong.append(f"the tool was not killed but ended with {wreck.status}\n{wreck.output}")
        wrong += [f"outside the inventory: {name}" for name in site.outside_inventory()]
        wrong += _lost(kept, site.kept())
        kept |= site.kept()
        jobs |= site.jobs()
    wrong += _converged(site, runs, baseline, kept, jobs)
    where = ", ".join(
        f"cut {kill.cut} of mutation {kill.mutation} {list(run.mutations[kill.mutation - 1 : kill.mutation])}"
        for kill, run in zip(kills, runs, strict=False)
    )
    site.remove()
    return [f"{where}: {problem}" for problem in wrong]


def _converged(
    site: Site, runs: Sequence[Run], baseline: str, kept: Mapping[str, str], jobs: Mapping[str, str]
) -> Iterator[str]:
    """What is wrong after one more undisturbed run, and with the one after that."""
    dead = site.holder()
    rerun = site.deploy()
    if rerun.status != 0:
        yield f"the rerun ended with {rerun.status}\n{rerun.output}"
        return
    if bool(dead) != ("taking over the lock" in rerun.output):
        yield f"the lock was held by {dead or 'nobody'}, and the rerun said\n{rerun.output}"
    yield from _lost(kept, site.kept())
    again = site.jobs()
    if any(again.get(name, uid) != uid for name, uid in jobs.items()) or site.pods_of(again) != len(again):
        yield f"a Job ran twice: {jobs} became {again}, {site.pods_of(again)} pods"
    if (dump := site.dump()) != baseline:
        lines = difflib.unified_diff(baseline.splitlines(), dump.splitlines(), "undisturbed", "rerun", n=2, lineterm="")
        yield "\n".join(["the result differs", *lines])
    if site.holder():
        yield f"the lock is still held by {site.holder()}"
    third = site.deploy()
    if third.mutations:
        yield f"a third run wrote {third.mutations}"
    yield from (f"the value of {name} was printed or left behind" for name in site.leaks(*runs, rerun, third))


def _lost(before: Mapping[str, str], now: Mapping[str, str]) -> list[str]:
    return [f"{name} was lost or made anew" for name, state in before.items() if now.get(name) != state]


def _left_behind(run: Run) -> str:
    """The text of everything in the folder of a run."""
    found = re.search(r"^  report: (.+)$", run.output, re.MULTILINE)
    return "".join(file.read_text() for file in Path(found[1]).iterdir() if file.is_file()) if found else ""


def _job(item: Mapping[str, Any]) -> str:
    return f"{item['metadata']['name']} {item['spec']['template']['spec']['containers'][0]['image']}"


def _is_ours(item: Mapping[str, Any]) -> bool:
    managers = {entry.get("manager") for entry in item["metadata"].get("managedFields") or ()}
    return "bakery-ops" in managers and not _OUR_RECORDS.match(item["metadata"]["name"])


def _normal(item: Mapping[str, Any]) -> dict[str, Any]:
    metadata = {key: value for key, value in item["metadata"].items() if key not in _VOLATILE_METADATA}
    annotations = {key: text for key, text in metadata.get("annotations", {}).items() if key != FENCE}
    # The hash covers the namespace's name, which is another one at every point of the sweep.
    metadata["annotations"] = annotations | ({CONTENT_HASH: "present"} if CONTENT_HASH in annotations else {})
    body = {**item, "metadata": metadata}
    body.pop("status", None)
    if item["kind"] == "Secret":
        body["data"] = {key: f"present, length {len(text)}" for key, text in item["data"].items()}
    text = json.dumps(
        {key: value for key, value in body.items() if key != "spec"} | {"spec": _without(item.get("spec") or {})}
    )
    normal: dict[str, Any] = json.loads(text.replace(str(item["metadata"]["uid"]), "the object's own"))
    return normal


def _without(specification: Mapping[str, Any]) -> dict[str, Any]:
    kept = {key: value for key, value in specification.items() if key not in _VOLATILE_SPEC}
    labels = ((kept.get("template") or {}).get("metadata") or {}).get("labels") or {}
    for label in _VOLATILE_LABELS:
        labels.pop(label, None)
    (kept.get("selector") or {}).get("matchLabels", {}).pop("batch.kubernetes.io/controller-uid", None)
    return kept
