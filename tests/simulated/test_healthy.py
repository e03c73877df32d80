"""No false alarm: deploys of a platform that is slow and clumsy but healthy, disturbed while they run, all succeed.

Three deploys of a small platform and one of the whole by default; BAKERY_RUNS=67 makes it 201 and 67. A failure prints
the seed; BAKERY_SEED repeats the run.
"""

from __future__ import annotations

import json
import os
import random
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest
import yaml

from bakery_ops.model.contract import COMPONENT, NAME
from bakery_ops.sandbox.lifecycle import SandboxStatus
from bakery_ops.tools.kustomize import render_overlay
from tests.commands import ROOT, kubectl
from tests.simulated.faults import deploy
from tests.simulated.small_platform import SERVICES, Body, life, small_platform

COUNT = max(1, round(3 * float(os.environ.get("BAKERY_RUNS", "1"))))
WHOLE = max(1, round(float(os.environ.get("BAKERY_RUNS", "1"))))
SEED = int(os.environ.get("BAKERY_SEED", random.SystemRandom().randrange(10**6)))
SIDE_BY_SIDE = 8
MOMENTS = ("plan:", "databases:", "migrations:", "services:", "seed jobs:")
"""Words of the progress lines at which a deploy is disturbed."""


class Trouble:
    """What a cluster goes through while somebody deploys: a pod is deleted, or redis goes and its clients crash."""

    def __init__(self, dice: random.Random, kubeconfig: Path, namespace: str, *, clients: str) -> None:
        self._dice, self._kubeconfig, self._namespace, self._clients = dice, kubeconfig, namespace, clients
        self.told = ""

    def __call__(self) -> None:
        self._dice.choice([self._lose_a_pod, self._lose_redis])()

    def _kubectl(self, *words: str) -> str:
        return kubectl(self._kubeconfig, "--namespace", self._namespace, *words)

    def _lose_a_pod(self) -> None:
        selector = "app.kubernetes.io/component in (infrastructure,database,microservice)"
        pods = self._kubectl("get", "pods", "--selector", selector, "--output", "name").split()
        if pods:
            chosen = self._dice.choice(pods)
            self.told = f"deleted {chosen}"
            self._kubectl("delete", chosen, "--ignore-not-found", "--wait=false")

    def _lose_redis(self) -> None:
        """Its clients crash while it is not ready, more often than a healthy container may: not their own fault."""
        self.told = "took redis out of service, let its clients crash meanwhile"
        clients = ["pods", "--selector", self._clients]
        mark = "bakery-ia.dev/simulate"
        quickly = ("bakery-ia.dev/simulate-run-time=300ms", "bakery-ia.dev/simulate-back-off=400ms")
        crashed = "--for=jsonpath={.status.containerStatuses[0].restartCount}=5"
        with suppress(AssertionError):  # nothing is there yet, or it is replaced meanwhile: a lesser trouble
            self._kubectl("wait", "pod", "redis-0", "--for=condition=Ready", "--timeout=15s")
            self._kubectl("annotate", "pod", "redis-0", "--overwrite", f"{mark}=never-ready")
            self._kubectl(
                "wait", "statefulset", "redis", "--for=jsonpath={.status.availableReplicas}=0", "--timeout=9s"
            )
            self._kubectl("annotate", *clients, "--overwrite", f"{mark}=crash-loop", *quickly)
            self._kubectl("wait", *clients, crashed, "--timeout=9s")
        # In this order: nobody crashes any more when redis is back.
        self._kubectl("annotate", *clients, f"{mark}-")
        with suppress(AssertionError):
            self._kubectl("annotate", "pod", "redis-0", f"{mark}-")


def deploys(cluster: SandboxStatus, folder: Path, lane: int, seeds: Iterator[int]) -> list[str]:
    """What went wrong in one namespace: the first deploy installs, each later one rolls a changed platform out."""
    namespace, wrong = f"healthy-{SEED}-{lane}", []
    overlay = folder / namespace
    overlay.mkdir()
    for seed in seeds:
        dice = random.Random(seed)
        (overlay / "platform.json").write_text(
            json.dumps({"apiVersion": "v1", "kind": "List", "items": small_platform(dice, namespace)})
        )
        trouble = Trouble(dice, cluster.kubeconfig, namespace, clients=f"{NAME} in ({','.join(SERVICES)})")
        words = ["--overlay", str(overlay), "--namespace", namespace, "--context", cluster.context]
        ended = deploy(words, after=dice.choice(MOMENTS), act=trouble)
        if ended.code != 0:
            wrong.append(f"seed {seed}, lane {lane} ({trouble.told}): {ended.code} {ended.sentences}\n{ended.progress}")
    kubectl(cluster.kubeconfig, "delete", "namespace", namespace, "--wait=false")
    return wrong


def whole_platform(dice: random.Random, namespace: str) -> list[Body]:
    """The shipped platform in a namespace of its own, as slow and clumsy as the small one."""
    objects = []
    for body in yaml.load_all(render_overlay(ROOT / "k8s/overlays/sandbox"), yaml.CSafeLoader):
        if body["kind"] == "Namespace":
            continue
        if "namespace" in body["metadata"]:
            body["metadata"]["namespace"] = namespace
        for subject in body.get("subjects") or ():
            subject["namespace"] = namespace
        template = (body.get("spec") or {}).get("template")
        if template and "spec" in template:
            annotations = template.setdefault("metadata", {}).setdefault("annotations", {})
            annotations.update(life(dice, may_crash=body["kind"] != "Job"))
        objects.append(body)
    return objects


@pytest.mark.timeout(3600)
def test_no_healthy_deploy_of_the_whole_platform_is_called_a_failure(simulated_cluster, tmp_path):
    namespace, wrong = f"whole-{SEED}", []
    words = ["--overlay", str(tmp_path), "--namespace", namespace, "--context", simulated_cluster.context]
    for seed in range(SEED, SEED + WHOLE):
        dice = random.Random(seed)
        items = whole_platform(dice, namespace)
        (tmp_path / "platform.json").write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": items}))
        trouble = Trouble(dice, simulated_cluster.kubeconfig, namespace, clients=f"{COMPONENT}=microservice")
        ended = deploy(words, after=dice.choice(MOMENTS), act=trouble)
        if ended.code != 0:
            wrong.append(f"seed {seed} ({trouble.told}): {ended.code} {ended.sentences}\n{ended.progress}")
    kubectl(simulated_cluster.kubeconfig, "delete", "namespace", namespace, "--wait=false")
    assert not wrong, f"{len(wrong)} of {WHOLE} deploys, BAKERY_SEED={SEED}\n" + "\n".join(wrong)


@pytest.mark.timeout(3600)
def test_no_healthy_deploy_is_called_a_failure(simulated_cluster, tmp_path):
    lanes = min(COUNT, SIDE_BY_SIDE)
    seeds = [range(SEED + lane, SEED + COUNT, lanes) for lane in range(lanes)]
    with ThreadPoolExecutor(lanes) as pool:
        results = pool.map(lambda lane: deploys(simulated_cluster, tmp_path, lane, iter(seeds[lane])), range(lanes))
        wrong = [problem for problems in results for problem in problems]
    assert not wrong, f"{len(wrong)} of {COUNT} deploys, BAKERY_SEED={SEED}\n" + "\n".join(wrong)
