"""Drift from field ownership: what somebody took from us is seen, what the server fills in or rewrites is not."""

from __future__ import annotations

import random
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from bakery_ops.model.contract import Stage
from bakery_ops.model.graph import Node
from bakery_ops.rules.drift import drift
from tests.fakes import FakeCluster
from tests.rollouts import node, runs

# managedFields as kube-apiserver 1.34 writes them for a Deployment applied by us; "100m" was sent as "0.1".
OWNED = {
    "manager": "bakery-ops",
    "operation": "Apply",
    "apiVersion": "apps/v1",
    "fieldsType": "FieldsV1",
    "fieldsV1": {
        "f:metadata": {"f:annotations": {"f:bakery-ia.dev/content-hash": {}}, "f:labels": {"f:app": {}}},
        "f:spec": {
            "f:replicas": {},
            "f:selector": {},
            "f:template": {
                "f:spec": {
                    "f:containers": {
                        'k:{"name":"app"}': {
                            ".": {},
                            "f:image": {},
                            "f:name": {},
                            "f:ports": {'k:{"containerPort":8000,"protocol":"TCP"}': {".": {}, "f:containerPort": {}}},
                            "f:resources": {"f:requests": {"f:cpu": {}}},
                            "f:args": {},
                        }
                    },
                    "f:volumes": {'k:{"name":"tmp"}': {".": {}, "f:emptyDir": {}, "f:name": {}}},
                }
            },
        },
    },
}


def deployment() -> Node:
    container = {
        "name": "app",
        "image": "app:1",
        "ports": [{"containerPort": 8000}],
        "resources": {"requests": {"cpu": "0.1"}},
        "args": ["serve"],
        "env": [],
        "livenessProbe": None,
    }
    pod = {"containers": [container], "volumes": [{"name": "tmp", "emptyDir": {}}]}
    item = node("web", spec={"replicas": 1, "selector": {"matchLabels": {"app": "web"}}, "template": {"spec": pod}})
    item.manifest.body["metadata"]["labels"] = {"app": "web"}
    return item


def live(*entries: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"managedFields": list(entries)}, **more}


def without(*path: str) -> dict[str, Any]:
    """`OWNED` after somebody took the field at `path`. A server keeps no map that became empty by that."""

    def cut(tree: dict[str, Any], rest: tuple[str, ...]) -> dict[str, Any]:
        inner = cut(tree[rest[0]], rest[1:]) if len(rest) > 1 else {}
        kept = {key: value for key, value in tree.items() if key != rest[0]}
        return {**kept, rest[0]: inner} if inner else kept

    return {**OWNED, "fieldsV1": cut(OWNED["fieldsV1"], path)}  # type: ignore[arg-type] # a nested dictionary


CONTAINER = ("f:spec", "f:template", "f:spec", "f:containers", 'k:{"name":"app"}')


def test_normalised_quantities_defaults_nulls_and_empty_lists_are_no_drift() -> None:
    assert drift(deployment().manifest, live(OWNED)) == ()


def test_a_field_somebody_took_is_named_with_its_new_manager() -> None:
    other = {
        "manager": "kubectl-edit",
        "operation": "Update",
        "apiVersion": "apps/v1",
        "fieldsV1": {"f:spec": {"f:template": {"f:spec": {"f:containers": {'k:{"name":"app"}': {"f:image": {}}}}}}},
    }
    (found,) = drift(deployment().manifest, live(without(*CONTAINER, "f:image"), other))
    assert str(found) == "spec.template.spec.containers[app].image changed by kubectl-edit"


def test_a_field_nobody_has_any_more_was_removed() -> None:
    (found,) = drift(deployment().manifest, live(without("f:metadata", "f:labels", "f:app")))
    assert str(found) == "metadata.labels.app removed"


def test_a_removed_container_is_one_drift_and_not_one_per_field() -> None:
    (found,) = drift(deployment().manifest, live(without(*CONTAINER)))
    assert found.path == "spec.template.spec.containers"


def test_a_port_that_is_gone_is_drift_and_its_default_protocol_is_not() -> None:
    (found,) = drift(
        deployment().manifest, live(without(*CONTAINER, "f:ports", 'k:{"containerPort":8000,"protocol":"TCP"}'))
    )
    assert found.path == "spec.template.spec.containers[app].ports"


def test_of_two_ports_with_one_number_the_one_that_is_gone_is_drift() -> None:
    """53 by TCP, the protocol left out, and by UDP."""
    ports = [{"containerPort": 53}, {"containerPort": 53, "protocol": "UDP"}]
    item = node("dns", spec={"ports": ports})
    keys = {protocol: f'k:{{"containerPort":53,"protocol":"{protocol}"}}' for protocol in ("TCP", "UDP")}
    fields = {protocol: {key: {".": {}, "f:containerPort": {}}} for protocol, key in keys.items()}
    fields["UDP"][keys["UDP"]]["f:protocol"] = {}

    def seen(*protocols: str) -> list[str]:
        owned = {key: value for protocol in protocols for key, value in fields[protocol].items()}
        entry = {**OWNED, "fieldsV1": {"f:spec": {"f:ports": owned}}}
        return [found.path for found in drift(item.manifest, live(entry))]

    assert seen("TCP", "UDP") == []
    assert len(seen("UDP")) == len(seen("TCP")) == 1


