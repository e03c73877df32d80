import json
from contextlib import suppress

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bakery_ops.errors import BakeryError, TargetRefused, UsageError
from bakery_ops.model.documents import load, read

CANARY = "hunter2-canary"


def refused(text, source="render"):
    with pytest.raises(UsageError) as caught:
        load(text, source, namespace="shop")
    return caught.value


def config_map(name="a", **more):
    return json.dumps({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, **more})


def test_namespaced_objects_get_the_namespace_and_cluster_objects_lose_theirs():
    first, second, third = load(
        "apiVersion: v1\nkind: Service\nmetadata: {name: a}\n---\n"
        "apiVersion: v1\nkind: Service\nmetadata: {name: a, namespace: other}\n---\n"
        "apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRole\nmetadata: {name: a, namespace: other}\n",
        "render",
        namespace="shop",
    )
    assert first.ref == ("", "Service", "shop", "a")
    assert first.body["metadata"]["namespace"] == "shop"
    assert second.ref.namespace == "other"
    assert third.ref == ("rbac.authorization.k8s.io", "ClusterRole", "", "a")
    assert "namespace" not in third.body["metadata"]


def test_a_custom_kind_has_the_scope_its_definition_in_the_same_render_says():
    text = """
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: zones.example.com}
spec: {group: example.com, scope: Cluster, names: {kind: Zone}}
---
apiVersion: example.com/v1
kind: Zone
metadata: {name: a}
---
apiVersion: example.com/v1
kind: Other
metadata: {name: a}
"""
    _, zone, other = load(text, "render", namespace="shop")
    assert (zone.ref.namespace, other.ref.namespace) == ("", "shop")


def test_errors_and_objects_name_the_file_and_its_own_line():
    text = (
        f"---\n# Source: a.yaml\n{config_map()}\n---\n# Source: b.yaml\n\n\n{config_map('b')}\n---\n{config_map('c')}"
    )
    assert [manifest.source for manifest in load(text, "shop", namespace="n")] == ["a.yaml:1", "b.yaml:3", "b.yaml:5"]
    assert refused(text + "\n---\nx: 1\nx: 2\n").details == ("b.yaml:8:1: duplicate key 'x'",)


def test_lists_are_expanded_also_those_of_one_kind():
    text = json.dumps(
        {
            "apiVersion": "v1",
            "kind": "List",
            "items": [
                json.loads(config_map("a")),
                {"apiVersion": "v1", "kind": "ConfigMapList", "items": [{"metadata": {"name": "b"}}]},
            ],
        }
    )
    assert [str(manifest.ref) for manifest in load(text, "render", namespace="n")] == ["configmap/a", "configmap/b"]


def test_a_list_of_nothing_is_no_object():
    text = f"{config_map()}\n---\napiVersion: v1\nkind: List\nitems: null\n"
    assert len(load(text, "render", namespace="n")) == 1


def test_empty_documents_are_skipped_without_a_word():
    documents = read(f"---\n---\n# nothing\n---\n{config_map()}\n---\nnull\n", "render", namespace="n")
    assert len(documents.manifests) == 1
    assert documents.notes == ()


NOTHING = ["", "---\n", "# only a comment\n", "---\n---\nnull\n", "kind: List\napiVersion: v1\nitems: []"]


@pytest.mark.parametrize("text", NOTHING)
def test_a_render_without_objects_is_refused(text):
    with pytest.raises(TargetRefused, match="renders no objects"):
        load(text, "render", namespace="n")


@pytest.mark.parametrize(
    ("document", "problem"),
    [
        ({"kind": "Secret", "metadata": {"name": "a"}}, "apiVersion is missing (kind 'Secret', name 'a')"),
        ({"apiVersion": "v1", "metadata": {"name": "a"}}, "kind is missing (name 'a')"),
        ({"apiVersion": "v1", "kind": "Secret", "metadata": {}}, "metadata.name is missing (kind 'Secret')"),
        ({"apiVersion": "v1", "kind": "Secret"}, "metadata is missing (kind 'Secret')"),
        ({"apiVersion": "v1", "kind": "Role", "metadata": {"name": 5}}, "metadata.name is not a text (kind 'Role')"),
        ({"apiVersion": "v1", "kind": "Job", "metadata": {"generateName": "a-"}}, "generateName is not supported"),
        ({"apiVersion": "v1", "kind": "Secret", "metadata": ["a"]}, "metadata is not a mapping"),
        ({"apiVersion": 1, "kind": "Secret", "metadata": {"name": "a"}}, "apiVersion is not a text"),
    ],
)
def test_an_object_without_identity_is_refused_and_its_body_stays_unseen(document, problem):
    error = refused(json.dumps({**document, "stringData": {"password": CANARY}}))
    assert problem in error.details[0]
    assert CANARY not in f"{error} {error.details} {error.remedy}"


def test_two_objects_of_one_identity_are_refused_with_both_places():
    error = refused(f"---\n# Source: a.yaml\n{config_map()}\n---\n# Source: b.yaml\n{config_map()}\n")
    assert error.details == ("b.yaml:1: configmap/a is already defined at a.yaml:1",)


