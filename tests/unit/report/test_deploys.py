"""The document of a deploy says what happened, in numbers that fit each other; its schema is the one published."""

from __future__ import annotations

import json
from typing import Any

import jsonschema
import pytest

from bakery_ops.errors import Locked, PreflightRefused
from bakery_ops.report import events, schema
from bakery_ops.report.deploys import document, stopped
from bakery_ops.rules.plan import plan
from bakery_ops.rules.reports import DeployReport
from bakery_ops.rules.rollout.events import Command
from tests import schemas
from tests.reports import HOSTILE, RUN, deployed, hostile, shop
from tests.simulation import CRASH, MISSING_SECRET, Behaviour


@pytest.mark.parametrize("name", schemas.PUBLISHED)
def test_the_published_schema_is_what_the_types_say(name):
    """Write it anew with `python -m tests.schemas` after a type has changed."""
    assert json.loads((schemas.FOLDER / name).read_text()) == schemas.made(name)


def valid(told: schema.Deploy) -> dict[str, Any]:
    """The document as a reader gets it, after the published schema has accepted it."""
    read: dict[str, Any] = json.loads(schema.encode(told))
    jsonschema.validate(read, json.loads((schemas.FOLDER / "deploy-report.json").read_text()))
    return read


def test_a_success_tells_the_longest_path_and_where_each_workload_stood():
    told = valid(deployed({"db": Behaviour(start=7.0), "web": Behaviour(start=3.0)}).document)
    assert (told["outcome"], told["causes"], told["requests"], told["watchLagP95"]) == ("succeeded", [], 0, 0.0123)
    assert [step["node"] for step in told["path"]] == ["db", "migration", "web", "seed"]
    nodes = {node["name"]: node for node in told["nodes"]}
    assert nodes["db"]["readyAfter"] == pytest.approx(7.0, abs=0.3)
    assert nodes["migration"]["sentAt"] >= nodes["db"]["readyAt"]
    assert sum(step["seconds"] for step in told["path"]) <= told["seconds"]
    assert told["stages"][1]["slowest"] == "db"


def test_a_failure_has_evidence_logs_and_one_exact_command():
    told = valid(deployed({"web": Behaviour(fault=CRASH)}).document)
    (cause,) = told["causes"]
    assert cause["sentence"].startswith("web is down: CrashLoopBackOff: ")
    assert cause["blocks"] == ["seed"]
    pod = cause["evidence"][0]["subject"]
    assert cause["next"] == f"kubectl --context minikube -n bakery-ia logs {pod} --container app --previous"
    assert {"it broke"} <= {line for log in cause["logs"] for line in log["lines"]}
    assert {(node["name"], node["status"]) for node in told["nodes"] if node["status"] in ("failed", "skipped")} == {
        ("web", "failed"),
        ("seed", "skipped"),
    }


def test_what_never_became_ready_is_on_the_longest_path_until_the_end():
    told = deployed({"web": Behaviour(fault=MISSING_SECRET)}).document
    assert [step.node for step in told.path] == ["db", "migration", "web"]
    web = next(node for node in told.nodes if node.name == "web")
    assert told.path[-1].seconds == pytest.approx(told.seconds - web.sent_at, abs=0.01)


def test_a_dry_run_tells_the_plan_and_no_times():
    graph = shop()
    told = valid(document(DeployReport(plan(graph, {}, {})), RUN))
    assert (told["seconds"], told["nodes"], len(told["changes"])) == (None, [], 5)
    assert told["headline"] == "5 to write, 0 to prune, 0 unchanged; nothing was written"


def test_a_refusal_is_a_report_too():
    error = PreflightRefused("it does not fit", details=["4 GiB short"], remedy="a larger node")
    told = valid(stopped(error, RUN))
    assert (told["outcome"], told["refusal"]) == ("refused", ["it does not fit", "4 GiB short", "next: a larger node"])
    assert stopped(Locked("held"), RUN).outcome == "locked"


def test_a_report_reads_back_as_it_was_written():
    for told in (hostile(), deployed().document):
        assert schema.decode(schema.encode(told)) == told


@pytest.mark.parametrize("text", ["", "{", "[]", '{"kind": "Pod"}', "\x00"])
def test_what_is_no_report_is_an_error(text):
    with pytest.raises(ValueError):
        schema.decode(text)


def test_a_report_of_another_version_is_not_misread():
    text = schema.encode(hostile("x")).replace("bakery-ia.dev/v1", "bakery-ia.dev/v9")
    with pytest.raises(ValueError, match=r"bakery-ia\.dev/v9 DeployReport"):
        schema.decode(text)


@pytest.mark.parametrize("fault", ["", CRASH])
def test_every_fact_of_a_deploy_is_a_line_of_the_published_schema(fault):
    published = json.loads((schemas.FOLDER / "deploy-event.json").read_text())
    lines = [events.line(events.told(fact)) for fact in deployed({"web": Behaviour(fault=fault)}).facts]
    for line in lines:
        assert line.count("\n") == 1
        jsonschema.validate(json.loads(line), published)
    kinds = {json.loads(line)["type"] for line in lines}
    assert kinds == {"verdict", "command", "finished"}
    assert {json.loads(line)["schema"] for line in lines} == {events.SCHEMA}


def test_every_command_that_is_told_is_named_where_readers_look_them_up():
    told = {each.__name__ for each in Command.__subclasses__()} - {"WakeAt", "Finish"}  # the driver's own
    said = str(events.Command.__doc__).partition(": ")[2].partition(".")[0]
    assert set(said.split(", ")) == told
    assert f"| {said} |" in (schemas.FOLDER.parent / "reports.md").read_text().replace("something is being done: ", "")


def test_a_fact_nobody_described_is_an_error():
    with pytest.raises(ValueError):
        events.told({"type": "surprise", "at": 1.0})


def test_an_event_is_one_line_whatever_is_in_it():
    line = events.line(events.Finished(at=1.0, outcome=HOSTILE))
    assert line.splitlines(keepends=True) == [line]
