"""What goes wrong on a real node, as users see it: one sentence about the right object, soon, with the evidence."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import pytest

from bakery_ops.model.times import parse_time
from bakery_ops.rules import evidence as rows
from bakery_ops.sandbox.lifecycle import SandboxStatus
from tests.commands import ROOT, invoke, kubectl
from tests.fault_table import FAULTS, Fault, Scene

pytestmark = pytest.mark.timeout(900)

# Seconds; what is only slow, or never becomes ready, is told at the deadline.
DEADLINE = 60
# Deploys side by side: each mostly waits for a hold time.
SIDE_BY_SIDE = 8

each_that_runs = pytest.mark.parametrize(
    "fault", [fault for fault in FAULTS if not fault.is_refused], ids=lambda fault: fault.name
)
each_with_a_hold_time = pytest.mark.parametrize(
    "fault", [fault for fault in FAULTS if fault.row and fault.row.hold is not None], ids=lambda fault: fault.name
)
each_that_is_refused = pytest.mark.parametrize(
    "fault", [fault for fault in FAULTS if fault.is_refused], ids=lambda fault: fault.name
)


class Ending(NamedTuple):
    """How `invoke deploy` ended: exit code, report ({} when refused), stderr, and the lines of events.ndjson."""

    code: int
    report: dict[str, Any]
    stderr: str
    events: list[dict[str, Any]]

    @property
    def causes(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.report.get("causes", [])
        return found


Endings = Callable[[Fault], Ending]


def namespace_of(fault: Fault) -> str:
    return f"fault-{fault.name}"


def play(scene: Scene, fault: Fault) -> Ending:
    """Deploy the fault's manifests as a stranger would, in a namespace of its own."""
    scene.furnish(namespace_of(fault))
    where = ("--namespace", namespace_of(fault), "--context", scene.context, "--output", "json")
    ended = invoke("deploy", "--overlay", str(fault.manifests), *where, env={"BAKERY_DEADLINE": f"{DEADLINE}s"})
    report = json.loads(ended.stdout) if ended.stdout.startswith("{") else {}
    return Ending(ended.returncode, report, ended.stderr, events_of(report) if report.get("causes") else [])


def events_of(report: dict[str, Any]) -> list[dict[str, Any]]:
    """The events of the run that left this report."""
    for summary in (ROOT / "runs").glob("*/summary.json"):
        if json.loads(summary.read_text()) == report:
            return [json.loads(line) for line in summary.with_name("events.ndjson").read_text().splitlines()]
    raise AssertionError("the run left no folder")


@pytest.fixture(scope="module")
def scene(real_cluster: SandboxStatus) -> Scene:
    images = invoke("sandbox.images", "--name", real_cluster.name)
    assert images.returncode == 0, images.stderr
    return Scene(real_cluster.kubeconfig, real_cluster.context)


@pytest.fixture(scope="module")
def opened(scene: Scene) -> tuple[int, str]:
    return scene.open()


@pytest.fixture(scope="module")
def endings(scene: Scene, opened: tuple[int, str], request: pytest.FixtureRequest) -> Iterator[Endings]:
    """Every fault that a test asks for, played side by side; a test waits for its own only."""
    calls = (getattr(item, "callspec", None) for item in request.session.items)
    asked = {call.params["fault"].name: call.params["fault"] for call in calls if call and "fault" in call.params}
    slowest_first = sorted(asked.values(), key=lambda fault: fault.is_refused)
    with ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
        futures = {fault.name: pool.submit(play, scene, fault) for fault in slowest_first}
        yield lambda fault: futures[fault.name].result()


def test_what_is_healthy_is_no_fault(opened: tuple[int, str]) -> None:
    code, output = opened
    assert code == 0, output


@each_that_runs
def test_one_sentence_names_the_object_and_the_reason(fault: Fault, endings: Endings) -> None:
    ended = endings(fault)
    sentences = [cause["sentence"] for cause in ended.causes]
    assert ended.code == fault.exit_code, (sentences, ended.stderr)
    assert len(sentences) == 1, sentences
    assert re.fullmatch(fault.sentence, sentences[0]), sentences[0]


@each_that_runs
def test_the_evidence_stands_in_the_report(fault: Fault, endings: Endings) -> None:
    cause = endings(fault).causes[0]
    told = [each["message"] for each in (*cause["evidence"], *cause["events"])]
    logged = [line for tail in cause["logs"] for line in tail["lines"]]
    assert any(re.search(fault.evidence, line) for line in (*told, *logged)), cause


@each_with_a_hold_time
def test_the_verdict_comes_with_the_end_of_the_hold_time(fault: Fault, endings: Endings, scene: Scene) -> None:
    """From the first sight of the evidence to Failed, in the server's time, as the run itself recorded it."""
    ended = endings(fault)
    node = ended.causes[0]["node"]
    told = [line for line in ended.events if line["type"] == "verdict" and line["node"] == node]
    failed = next(line["at"] for line in told if line["to"] == "failed")
    if fault.row is rows.JOB_FAILED:
        seen = job_given_up(scene, fault, node)
    else:
        seen = next(line["at"] for line in told if line["to"] in ("failing", "failed"))
    assert fault.row is not None
    assert fault.row.hold is not None
    assert failed - seen <= fault.row.hold + 1.0, told


def job_given_up(scene: Scene, fault: Fault, job: str) -> float:
    """When the Job's controller set FailureTarget; server times have whole seconds, so the end of that second."""
    text = kubectl(scene.kubeconfig, "get", f"job/{job}", "--namespace", namespace_of(fault), "--output", "json")
    conditions = json.loads(text)["status"]["conditions"]
    return 1.0 + next(parse_time(each["lastTransitionTime"]) for each in conditions if each["type"] == "FailureTarget")


@each_that_is_refused
def test_what_can_be_known_before_is_refused_before_anything_is_written(
    fault: Fault, endings: Endings, scene: Scene
) -> None:
    ended = endings(fault)
    assert ended.code == 4, ended.stderr
    lines = [line.strip() for line in ended.stderr.splitlines()]
    assert sum(re.fullmatch(fault.sentence, line) is not None for line in lines) == 1, ended.stderr
    assert kubectl(scene.kubeconfig, "get", "all", "--namespace", namespace_of(fault), "--output", "name") == ""
