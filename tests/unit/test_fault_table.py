"""The table of faults and its folders belong together, and the benchmark judges every tool by the same words."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from bakery_ops.model.documents import load
from bakery_ops.tools.kustomize import render_overlay
from benchmarks.deployers import Task, deployers
from benchmarks.faults import judge
from tests.fault_table import FAULTS, MANIFESTS, Fault

BY_NAME = {fault.name: fault for fault in FAULTS}


def test_every_folder_has_a_row_and_every_row_a_folder() -> None:
    folders = {path.name for path in MANIFESTS.iterdir() if path.is_dir()}
    assert folders - {"stage"} == set(BY_NAME)
    assert len(BY_NAME) == len(FAULTS) >= 12


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_the_manifests_are_small_and_readable(fault: Fault) -> None:
    objects = load(render_overlay(fault.manifests), fault.name, namespace="fault")
    assert 1 <= len(objects) <= 5


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_repeating_the_manifests_names_no_cause(fault: Fault) -> None:
    """A tool that prints what it was given must not count as having found out what is wrong."""
    text = "\n".join(path.read_text() for path in fault.manifests.iterdir())
    said = re.sub(r"^ *(command|#).*$", "", text, flags=re.MULTILINE)
    assert not all(re.search(pattern, said, re.IGNORECASE) for pattern in fault.cause)


@pytest.mark.parametrize(
    ("name", "seconds", "status", "said", "is_right"),
    [
        ("crash-loop", 30.0, 1, "failed", True),
        ("crash-loop", 30.0, 0, "succeeded", False),
        ("crash-loop", 90.4, 1, "gave up", False),
        ("never-ready", 90.4, 1, "gave up", True),
        ("never-ready", 10.0, 0, "succeeded", False),
    ],
)
def test_a_deadline_is_a_verdict_only_where_nothing_else_tells(
    name: str, seconds: float, status: int, said: str, is_right: bool
) -> None:
    verdict = judge(BY_NAME[name], "tool", seconds, status, "", 90)
    assert (verdict.said, verdict.is_right) == (said, is_right)


def test_the_cause_is_named_when_every_word_of_it_is_there() -> None:
    fault = BY_NAME["image-missing"]
    full = 'failed to pull "localhost:5000/shop/web:1.4.2": Not Found'
    assert judge(fault, "tool", 1.0, 1, full, 90).names_cause
    assert not judge(fault, "tool", 1.0, 1, "timed out waiting for localhost:5000/shop/web:1.4.2", 90).names_cause


def test_kubectl_follows_every_workload_of_the_folder(tmp_path: Path) -> None:
    (tool,) = deployers(print, lambda short: short == "kubectl")
    task = Task(BY_NAME["wrong-password"].manifests, "fault", 90, tmp_path / "kubeconfig", "context", tmp_path)
    script = tool.argv(task)[-1].splitlines()
    assert [line.partition(" --namespace fault ")[2].partition(" --")[0] for line in script] == [
        "apply",
        "wait job/migrate",
        "rollout status deployment/shop",
    ]
