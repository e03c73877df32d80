"""A destroy is told in few lines: what goes and stays by kind, and of the end only what could not be removed."""

from __future__ import annotations

import json

from bakery_ops.errors import ExitCode, Locked
from bakery_ops.model.manifest import ObjectRef
from bakery_ops.report import removals, schema
from bakery_ops.report.terminal import Terminal
from bakery_ops.rules.plan import PruneStep
from bakery_ops.rules.removal import Removal
from bakery_ops.rules.reports import Fate, RemovalReport, RemovalRun, Removed
from bakery_ops.rules.rollout.events import Outcome
from tests.schemas import made

RUN = RemovalRun("20260101T000000-aaaa", "dev", "shop", "minikube")


def steps(kind: str, count: int, why: str = "") -> tuple[PruneStep, ...]:
    return tuple(PruneStep(ObjectRef("", kind, "shop", f"{kind.lower()}-{n}"), "uid", why) for n in range(count))


DECIDED = Removal(
    waves=(steps("Deployment", 20), steps("ConfigMap", 80)),
    kept=(
        *steps("PersistentVolumeClaim", 20, "goes only with --volumes"),
        *steps("Secret", 63, "goes only with --volumes"),
        *steps("Role", 1, "not written by us"),
    ),
    notes=("one note",),
)


def rows(fate: Fate, kind: str, count: int, why: str = "") -> list[Removed]:
    return [Removed(step.ref, fate, why) for step in steps(kind, count)]


def test_what_would_go_is_told_by_kind_and_what_stays_with_its_reason(capsys):
    removals.show_removal(Terminal({}), DECIDED, RUN)
    assert capsys.readouterr().out.splitlines() == [
        "namespace shop in the context minikube:",
        "  goes   20 Deployments, 80 ConfigMaps",
        "  stays  20 PersistentVolumeClaims, 63 Secrets: goes only with --volumes",
        "  stays  role/role-0: not written by us",
        "note: one note",
        "100 to remove, 84 to keep; --list names each",
    ]


def test_the_list_names_every_object(capsys):
    removals.show_removal(Terminal({}), DECIDED, RUN, every=True)
    lines = capsys.readouterr().out.splitlines()
    assert lines[1] == "  - deployment/deployment-0 in shop"
    assert "    secret/secret-62 in shop  stays: goes only with --volumes" in lines
    assert (len(lines), lines[-1]) == (187, "100 to remove, 84 to keep")


def test_nothing_to_remove_is_one_line_and_names_no_flag_that_would_show_nothing(capsys):
    removals.show_removal(Terminal({}), Removal(), RUN)
    assert capsys.readouterr().out.splitlines()[1:] == ["0 to remove, 0 to keep"]


def test_of_the_end_only_what_could_not_be_removed_is_told(capsys):
    fates = [
        *rows(Fate.REMOVED, "Deployment", 50),
        *rows(Fate.KEPT, "Secret", 50, "goes only with --volumes"),
        *rows(Fate.SKIPPED, "Service", 50),
        *rows(Fate.HANGING, "ConfigMap", 12, "waits for its finalizers example.com/never"),
    ]
    report = removals.document(RemovalReport(Outcome.TIMED_OUT, tuple(fates)), RUN, 600.04)
    removals.show_result(Terminal({}), report, "runs/x")
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "still there  configmap/configmap-0 in shop: waits for its finalizers example.com/never"
    assert lines[10:] == [
        "and 2 more, in the report",
        "destroy timed out after 600.0 s: 50 removed, 50 kept, 12 still there, 50 not tried",
        "  next: run the same command again; it goes on from what is left",
        "  every object: invoke report 20260101T000000-aaaa   report: runs/x",
    ]
    assert len(report.objects) == 162


def test_without_a_folder_no_report_is_named(capsys):
    report = removals.document(RemovalReport(Outcome.SUCCEEDED, tuple(rows(Fate.REMOVED, "Role", 2))), RUN, 1.0)
    removals.show_result(Terminal({}), report, "")
    assert capsys.readouterr().out == "destroyed after 1.0 s: 2 removed, 0 kept\n"


def test_the_report_reads_back_and_keeps_to_its_published_schema():
    report = removals.document(RemovalReport(Outcome.SUCCEEDED, tuple(rows(Fate.REMOVED, "Role", 2))), RUN, 1.0)
    text = schema.encode(report)
    assert schema.decode(text) == report
    assert set(json.loads(text)) <= set(made("removal-report.json")["$defs"]["Removal"]["properties"])


def test_a_destroy_that_was_stopped_says_by_what():
    error = Locked("another run holds the lock", details=["wait"])
    report = removals.stopped(error, RUN, 1.0)
    assert (report.outcome, report.headline, report.notes) == ("locked", "another run holds the lock", ("wait",))
    assert error.exit_code is ExitCode.LOCKED
