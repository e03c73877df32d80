"""Single requests: what they ask of the server, and what becomes of its answers."""

from __future__ import annotations

from typing import Any

import pytest

from bakery_ops.errors import ClusterUnreachable, Locked, OperationFailed
from bakery_ops.model.content import stamped
from bakery_ops.model.contract import CONTENT_HASH, FENCE
from bakery_ops.model.manifest import Manifest, ObjectRef
from tests.unit.cluster.scripted import Client, Drop, Say, ScriptedServer, Seen, Watch, item, listing, status

PODS = "/api/v1/namespaces/shop/pods"
JOB = "/apis/batch/v1/namespaces/shop/jobs/seed"


def manifest(kind: str = "Job", api_version: str = "batch/v1", name: str = "seed", **body: Any) -> Manifest:
    group = api_version.rpartition("/")[0]
    metadata = {"name": name, "namespace": "shop", "annotations": {CONTENT_HASH: "h1"}}
    whole = {"apiVersion": api_version, "kind": kind, "metadata": metadata, **body}
    return Manifest(ObjectRef(group, kind, "shop", name), api_version, whole, "seed.yaml:1")


def live(digest: str = "h1", created: str = "2024-01-01T00:00:00Z") -> Say:
    return Say(200, item("seed", metadata={"annotations": {CONTENT_HASH: digest}, "creationTimestamp": created}))


def test_apply_is_a_server_side_apply_by_our_field_manager(server: ScriptedServer, client: Client) -> None:
    server.expect("PATCH", JOB, Say(201, item("seed")))
    answer = client.requests.apply(manifest(spec={"parallelism": 1}))
    seen = server.seen[0]
    assert (answer.status, seen.query) == (201, {"fieldManager": "bakery-ops", "force": "false"})
    assert seen.headers["Content-Type"] == "application/apply-patch+yaml"
    assert seen.json["spec"] == {"parallelism": 1}


def test_a_dry_run_is_strict_and_writes_nothing(server: ScriptedServer, client: Client) -> None:
    server.expect("PATCH", JOB, Say(200))
    client.requests.apply(manifest(), dry_run=True, force=True)
    assert server.seen[0].query["dryRun"] == "All"
    assert server.seen[0].query["fieldValidation"] == "Strict"
    assert server.seen[0].query["force"] == "true"
    assert client.transport.requests == {"dry-run": 1}


def test_the_version_written_in_the_manifest_is_the_one_used(server: ScriptedServer, client: Client) -> None:
    path = "/apis/autoscaling/v1/namespaces/shop/horizontalpodautoscalers/web"
    server.expect("PATCH", path, Say(201))
    assert client.requests.apply(manifest("HorizontalPodAutoscaler", "autoscaling/v1", "web")).status == 201


def test_a_lost_answer_is_read_back_before_anything_is_written_again(server: ScriptedServer, client: Client) -> None:
    """F9: the Job exists already, so no second PATCH."""
    server.expect("PATCH", JOB, Drop())
    server.expect("GET", JOB, live())
    answer = client.requests.apply(manifest())
    assert answer.body["metadata"]["name"] == "seed"
    assert [seen.method for seen in server.seen] == ["PATCH", "GET"]


def test_a_write_that_never_arrived_is_sent_again(server: ScriptedServer, client: Client) -> None:
    server.expect("PATCH", JOB, Drop(), Say(201, item("seed")))
    server.expect("GET", JOB, status(404))
    assert client.requests.apply(manifest()).status == 201
    assert [seen.method for seen in server.seen] == ["PATCH", "GET", "PATCH"]


def test_an_older_object_of_that_name_is_no_proof_of_the_write(server: ScriptedServer, client: Client) -> None:
    server.expect("PATCH", JOB, status(500, "InternalError", "x"), Say(200, item("seed")))
    server.expect("GET", JOB, live("h0"))
    client.requests.apply(manifest())
    assert [seen.method for seen in server.seen] == ["PATCH", "GET", "PATCH"]


