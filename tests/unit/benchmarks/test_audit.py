"""What is read from the API server's audit log, whose events here are such as a real one wrote."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from benchmarks import audit

CONTROLLER = "system:serviceaccount:kube-system:deployment-controller"
DAY = "2026-01-01T10:00:"


def event(number: int, second: float, verb: str = "patch", **changes: Any) -> dict[str, Any]:
    found = {
        "kind": "Event",
        "auditID": f"id-{number}",
        "stage": "ResponseComplete",
        "requestURI": "/api/v1/namespaces/n/configmaps/a?fieldManager=kubectl",
        "verb": verb,
        "user": {"username": "bakery-sandbox-admin", "groups": ["system:masters"]},
        "objectRef": {"resource": "configmaps", "namespace": "n", "name": "a", "apiVersion": "v1"},
        "responseStatus": {"metadata": {}, "code": 200},
        "requestReceivedTimestamp": f"{DAY}{second:09.6f}Z",
        "stageTimestamp": f"{DAY}{second + 0.01:09.6f}Z",
    }
    return {**found, **changes}


def ready(number: int, second: float, name: str, available: int) -> dict[str, Any]:
    counts = dict.fromkeys(("replicas", "updatedReplicas", "availableReplicas"), available)
    body = {
        "metadata": {"name": name, "generation": 1},
        "spec": {"replicas": 1},
        "status": {"observedGeneration": 1, **counts},
    }
    what = {"resource": "deployments", "subresource": "status", "namespace": "n", "name": name}
    return event(number, second, "update", user={"username": CONTROLLER}, objectRef=what, requestObject=body)


def parsed(*events: dict[str, Any]) -> list[audit.Noted]:
    return audit.parse(json.dumps(one).encode() for one in events)


START = parsed(event(0, 0.0))[0].received


def test_a_watch_that_is_noted_at_its_start_and_at_its_end_is_one_request() -> None:
    begun = event(1, 1.0, "watch", stage="ResponseStarted")
    ended = event(1, 1.0, "watch", stageTimestamp=f"{DAY}30.000000Z")
    assert len(parsed(begun, ended)) == 1


def test_only_what_the_tools_user_sent_while_it_ran_is_its_own() -> None:
    other = event(3, 2.0, user={"username": "system:apiserver", "groups": ["system:masters"]})
    noted = parsed(event(1, 0.5), event(2, 1.5), other, ready(4, 2.0, "web", 1), event(5, 9.0))
    assert [one.id for one in audit.requests(noted, START + 1.0, START + 5.0)] == ["id-2"]


def test_dry_runs_reads_and_lease_renewals_are_no_writes() -> None:
    dry = event(1, 1.0, requestURI="/api/v1/namespaces/n/configmaps/a?dryRun=All&fieldManager=x")
    lease = event(2, 1.0, "update", objectRef={"resource": "leases", "namespace": "n", "name": "lock"})
    assert [one.is_write for one in parsed(dry, lease, event(3, 1.0, "get"), event(4, 1.0))] == [False] * 3 + [True]


def test_the_last_write_is_that_of_an_object_of_the_set_that_was_accepted() -> None:
    record = event(3, 3.0, objectRef={"resource": "configmaps", "namespace": "n", "name": "the-tools-own-record"})
    refused = event(4, 4.0, responseStatus={"code": 409})
    noted = parsed(event(1, 1.0), event(2, 2.0), record, refused)
    last = audit.last_write(noted, frozenset({"configmaps/a"}))
    assert last is not None
    assert round(last - START, 3) == 2.01
    assert audit.last_write(parsed(record), frozenset({"configmaps/a"})) is None


def test_all_is_ready_when_the_last_deployment_was_reported_available_for_the_first_time() -> None:
    noted = parsed(
        ready(1, 1.0, "web", 0), ready(2, 2.0, "web", 1), ready(3, 3.0, "api", 1), ready(4, 8.0, "web", 1)
    )  # fmt: skip
    at = audit.all_ready(noted, frozenset({"web", "api"}), "n")
    assert at is not None
    assert round(at - START, 3) == 3.01
    assert audit.all_ready(noted, frozenset({"web", "api", "late"}), "n") is None


def test_a_line_that_is_still_being_written_is_left_for_later(tmp_path: Path) -> None:
    path = tmp_path / "audit.log"
    path.write_text(json.dumps(event(1, 1.0)) + "\n")
    log = audit.Log(path)
    log.skip()
    with path.open("a") as file:
        file.write(json.dumps(event(2, 2.0)) + "\n" + json.dumps(event(3, 3.0))[:50])
    assert [one.id for one in log.read()] == ["id-2"]