def test_an_item_of_a_set_is_known_however_it_is_escaped() -> None:
    item = node("web", spec={"hosts": ["müller.example", "a&b"]})
    for keys in (('v:"müller.example"', 'v:"a&b"'), ('v:"m\\u00fcller.example"', 'v:"a\\u0026b"')):
        entry = {**OWNED, "fieldsV1": {"f:spec": {"f:hosts": {key: {} for key in keys}}}}
        assert drift(item.manifest, live(entry)) == ()
    gone = {**OWNED, "fieldsV1": {"f:spec": {"f:hosts": {'v:"a&b"': {}}}}}
    assert [found.path for found in drift(item.manifest, live(gone))] == ["spec.hosts[müller.example]"]


def test_an_atomic_field_is_owned_as_a_whole() -> None:
    (found,) = drift(deployment().manifest, live(without(*CONTAINER, "f:args")))
    assert found.path == "spec.template.spec.containers[app].args"


def test_without_an_apply_of_ours_everything_is_drift() -> None:
    assert [found.path for found in drift(deployment().manifest, live())] == [""]
    update = {**OWNED, "operation": "Update"}
    assert [found.path for found in drift(deployment().manifest, live(update))] == [""]


def test_ownership_under_another_api_version_is_not_trusted() -> None:
    assert drift(deployment().manifest, live({**OWNED, "apiVersion": "apps/v1beta2"})) != ()


def test_a_secrets_values_are_compared_because_string_data_is_never_owned() -> None:
    item = node("secret/app", "Secret", Stage.FOUNDATION)
    item.manifest.body["stringData"] = {"key": "value"}
    item.manifest.body["data"] = {"other": "dmFsdWU="}
    del item.manifest.body["spec"]
    owned = {**OWNED, "apiVersion": "v1", "fieldsV1": {"f:stringData": {"f:key": {}}}}
    metadata = {"managedFields": [owned]}
    good = {"metadata": metadata, "data": {"key": "dmFsdWU=", "other": "dmFsdWU="}}
    assert drift(item.manifest, good) == ()
    (found,) = drift(item.manifest, {"metadata": metadata, "data": {"key": "b3RoZXI=", "other": "dmFsdWU="}})
    assert found.path == "data.key"
    assert "value" not in str(found)


EDITS: list[Any] = [
    lambda body: body["spec"].update(replicas=9),
    lambda body: body["spec"]["template"]["spec"]["containers"][0].update(image="evil:1"),
    lambda body: body["spec"]["template"]["spec"]["containers"][0].update(args=["other"]),
    lambda body: body["spec"]["template"]["spec"]["containers"].clear(),
    lambda body: body["metadata"]["labels"].update(app="other"),
    lambda body: body["spec"]["template"]["spec"]["containers"][0]["resources"]["requests"].update(cpu="2"),
]
HARMLESS: list[Any] = [
    lambda body: body["spec"].update(revisionHistoryLimit=10),
    lambda body: body["metadata"]["labels"].update(theirs="x"),
    lambda body: body["spec"]["template"]["spec"]["containers"].append({"name": "sidecar", "image": "mesh:1"}),
    lambda body: body["spec"]["template"]["spec"]["containers"][0].update(imagePullPolicy="IfNotPresent"),
]


def test_a_field_that_the_server_lets_nobody_own_is_no_drift() -> None:
    """A CertificateSigningRequest as the server keeps it: the spec stands, and no entry of managedFields holds it."""
    item = node("login", "CertificateSigningRequest", spec={"request": "LS0t", "signerName": "example.org/client"})
    item.manifest.body["metadata"]["labels"] = {"app": "web"}
    entry = {**OWNED, "apiVersion": item.manifest.api_version, "fieldsV1": {"f:metadata": {"f:labels": {"f:app": {}}}}}
    live = {"metadata": {"managedFields": [entry]}, "spec": item.manifest.spec}
    assert drift(item.manifest, live) == ()
    entry["fieldsV1"] = {}
    assert [each.path for each in drift(item.manifest, live)] == ["metadata.labels.app"]


@runs(200)
@given(st.integers(0, 2**32))
def test_edits_of_our_fields_are_drift_and_additions_of_others_are_not(seed: int) -> None:
    chance = random.Random(seed)
    item = deployment()
    cluster = FakeCluster()
    cluster.apply(item.manifest)
    for edit in chance.sample(HARMLESS, chance.randint(0, len(HARMLESS))):
        cluster.change(item.ref, edit, "somebody")
    assert drift(item.manifest, cluster.body(item.ref)) == ()
    cluster.change(item.ref, chance.choice(EDITS), "kubectl-edit")
    assert drift(item.manifest, cluster.body(item.ref)) != ()