def test_an_object_that_drifted_is_no_proof_that_its_repair_was_written(server: ScriptedServer, client: Client) -> None:
    """An earlier run wrote the same content, so only the fence tells its write from ours."""
    drifted = item("seed", metadata={"annotations": {CONTENT_HASH: "h1", FENCE: "6"}})
    server.expect("PATCH", JOB, status(503), Say(200, item("seed")))
    server.expect("GET", JOB, Say(200, drifted))
    client.requests.apply(stamped(manifest(), "h1", fence=7))
    assert [seen.method for seen in server.seen] == ["PATCH", "GET", "PATCH"]


def test_the_suspension_of_a_job_is_not_taken_for_written_because_the_job_is(
    server: ScriptedServer, client: Client
) -> None:
    """It bears the notes of the apply before it; what it is, is a change of the object of one UID."""
    applied = item("seed", metadata={"annotations": {CONTENT_HASH: "h1", FENCE: "7"}})
    suspension = stamped(manifest(spec={"suspend": True}), "h1", fence=7)
    suspension.body["metadata"]["uid"] = "uid-seed"
    server.expect("PATCH", JOB, status(503), Say(200, item("seed")))
    server.expect("GET", JOB, Say(200, applied))
    client.requests.apply(suspension)
    assert [seen.method for seen in server.seen] == ["PATCH", "GET", "PATCH"]


@pytest.mark.parametrize("code", [500, 502, 503, 504])
def test_a_server_error_on_a_write_is_read_back(server: ScriptedServer, client: Client, code: int) -> None:
    """F8"""
    server.expect("PATCH", JOB, status(code))
    server.expect("GET", JOB, live())
    assert client.requests.apply(manifest()).status in (200, 201)


def test_a_read_back_object_made_by_the_lost_write_counts_as_created(server: ScriptedServer, client: Client) -> None:
    server.expect("PATCH", JOB, Drop())
    server.expect("GET", JOB, live(created="2099-01-01T00:00:00Z"))
    assert client.requests.apply(manifest()).status == 201


def test_a_broken_webhook_is_named_after_its_own_shorter_budget(server: ScriptedServer, client: Client) -> None:
    """F24"""
    server.always("PATCH", JOB, status(500, "InternalError", 'failed calling webhook "check.example.com": refused'))
    server.always("GET", JOB, status(404))
    answer = client.requests.apply(manifest())
    assert (answer.status, "check.example.com" in answer.message) == (500, True)
    assert 50 < sum(client.steady.sleeps) <= 60


def test_a_dry_run_is_never_read_back(server: ScriptedServer, client: Client) -> None:
    server.expect("PATCH", JOB, Drop(), Say(200))
    client.requests.apply(manifest(), dry_run=True)
    assert {seen.method for seen in server.seen} == {"PATCH"}


def test_a_conflict_is_an_answer_with_its_causes(server: ScriptedServer, client: Client) -> None:
    """F12"""
    cause = {"reason": "FieldManagerConflict", "message": 'conflict with "hpa"', "field": ".spec.replicas"}
    server.expect("PATCH", JOB, status(409, "Conflict", "Apply failed", details={"causes": [cause]}))
    answer = client.requests.apply(manifest())
    assert answer.body["details"]["causes"] == [cause]


def test_an_unknown_kind_is_refused_without_a_write(server: ScriptedServer, client: Client) -> None:
    server.expect("GET", "/apis", Say(200, {"kind": "APIGroupDiscoveryList", "items": []}))
    answer = client.requests.apply(manifest("Oven", "bakery.example/v1"))
    assert (answer.status, answer.reason) == (404, "KindNotServed")


def test_a_secrets_value_is_in_no_answer(server: ScriptedServer, client: Client) -> None:
    """B30, the case of CVE-2025-23216"""
    path = "/api/v1/namespaces/shop/secrets/db"

    def quote(seen: Seen) -> Say:
        return status(
            422, "Invalid", f"bad: {seen.json['data']['password']} and hunter2-canary", details={"x": "hunter2-canary"}
        )

    server.expect("PATCH", path, quote)
    answer = client.requests.apply(manifest("Secret", "v1", "db", data={"password": "aHVudGVyMi1jYW5hcnk="}))
    assert "hunter2" not in repr(answer)
    assert "aHVudGVy" not in repr(answer)
    assert answer.message == "bad: *** and ***"