def test_an_object_too_big_for_the_store_is_refused():
    assert "larger than 1 MiB" in refused(config_map(data={"blob": "x" * 1_100_000})).details[0]


@pytest.mark.parametrize(
    ("spec", "problem"),
    [
        ({"template": {"spec": {"containers": {"name": "a"}}}}, "spec.template.spec.containers is not a list"),
        ({"template": {"spec": {"containers": [{"name": 5}]}}}, "spec.template.spec.containers[0].name is not a text"),
        ({"template": {"spec": {"containers": [None]}}}, "spec.template.spec.containers[0] is empty"),
        ({"replicas": "2"}, "spec.replicas is not a whole number"),
        ({"replicas": True}, "spec.replicas is not a whole number"),
        ({"selector": {"matchLabels": {"app": 1}}}, "spec.selector.matchLabels.app is not a text; put it in quotes"),
        ([], "spec is not a mapping"),
    ],
)
def test_a_value_of_the_wrong_shape_is_named_by_its_path(spec, problem):
    document = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "a"}, "spec": spec}
    assert problem in refused(json.dumps(document)).details[0]


def test_a_custom_resource_may_reuse_a_kinds_name_with_a_shape_of_its_own():
    document = {"apiVersion": "example.com/v1", "kind": "Service", "metadata": {"name": "a"}, "spec": {"ports": "x"}}
    assert load(json.dumps(document), "render", namespace="n")


def test_many_mistakes_are_cut_with_their_number():
    error = refused("---\n".join("x: 1\n" for _ in range(100)))
    assert len(error.details) == 51
    assert error.details[-1] == "and 250 more"


LEAF = st.one_of(st.none(), st.booleans(), st.integers(-5, 2**70), st.text(max_size=5), st.just(1.5))
KEY = st.sampled_from(["name", "template", "spec", "containers", "a"])
TREE = st.recursive(LEAF, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEY, inner, max_size=3))


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(
    st.fixed_dictionaries(
        {},
        optional={
            "apiVersion": st.sampled_from(["v1", "apps/v1"]) | TREE,
            "kind": st.sampled_from(["Deployment", "List", "Service", "CustomResourceDefinition"]) | TREE,
            "metadata": st.fixed_dictionaries({}, optional={"name": TREE, "namespace": TREE, "labels": TREE}) | TREE,
            "spec": TREE,
            "items": TREE,
        },
    )
)
def test_no_document_makes_it_crash(document):
    with suppress(BakeryError):
        load(json.dumps(document), "render", namespace="n")


def test_four_hundred_documents_are_all_read():
    environment = [{"name": f"E{number}", "value": "v"} for number in range(9)]
    containers = [{"name": f"c{number}", "image": "i", "env": environment} for number in range(6)]
    spec = {"template": {"spec": {"containers": containers}}}
    body = {"apiVersion": "apps/v1", "kind": "Deployment", "spec": spec}
    text = "---\n".join(json.dumps({**body, "metadata": {"name": f"d{n}"}}, indent=1) + "\n" for n in range(400))
    assert len(load(text, "render", namespace="n")) == 400


@pytest.mark.parametrize(
    ("hooks", "kept"),
    [
        ("test", False),
        ("pre-delete, post-delete", False),
        ("post-install,pre-upgrade", True),
        ("test,post-upgrade", True),
        ("", True),
    ],
)
def test_what_helm_creates_only_for_a_test_or_a_removal_is_no_part_of_a_deploy(hooks: str, kept: bool) -> None:
    text = f"apiVersion: v1\nkind: Pod\nmetadata: {{name: p, annotations: {{helm.sh/hook: '{hooks}'}}}}\n"
    found = read(f"{text}---\n{text.replace('name: p', 'name: q').replace('helm.sh/hook', 'x')}", "r", namespace="n")
    assert [manifest.ref.name for manifest in found.manifests] == (["p", "q"] if kept else ["q"])
    assert bool(found.notes) is not kept


@pytest.mark.parametrize(
    ("hooks", "note"),
    [
        ("SyncFail", "an Argo CD hook for SyncFail"),
        ("Skip", "an Argo CD hook for Skip"),
        ("PostDelete", "an Argo CD hook for PostDelete"),
        ("PreSync", ""),
        ("Sync,SyncFail", ""),
    ],
)
def test_what_argo_cd_creates_only_when_a_deploy_has_failed_is_no_part_of_one(hooks: str, note: str) -> None:
    text = "apiVersion: v1\nkind: Pod\nmetadata: {name: %s, annotations: {argocd.argoproj.io/hook: '%s'}}\n"
    found = read(f"{text % ('p', hooks)}---\n{text % ('q', 'Sync')}", "r", namespace="n")
    assert [manifest.ref.name for manifest in found.manifests] == (["q"] if note else ["p", "q"])
    assert [each.split(", which")[0] for each in found.notes] == ([f"r:1: {note}"] if note else [])
