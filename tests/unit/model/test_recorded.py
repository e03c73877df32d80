"""A render is kept exactly, but for the values of its Secrets."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bakery_ops.model.content import content_hash
from bakery_ops.model.documents import load
from bakery_ops.model.manifest import Manifest, ObjectRef
from bakery_ops.model.recorded import VALUES_KEPT, difference, digest, read, recorded, without_values

CANARY = "canary-7f3a"
TEXT = f"""
apiVersion: v1
kind: Secret
type: Opaque
metadata:
  name: login
  labels: {{app: web}}
  annotations: {{kubectl.kubernetes.io/last-applied-configuration: '{{"data":"{CANARY}"}}'}}
stringData: {{password: {CANARY}}}
---
apiVersion: v1
kind: ConfigMap
metadata: {{name: settings}}
data: {{on: "yes", number: "1e3", lines: "a\\nb\\n"}}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {{name: reader}}
"""
MANIFESTS = load(TEXT, "test", namespace="shop")


def config(name: str, data: dict[str, str]) -> Manifest:
    ref = ObjectRef("", "ConfigMap", "shop", name)
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": "shop"}, "data": data}
    return Manifest(ref, "v1", body, "test")


def test_what_is_kept_comes_back_as_it_was() -> None:
    back = {manifest.ref: manifest for manifest in read(recorded(MANIFESTS), "release 1")}
    for manifest in MANIFESTS:
        assert back[manifest.ref].api_version == manifest.api_version
        assert back[manifest.ref].body == without_values(manifest).body
    assert [manifest.ref for manifest in MANIFESTS if back[manifest.ref].body != manifest.body] == [
        ObjectRef("", "Secret", "shop", "login")
    ]


def test_of_a_secret_only_name_labels_and_type_are_kept() -> None:
    """I6: also kubectl's own copy of the values is left out."""
    text = recorded(MANIFESTS)
    assert CANARY not in text
    (secret,) = (manifest for manifest in read(text, "release 1") if manifest.ref.kind == "Secret")
    assert (secret.body["type"], secret.labels, secret.annotations) == ("Opaque", {"app": "web"}, {VALUES_KEPT: "true"})


def test_the_order_of_a_render_does_not_make_another_text() -> None:
    assert digest(recorded(MANIFESTS)) == digest(recorded(tuple(reversed(MANIFESTS))))


@example({"name": ""})  # a key that is also the name of a parameter of ours
@given(st.dictionaries(st.text(max_size=20), st.text(max_size=50), max_size=5))
def test_any_text_survives(data: dict[str, str]) -> None:
    manifest = config("any", data)
    (back,) = read(recorded([manifest]), "release 1")
    assert (back.ref, content_hash(back)) == (manifest.ref, content_hash(manifest))


@pytest.mark.parametrize(
    "text", ["{", "[]", '"x"', "{}\n\n{}", '{"kind": "Pod"}', '{"apiVersion": "v1", "kind": "Pod", "metadata": 1}']
)
def test_what_is_no_kept_text_is_said_so(text: str) -> None:
    with pytest.raises(ValueError):
        read(text, "release 1")


def test_a_difference_names_what_came_went_and_changed() -> None:
    before = (config("same", {}), config("gone", {}), config("other", {"a": "1"}))
    after = (config("same", {}), config("new", {}), config("other", {"a": "2"}))
    assert difference(before, after).lines() == [
        "added: configmap/new",
        "removed: configmap/gone",
        "changed: configmap/other",
    ]
