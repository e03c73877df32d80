"""`invoke report`: an earlier run shown again, listed, and played again."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from bakery_ops.bootstrap.reporting import report
from bakery_ops.errors import ExitCode, OperationFailed, UsageError
from bakery_ops.model.manifest import ObjectRef
from bakery_ops.report import events, removals, schema
from bakery_ops.report.deploys import document
from bakery_ops.report.runs import RunFolder
from bakery_ops.rules.acceptance import CheckResult, CheckState
from bakery_ops.rules.reports import Fate, RemovalReport, RemovalRun, Removed, VerifyReport
from bakery_ops.rules.rollout.events import Outcome
from tests.reports import RUN, Told, deployed
from tests.simulation import CRASH, Behaviour


@pytest.fixture(scope="module")
def broken() -> Told:
    return deployed({"web": Behaviour(fault=CRASH)})


@pytest.fixture
def root(tmp_path: Path, broken: Told) -> Path:
    """Two runs: a failed one, and a later one that was killed before its first event."""
    with RunFolder(tmp_path, "20260101T000000-aaaa") as folder:
        for fact in broken.facts:
            folder.event(events.told(fact))
        for line in broken.recording:
            folder.record(line)
        folder.keep(broken.document)
    with RunFolder(tmp_path, "20260102T000000-bbbb"):
        pass
    return tmp_path


def keep_destroy(root: Path, name: str) -> None:
    """A destroy that ended with something still there."""
    rows = (
        Removed(ObjectRef("apps", "Deployment", "shop", "web"), Fate.HANGING, "its pods have not ended: pod/web-1"),
        Removed(ObjectRef("", "Secret", "shop", "password"), Fate.KEPT, "goes only with --volumes"),
    )
    with RunFolder(root, name) as folder:
        ended = RemovalReport(Outcome.TIMED_OUT, rows)
        folder.keep_removal(removals.document(ended, RemovalRun(name, "dev", "shop", "minikube"), 3.0))


FIRST = "20260101T000000-aaaa"


def test_a_run_is_shown_again_as_it_was(root, capsys):
    assert report(FIRST, False, False, None, (), root) is ExitCode.OK
    assert capsys.readouterr().out.startswith("web is down: CrashLoopBackOff")


def test_a_run_is_given_again_in_another_format(root, broken, tmp_path, capsys):
    report(FIRST, False, False, "json", (f"junit={tmp_path / 'j.xml'}",), root)
    assert schema.decode(capsys.readouterr().out) == broken.document
    assert "<testsuites" in (tmp_path / "j.xml").read_text()


def test_a_report_that_cannot_be_written_again_is_a_failure_that_names_the_file(root, tmp_path, capsys):
    target = tmp_path / f"{'x' * 250}.xml"
    with pytest.raises(OperationFailed, match="was not written: File name too long"):
        report(FIRST, False, False, None, (f"junit={target}",), root)
    assert "web is down" in capsys.readouterr().out


def test_the_list_has_every_run_the_damaged_ones_too(root, capsys):
    (root / "20260102T000000-bbbb" / "summary.json").write_text("{")
    assert report(None, True, False, None, (), root) is ExitCode.OK
    newest, oldest = capsys.readouterr().out.splitlines()[1:3]
    assert newest.split()[:2] == ["20260102T000000-bbbb", "damaged"]
    assert oldest.split()[:2] == [FIRST, "failed"]


def test_a_cause_in_the_list_is_cut_to_what_fits_beside_the_run(root, capsys):
    path = root / FIRST / "summary.json"
    document = json.loads(path.read_text())
    document["causes"][0]["sentence"] = "web is down: " + "x" * 300
    path.write_text(json.dumps(document))
    report(None, True, False, None, (), root)
    assert "web is down: " + "x" * 46 + "…" in capsys.readouterr().out


def test_what_an_interrupted_run_had_on_its_way_is_no_cause_in_the_list(root, capsys):
    path = root / FIRST / "summary.json"
    document = json.loads(path.read_text())
    document["outcome"], document["causes"][0]["state"] = "interrupted", "is not ready yet"
    path.write_text(json.dumps(document))
    report(None, True, False, None, (), root)
    assert "web is down" not in capsys.readouterr().out


def test_the_list_is_given_to_programs_too(root, capsys):
    report(None, True, False, "json", (), root)
    listed = json.loads(capsys.readouterr().out)
    assert (listed["kind"], [row["run"] for row in listed["runs"]]) == (
        "RunList",
        ["20260102T000000-bbbb", FIRST],
    )
    assert [(row["outcome"], row["seconds"]) for row in listed["runs"]] == [("no report", None), ("failed", 42.0)]
    assert listed["runs"][1]["where"] == "dev to minikube"


def test_a_run_that_was_killed_says_where_its_events_are(root):
    with pytest.raises(UsageError, match="left no report") as refused:
        report(None, False, False, None, (), root)
    assert "events.ndjson" in refused.value.remedy


def test_a_replay_ends_as_the_run_did(root, capsys):
    assert report(FIRST, False, True, None, (), root) is ExitCode.OK
    told = capsys.readouterr()
    assert "same outcome, causes and verdicts as in the run" in told.err
    assert told.out.startswith("web is down: CrashLoopBackOff")


def test_a_replay_never_calls_verified_what_only_the_run_itself_has_looked_at(tmp_path, capsys):
    """The recording ends with the rollout; whether the platform answers was asked in the run."""
    healthy = deployed()
    with RunFolder(tmp_path, FIRST) as folder:
        for line in healthy.recording:
            folder.record(line)
        folder.keep(healthy.document)
    report(FIRST, False, False, None, (), tmp_path)
    assert "\ndeployed and verified in 42.0 s: " in capsys.readouterr().out
    report(FIRST, False, True, None, (), tmp_path)
    told = capsys.readouterr()
    assert "\nrolled out in " in told.out
    assert ", not verified: 5 applied, 0 unchanged\n" in told.out
    assert "same outcome" in told.err


def test_a_run_whose_checks_failed_ends_so_when_it_is_shown_again(tmp_path, capsys):
    ran = deployed()
    checks = (CheckResult("frontend", CheckState.FAILED, "no answer"),)
    failed = document(replace(ran.report, verified=VerifyReport(checks, 0.1)), RUN)
    with RunFolder(tmp_path, FIRST) as folder:
        for line in ran.recording:
            folder.record(line)
        folder.keep(failed)
    report(FIRST, False, False, None, (), tmp_path)
    assert "deployed in 42.0 s, but verify found failures" in capsys.readouterr().out
    report(FIRST, False, True, None, (), tmp_path)
    told = capsys.readouterr()
    assert "not verified" in told.out
    assert "in the run the verification found failures: frontend" in told.err


def test_a_replay_that_ends_otherwise_is_a_failure_with_the_difference(root):
    path = root / FIRST / "summary.json"
    document = json.loads(path.read_text())
    document["outcome"] = "succeeded"
    path.write_text(json.dumps(document))
    with pytest.raises(OperationFailed) as differs:
        report(FIRST, False, True, None, (), root)
    assert differs.value.details == ("outcome: 'succeeded' in the run, 'failed' now",)


def test_a_destroy_is_shown_again_object_by_object_and_given_as_json(root, capsys):
    keep_destroy(root, "20260103T000000-cccc")
    assert report(None, False, False, None, (), root) is ExitCode.OK
    shown = capsys.readouterr().out
    assert "still there      deployment/web in shop: its pods have not ended" in shown
    assert "kept             secret/password in shop" in shown
    assert report(None, False, False, "json", (), root) is ExitCode.OK
    assert json.loads(capsys.readouterr().out)["kind"] == "RemovalReport"
    report(None, True, False, None, (), root)
    assert "shop destroyed in minikube" in capsys.readouterr().out


@pytest.mark.parametrize(("replay", "files"), [(True, ()), (False, ("html=x.html",))])
def test_a_destroy_has_nothing_of_a_rollout_to_give(root, replay, files):
    keep_destroy(root, "20260103T000000-cccc")
    with pytest.raises(UsageError, match=r"was a destroy, which has no (replay|html)"):
        report(None, False, replay, None, files, root)


def test_a_recording_without_an_end_cannot_be_played_to_one(root):
    path = root / FIRST / "recording.ndjson"
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:5]))
    with pytest.raises(UsageError, match="cannot be played to an end: the rollout has not finished"):
        report(FIRST, False, True, None, (), root)


def test_a_run_without_a_recording_says_so(root):
    (root / FIRST / "recording.ndjson").unlink()
    with pytest.raises(UsageError, match="has no recording"):
        report(FIRST, False, True, None, (), root)
