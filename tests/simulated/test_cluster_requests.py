"""Single requests against a real API server, straight and through a line that breaks."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest

from bakery_ops.cluster.connection import Connection
from bakery_ops.cluster.lists import items_at
from bakery_ops.model.manifest import ObjectRef
from bakery_ops.sandbox.lifecycle import SandboxStatus
from tests.proxy_faults import Answer, LoseResponse, Reset, Rule
from tests.simulated.api import config_map, deployment, job, manifest, through_proxy


def test_an_apply_creates_then_changes_nothing(connection: Connection, namespace: str) -> None:
    first, second = (connection.requests.apply(config_map(namespace)) for _ in range(2))
    assert (first.status, second.status) == (201, 200)
    assert first.body["metadata"]["resourceVersion"] == second.body["metadata"]["resourceVersion"]


def test_a_dry_run_leaves_no_object(connection: Connection, namespace: str) -> None:
    assert connection.requests.apply(config_map(namespace), dry_run=True).status < 300
    assert connection.requests.read(config_map(namespace).ref).status == 404


def test_a_dry_run_into_a_namespace_that_is_not_there_yet_is_a_404(connection: Connection) -> None:
    answer = connection.requests.apply(config_map("nonesuch"), dry_run=True)
    assert (answer.status, answer.reason) == (404, "NotFound")
    assert 'namespaces "nonesuch" not found' in answer.message


def test_an_unknown_field_is_found_by_a_dry_run_at_once(connection: Connection, namespace: str) -> None:
    """B11: server-side apply answers it with 500, which must not be taken for a passing trouble."""
    wrong = manifest("ConfigMap", "v1", namespace, "x", resorces={"a": "b"})
    began = time.monotonic()
    answer = connection.requests.apply(wrong, dry_run=True)
    assert answer.status >= 400
    assert ".resorces: field not declared in schema" in answer.message
    assert time.monotonic() - began < 5


def test_an_immutable_change_is_a_refusal(connection: Connection, namespace: str) -> None:
    """B17"""
    connection.requests.apply(job(namespace))
    changed = job(namespace)
    changed.body["spec"]["template"]["spec"]["containers"][0]["image"] = "bakery/seed:2"
    assert connection.requests.apply(changed, dry_run=True).status == 422


def test_a_field_that_another_manager_owns_is_a_conflict_that_names_both(
    connection: Connection, namespace: str
) -> None:
    """F12"""
    connection.requests.apply(config_map(namespace, a="ours"))
    path = f"/api/v1/namespaces/{namespace}/configmaps/settings"
    body = b'{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"settings"},"data":{"a":"theirs"}}'
    query = {"fieldManager": "a-human", "force": True}
    connection.transport.send("apply", "PATCH", path, query, body=body, content_type="application/apply-patch+yaml")
    answer = connection.requests.apply(config_map(namespace, a="ours again"))
    cause = answer.body["details"]["causes"][0]
    assert (answer.status, cause["field"]) == (409, ".data.a")
    assert "a-human" in cause["message"]
    assert connection.requests.apply(config_map(namespace, a="ours again"), force=True).status == 200


def test_a_secret_with_a_wrong_value_is_refused_without_its_values(connection: Connection, namespace: str) -> None:
    """B30"""
    data = {"password": "canary-not-base64!", "number": 12345}
    for dry_run in (True, False):
        answer = connection.requests.apply(manifest("Secret", "v1", namespace, "x", data=data), dry_run=dry_run)
        assert answer.status >= 400
        assert "canary" not in repr(answer)


def test_a_delete_means_one_object_and_not_its_successor(connection: Connection, namespace: str) -> None:
    connection.requests.apply(config_map(namespace))
    ref = config_map(namespace).ref
    assert connection.requests.delete(ref, uid="00000000-0000-0000-0000-000000000000").status == 409
    assert connection.requests.delete(ref).status == 200
    assert connection.requests.delete(ref).status == 404


def test_a_list_has_every_page(connection: Connection, namespace: str) -> None:
    names = {f"n{number}" for number in range(12)}
    for name in names:
        connection.requests.apply(config_map(namespace, name, kind="mine"))
    resource = connection.discovery.find("", "ConfigMap")
    assert resource is not None
    before = connection.request_count
    path = resource.path(namespace)
    found = items_at(connection.transport, connection.retrier, path, {"limit": 5}, what="configmaps")
    assert connection.request_count - before >= 3
    assert names <= {item["metadata"]["name"] for item in found}
    assert {item["kind"] for item in connection.requests.list("", "ConfigMap", namespace)} == {"ConfigMap"}


def test_a_custom_kind_is_served_once_its_definition_is_established(connection: Connection, namespace: str) -> None:
    """B9, F28"""
    ref = ObjectRef("bakery.example", "Oven", namespace, "o")
    assert connection.requests.served([ref]) == {("bakery.example", "Oven"): False}
    schema = {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}
    version = {"name": "v1", "served": True, "storage": True, "schema": schema}
    names = {"plural": "ovens", "singular": "oven", "kind": "Oven"}
    specification = {"group": "bakery.example", "scope": "Namespaced", "names": names, "versions": [version]}
    name = "ovens.bakery.example"
    definition = manifest("CustomResourceDefinition", "apiextensions.k8s.io/v1", "", name, spec=specification)
    assert connection.requests.apply(definition).status == 201
    deadline = time.monotonic() + 20
    while not connection.requests.served([ref])["bakery.example", "Oven"]:
        assert time.monotonic() < deadline
    assert connection.requests.apply(manifest("Oven", "bakery.example/v1", namespace, "o")).status == 201
    connection.requests.delete(definition.ref)


def test_the_clock_is_the_servers(connection: Connection, namespace: str) -> None:
    before = connection.clock.now()
    created = connection.requests.apply(config_map(namespace)).date
    assert created is not None
    offset, uncertainty = connection.clock.offset()
    assert abs(offset) <= uncertainty + 0.1  # the same machine
    assert before - 1.5 <= created <= connection.clock.now() + 1.5


# --- through a line that breaks ---


def test_a_job_whose_creation_lost_its_answer_is_created_once(
    simulated_cluster: SandboxStatus, namespace: str, tmp_path: Path
) -> None:
    """F9"""
    with through_proxy(simulated_cluster, tmp_path) as (proxy, connection, _):
        proxy.rules.add(Rule(LoseResponse(), "PATCH"))
        answer = connection.requests.apply(job(namespace))
        assert (answer.status, answer.body["kind"]) == (201, "Job")
        assert [call.method for call in proxy.mutations] == ["PATCH"]


@pytest.mark.parametrize(
    "fault",
    [
        Answer(429, headers={"Retry-After": "1"}),
        Answer(500, {"reason": "InternalError", "message": "etcdserver: leader changed"}),
        Answer(502),
        Answer(503),
        Answer(504),
        Reset(),
        LoseResponse(),
    ],
    ids=str,
)
def test_every_passing_trouble_is_survived(
    simulated_cluster: SandboxStatus, namespace: str, tmp_path: Path, fault: Answer | Reset | LoseResponse
) -> None:
    """F6, F8, F29"""
    with through_proxy(simulated_cluster, tmp_path) as (proxy, connection, _):
        proxy.rules.add(Rule(fault, "PATCH", times=2), Rule(fault, "GET", times=1))
        assert connection.requests.apply(config_map(namespace)).status in (200, 201)
        assert connection.requests.read(config_map(namespace).ref).status == 200


def test_an_outage_in_the_middle_of_many_writes_loses_and_doubles_nothing(
    simulated_cluster: SandboxStatus, namespace: str, tmp_path: Path
) -> None:
    """F1: every worker waits it out, one line is said, and each object is there once."""
    with through_proxy(simulated_cluster, tmp_path) as (proxy, connection, lines):
        wanted = [deployment(namespace, f"d{number}", replicas=0) for number in range(24)]
        begun = threading.Event()
        statuses: dict[str, int] = {}

        def work(share: int) -> None:
            for position, one in enumerate(wanted[share::4]):
                if position == 2:
                    begun.set()
                statuses[one.ref.name] = connection.requests.apply(one).status

        threads = [threading.Thread(target=work, args=(share,)) for share in range(4)]
        for thread in threads:
            thread.start()
        assert begun.wait(30)
        proxy.begin_outage()
        threading.Event().wait(4.0)
        proxy.end_outage()
        for thread in threads:
            thread.join(60)
        assert set(statuses.values()) <= {200, 201}
        assert len(statuses) == 24
        assert len(connection.requests.list("apps", "Deployment", namespace)) == 24
        assert len(lines) == 1
