"""One point of the kill-point sweep (docs/faults.md, section 3) at level L2: from an empty namespace to the proof."""

from __future__ import annotations

import difflib
import json
import re
import signal
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bakery_ops.model.contract import CONTENT_HASH, FENCE
from bakery_ops.sandbox.lifecycle import SandboxStatus
from tests.commands import ARGV, ROOT, kubectl
from tests.proxy import FaultProxy, Kill, Upstream, upstream_of

PLATFORM = Path(__file__).with_name("sweep") / "platform.yaml"
KINDS = ("configmaps", "serviceaccounts", "services", "statefulsets", "deployments", "jobs")
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


@dataclass(frozen=True)
class Run:
    """How a run of the tool ended, and what it changed."""

    status: int
    output: str
    mutations: Sequence[str]


@dataclass(frozen=True)
class Site:
    """A namespace to sweep in, reached through a proxy of its own."""

    cluster: SandboxStatus
    namespace: str
    folder: Path

    def prepare(self) -> None:
        text = PLATFORM.read_text()
        assert text.count("sweep}") > 5
        (self.folder / "overlay").mkdir(parents=True)
        (self.folder / "overlay" / "platform.yaml").write_text(text.replace("sweep}", f"{self.namespace}}}"))

    @property
    def upstream(self) -> Upstream:
        return upstream_of(self.cluster.kubeconfig, self.cluster.kubeconfig.parent / "pki")

    def deploy(self, kill: Kill | None = None) -> Run:
        """One run of `invoke deploy`, killed where `kill` says."""
        with FaultProxy(self.upstream) as proxy:
            kubeconfig = proxy.write_kubeconfig(self.folder / "kubeconfig")
            proxy.kill = kill
            words = ["--namespace", self.namespace, "--kubeconfig", str(kubeconfig), "--context", self.cluster.context]
            process = subprocess.Popen(
                [*ARGV, "deploy", "--overlay", str(self.folder / "overlay"), *words],
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            )
            proxy.victim = process.pid
            output, _ = process.communicate(timeout=300)
            return Run(process.returncode, output, [str(call) for call in proxy.mutations])

    def live(self) -> list[dict[str, Any]]:
        text = kubectl(
            self.cluster.kubeconfig, "get", ",".join(KINDS), "-n", self.namespace, "-o", "json", "--show-managed-fields"
        )
        items: list[dict[str, Any]] = json.loads(text)["items"]
        return items

    def jobs(self) -> Mapping[str, str]:
        """Name and UID of every Job."""
        return {item["metadata"]["name"]: item["metadata"]["uid"] for item in self.live() if item["kind"] == "Job"}

    def pods_of_jobs(self) -> int:
        text = kubectl(self.cluster.kubeconfig, "get", "pods", "-n", self.namespace, "-l", "job-name", "-o", "json")
        return len(json.loads(text)["items"])

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


def sweep_point(site: Site, kill: Kill, baseline: str) -> list[str]:
    """Everything that is wrong with killing the tool at `kill` and running it again; [] is the promise kept."""
    site.prepare()
    wreck = site.deploy(kill)
    at = f"cut {kill.cut} of mutation {kill.mutation} ({wreck.mutations[kill.mutation - 1 : kill.mutation]})"
    if wreck.status == 0 and len(wreck.mutations) < kill.mutation + (kill.cut == "B"):
        return []  # the journal writes several entries at once, so a slower machine has fewer mutations to die at
    if wreck.status != -signal.SIGKILL:
        return [f"{at}: the tool was not killed but ended with {wreck.status}\n{wreck.output}"]
    wrong = [f"{at}: outside the inventory: {name}" for name in site.outside_inventory()]
    jobs = site.jobs()
    rerun = site.deploy()
    if rerun.status != 0:
        return [*wrong, f"{at}: the rerun ended with {rerun.status}\n{rerun.output}"]
    if (again := site.jobs()) | jobs != again or site.pods_of_jobs() != len(again):
        wrong.append(f"{at}: a Job ran twice: {jobs} became {again}, {site.pods_of_jobs()} pods")
    if (dump := site.dump()) != baseline:
        difference = difflib.unified_diff(
            baseline.splitlines(), dump.splitlines(), "undisturbed", "rerun", n=2, lineterm=""
        )
        wrong.append("\n".join([f"{at}: the result differs", *difference]))
    if site.holder():
        wrong.append(f"{at}: the lock is still held by {site.holder()}")
    if (third := site.deploy()).mutations:
        wrong.append(f"{at}: a third run wrote {third.mutations}")
    site.remove()
    return wrong


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