def test_a_secret_the_server_cannot_read_is_not_quoted_at_all(server: ScriptedServer, client: Client) -> None:
    server.expect("PATCH", "/api/v1/namespaces/shop/secrets/db", status(400, "BadRequest", '…|"password":"hunter2|…'))
    answer = client.requests.apply(manifest("Secret", "v1", "db", data={"password": 12345}))
    assert "hunter2" not in repr(answer)


def test_a_giant_error_is_shortened_to_four_kibibytes(server: ScriptedServer, client: Client) -> None:
    """B58"""
    server.expect("PATCH", JOB, Say(422, b"<html>" + b"x" * 1_000_000))
    answer = client.requests.apply(manifest())
    assert len(answer.message.encode()) <= 4096
    assert answer.message.endswith("(shortened)")


def test_a_lost_lock_stops_every_write_before_it_is_sent(server: ScriptedServer, client: Client) -> None:
    def lost() -> None:
        raise Locked("lost")

    client.transport.guard(lost)
    with pytest.raises(Locked):
        client.requests.apply(manifest())
    with pytest.raises(Locked):
        client.requests.delete(manifest().ref)
    assert server.seen == []


def test_a_guarded_dry_run_needs_no_lock(server: ScriptedServer, client: Client) -> None:
    server.expect("PATCH", JOB, Say(200))
    client.transport.guard(lambda: pytest.fail("asked"))
    assert client.requests.apply(manifest(), dry_run=True).status == 200


def test_a_list_has_all_pages_and_names_the_kind_of_each_item(server: ScriptedServer, client: Client) -> None:
    server.expect("GET", PODS, listing([item("a")], token="t1"), listing([item("b")]))
    pods = client.requests.list("", "Pod", "shop", label_selector="a=b")
    assert [(pod["kind"], pod["metadata"]["name"]) for pod in pods] == [("Pod", "a"), ("Pod", "b")]
    assert server.seen[0].query == {"limit": "500", "labelSelector": "a=b"}
    assert server.seen[1].query["continue"] == "t1"


def test_an_expired_page_token_starts_the_list_anew(server: ScriptedServer, client: Client) -> None:
    """F4"""
    server.expect("GET", PODS, listing([item("a")], token="t1"), status(410), listing([item("b")]))
    assert [pod["metadata"]["name"] for pod in client.requests.list("", "Pod", "shop")] == ["b"]


def test_a_list_of_an_unserved_kind_is_empty(server: ScriptedServer, client: Client) -> None:
    server.expect("GET", PODS, status(404))
    assert client.requests.list("", "Pod", "shop") == []


def test_a_forbidden_list_is_an_error_and_not_an_empty_cluster(server: ScriptedServer, client: Client) -> None:
    server.expect("GET", PODS, status(403, "Forbidden", "pods is forbidden"))
    with pytest.raises(OperationFailed, match="pods is forbidden"):
        client.requests.list("", "Pod", "shop")


PAGE = b"<html>Log in, someone@example.org</html>"


@pytest.mark.parametrize("answer", [Say(302, PAGE), Say(200, PAGE), Say(200, {"kind": "Status"}), Say(200, b"")])
def test_what_is_no_list_is_an_error_and_not_an_empty_cluster(
    server: ScriptedServer, client: Client, answer: Say
) -> None:
    """F60: a proxy that wants a login answers in the API server's place."""
    server.always("GET", PODS, answer)
    with pytest.raises(OperationFailed, match="pods"):
        client.requests.list("", "Pod", "shop")
    with pytest.raises(OperationFailed, match="pods"):
        client.requests.metadata("", "Pod", "shop")


