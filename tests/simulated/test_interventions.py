"""What happens to a deploy from outside while it runs, on a real API server: strangers, and a line that is cut."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from bakery_ops.sandbox.lifecycle import SandboxStatus
from tests.commands import kubectl
from tests.proxy_faults import Outage, Partition, Rule
from tests.simulated.faults import Ended, deploy
from tests.simulated.kill_points import PLATFORM, Arrange, Site


class Place(Site):
    """A site whose deploys may be looked on by a stranger."""

    def kubectl(self, *words: str) -> str:
        return kubectl(self.cluster.kubeconfig, "--namespace", self.namespace, *words)

    def deploy_beside(self, *stranger: str) -> Ended:
        """A deploy that stands still, once it has planned, until the stranger's kubectl is done."""
        words = ["--overlay", str(self.folder / "overlay"), *self.words()]
        return deploy(words, after="plan:", act=lambda: self.kubectl(*stranger), freeze=True)


@pytest.fixture
def place(simulated_cluster: SandboxStatus, tmp_path: Path) -> Iterator[Place]:
    made = Place(simulated_cluster, f"other-{uuid4().hex[:8]}", tmp_path)
    made.prepare()
    yield made
    made.remove()


def test_a_field_that_a_stranger_changes_after_the_plan_is_not_overwritten(place: Place) -> None:
    """F11: it is the stranger's now, as if it had been before the plan."""
    assert place.deploy().status == 0
    place.prepare(PLATFORM.read_text().replace("bakery/web:1", "bakery/web:2"))
    ended = place.deploy_beside("set", "image", "deployment/web", "web=bakery/web:3", "--field-manager=night-shift")
    (sentence,) = ended.sentences
    assert (ended.code, sentence.startswith("web is down: FieldConflict: ")) == (3, True), ended.progress
    assert 'spec.template.spec.containers[name="web"].image' in sentence
    assert "night-shift" in sentence
    image = "jsonpath={.spec.template.spec.containers[0].image}"
    assert place.kubectl("get", "deployment", "web", "--output", image) == "bakery/web:3"


def test_what_a_stranger_changes_after_the_plan_found_it_unchanged_is_found_by_the_verification(place: Place) -> None:
    """F11"""
    assert place.deploy().status == 0
    place.prepare(PLATFORM.read_text().replace("bakery/web:1", "bakery/web:2"))
    ended = place.deploy_beside("patch", "configmap", "settings", "--patch", '{"data": {"greeting": "good night"}}')
    failed = [check for check in ended.report["checks"] if check["state"] == "failed"]
    assert (ended.code, [check["name"] for check in failed]) == (3, ["nothing-drifted"]), ended.progress
    assert "settings" in str(failed[0])


def test_what_a_stranger_deletes_after_the_plan_is_made_anew_where_it_is_written(place: Place) -> None:
    """F11"""
    assert place.deploy().status == 0
    place.prepare(PLATFORM.read_text().replace("bakery/web:1", "bakery/web:2"))
    ended = place.deploy_beside("delete", "deployment", "web")
    assert ended.code == 0, ended.progress


def when_it_starts(fault: Partition | Outage) -> Arrange:
    rule = Rule(fault, "PATCH", "jobs/migrate$", when=lambda call: "dryRun" not in call.query)
    return lambda proxy: proxy.rules.add(rule)


def runs_for(seconds: int) -> str:
    """The platform, its migration running for so long."""
    kept = "metadata: {annotations: {bakery-ia.dev/simulate-run-time: SECONDS}}".replace("SECONDS", f"{seconds}s")
    text = PLATFORM.read_text()
    mark = "  template:\n    spec:\n      restartPolicy: Never\n"
    assert text.count(mark) == 1
    return text.replace(mark, mark.replace("  template:\n", f"  template:\n    {kept}\n"))


def test_a_partition_while_a_migration_runs_is_waited_out(place: Place) -> None:
    """F15: it ends before the migration does."""
    place.prepare(runs_for(15))
    run = place.deploy(arrange=when_it_starts(Partition(10.0, after=1.0)))
    assert run.status == 0, run.output
    again = place.deploy()
    assert (again.status, again.mutations, place.pods_of(place.jobs())) == (0, [], 1), again.output


def test_a_partition_that_outlasts_the_deadline_loses_nothing(place: Place) -> None:
    """F15: the migration goes on, and the next deploy waits for it instead of running it again."""
    place.prepare(runs_for(30))
    short = (("BAKERY_DEADLINE", "8s"), ("BAKERY_RETRY_SECONDS", "4"))
    cut_off = Place(place.cluster, place.namespace, place.folder, short)
    run = cut_off.deploy(arrange=when_it_starts(Outage(600.0, after=1.0)))
    assert (run.status, "it no longer answers" in run.output) == (70, True), run.output
    assert "the same command again" in run.output
    (before,) = place.jobs().values()
    rerun = place.deploy()
    assert rerun.status == 0, rerun.output
    assert [call for call in rerun.mutations if "jobs" in call] == []
    assert (tuple(place.jobs().values()), place.pods_of(place.jobs())) == ((before,), 1)