@pytest.mark.parametrize("answer", [Say(302, PAGE, {"Location": "https://x/?token=canary"}), Say(200, PAGE)])
def test_what_a_proxy_answers_is_no_answer_of_the_server(server: ScriptedServer, client: Client, answer: Say) -> None:
    """F60"""
    server.expect("GET", JOB, answer).expect("PATCH", JOB, answer).expect("DELETE", JOB, answer)
    ref = manifest().ref
    for found in (client.requests.read(ref), client.requests.apply(manifest()), client.requests.delete(ref)):
        assert (found.status, found.reason) == (502, "NotTheServer")
        assert f"something before it, with {answer.status}" in found.message
        assert "someone" not in repr(found)


def test_all_namespaces_are_listed_at_once(server: ScriptedServer, client: Client) -> None:
    server.expect("GET", "/api/v1/pods", listing([]))
    assert client.requests.list("", "Pod", None) == []


def test_delete_names_the_object_it_means(server: ScriptedServer, client: Client) -> None:
    server.expect("DELETE", JOB, Say(200))
    client.requests.delete(manifest().ref, uid="u1")
    options = server.seen[0].json
    assert (options["preconditions"], options["propagationPolicy"]) == ({"uid": "u1"}, "Background")


def test_logs_keep_lines_and_give_none_for_no_log(server: ScriptedServer, client: Client) -> None:
    path = f"{PODS}/p/log"
    server.expect(
        "GET",
        path,
        Say(200, b"one\ntwo [/bold]\x1b[31m\n"),
        status(400, "BadRequest", "waiting to start"),
        Say(200, b""),
    )
    assert client.requests.logs("shop", "p", "c", previous=True) == ("one", "two [/bold]\x1b[31m")
    assert server.seen[0].query == {"container": "c", "previous": "true", "tailLines": "50", "limitBytes": "65536"}
    assert client.requests.logs("shop", "p", "c") == ()
    assert client.requests.logs("shop", "p", "c") == ()


def test_logs_that_may_not_be_read_are_an_error_and_not_an_empty_log(server: ScriptedServer, client: Client) -> None:
    server.expect("GET", f"{PODS}/p/log", status(403, "Forbidden", 'pods "p" is forbidden'))
    with pytest.raises(OperationFailed, match='the log of p/c cannot be read: pods "p" is forbidden'):
        client.requests.logs("shop", "p", "c")


def test_a_proxied_get_gives_status_body_and_time_and_is_not_repeated(server: ScriptedServer, client: Client) -> None:
    path = "/api/v1/namespaces/shop/services/web:8000/proxy/health/ready"
    server.expect("GET", path, Say(404, b"no"), Drop())
    assert client.requests.proxy_get("shop", "web", "8000", "/health/ready")[:2] == (404, b"no")
    with pytest.raises(ClusterUnreachable):
        client.requests.proxy_get("shop", "web", "8000", "/health/ready")
    assert len(server.seen) == 2


def test_of_a_proxied_answer_that_never_ends_only_the_beginning_is_read(server: ScriptedServer, client: Client) -> None:
    """What answers at "/" is anybody's program: a stream of events there must not hold `verify` for ever."""
    path = "/api/v1/namespaces/shop/services/web:80/proxy/"
    server.expect("GET", path, Watch((b"x" * 40_000, b"y" * 40_000), "hold"), Say(200, b"next"))
    status, body, _ = client.requests.proxy_get("shop", "web", "80", "/")
    assert (status, len(body)) == (200, 65_536)
    assert client.requests.proxy_get("shop", "web", "80", "/")[1] == b"next"


def test_requests_are_counted_by_verb(server: ScriptedServer, client: Client) -> None:
    server.expect("GET", JOB, status(503), Say(200))
    client.requests.read(manifest().ref)
    assert client.transport.requests == {"get": 2}


def test_metadata_is_read_without_the_rest_so_that_no_secret_crosses_the_wire(
    server: ScriptedServer, client: Client
) -> None:
    secrets = "/api/v1/namespaces/shop/secrets"
    server.expect("GET", secrets, listing([item("a")], token="more"))
    server.expect("GET", secrets, listing([item("b")]))
    assert [each["metadata"]["name"] for each in client.requests.metadata("", "Secret", "shop")] == ["a", "b"]
    assert {"as=PartialObjectMetadataList" in seen.headers["Accept"] for seen in server.seen} == {True}
