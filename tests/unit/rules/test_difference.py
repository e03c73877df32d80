"""What would change in an object, field by field, and never a secret value."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from bakery_ops.rules.difference import MASK, Change, difference
from tests.rollouts import runs

CANARY = "canary-5f2d81"


def deployment(**container: Any) -> dict[str, Any]:
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web", "resourceVersion": "7", "managedFields": [{"manager": "x"}], "generation": 3},
        "spec": {"replicas": 1, "template": {"spec": {"containers": [{"name": "app", "image": "app:1", **container}]}}},
        "status": {"replicas": 1},
    }


def changed(before: dict[str, Any], after: dict[str, Any]) -> dict[str, tuple[str, str]]:
    return {change.path: (change.before, change.after) for change in difference(before, after)}


def test_a_changed_field_is_named_by_its_path_with_both_values() -> None:
    path = "spec.template.spec.containers[app].image"
    assert changed(deployment(), deployment(image="app:2")) == {path: ("app:1", "app:2")}


def test_what_the_server_counts_for_itself_is_no_change() -> None:
    after = deployment()
    after["metadata"] |= {"resourceVersion": "8", "managedFields": [], "generation": 4, "uid": "u"}
    after["metadata"]["annotations"] = {"bakery-ia.dev/content-hash": "abc", "bakery-ia.dev/lease-transitions": "4"}
    after["status"] = {"replicas": 0}
    assert difference(deployment(), after) == ()


def test_items_of_a_list_are_told_apart_by_their_key_not_by_their_place() -> None:
    one, gone, two = ({"name": name, "value": "1"} for name in "ACB")
    env = "spec.template.spec.containers[app].env"
    found = changed(deployment(env=[one, gone, two]), deployment(env=[one, {**two, "value": "3"}]))
    assert found == {f"{env}[B].value": ("1", "3"), f"{env}[C]": ('{"name":"C","value":"1"}', "")}


def test_what_was_added_has_no_before_and_what_was_removed_no_after() -> None:
    path = "spec.template.spec.containers[app].workingDir"
    assert changed(deployment(), deployment(workingDir="/srv")) == {path: ("", "/srv")}
    assert changed(deployment(workingDir="/srv"), deployment()) == {path: ("/srv", "")}


def test_of_a_long_text_only_the_lines_that_differ_are_shown() -> None:
    before, after = ({"kind": "ConfigMap", "data": {"a.conf": f"one\n{word}\nthree\n"}} for word in ("two", "2"))
    assert difference(before, after) == (Change("data.a.conf line 2", "two", "2"),)


def test_a_secret_s_values_are_never_shown_only_that_they_differ() -> None:
    note = {"kubectl.kubernetes.io/last-applied-configuration": f'{{"data": "{CANARY}"}}'}
    before = {"kind": "Secret", "metadata": {"annotations": note}, "data": {"kept": "x", "old": CANARY, "same": CANARY}}
    after = {"kind": "Secret", "metadata": {}, "data": {"kept": CANARY, "new": CANARY, "same": CANARY}, "type": "t"}
    assert CANARY not in str(difference(before, after))
    assert changed(before, after) == {
        "data.kept": (MASK, MASK),
        "data.new": ("", MASK),
        "data.old": (MASK, ""),
        "type": ("", "t"),
    }


def test_a_variable_that_sounds_like_a_secret_is_masked_alone_and_inside_a_new_container() -> None:
    secret = {"name": "DB_PASSWORD", "value": CANARY}
    fresh = {"name": "second", "env": [secret]}
    before = deployment(env=[{**secret, "value": "x"}])
    after = deployment(env=[secret])
    after["spec"]["template"]["spec"]["containers"].append(fresh)
    found = changed(before, after)
    assert CANARY not in str(found)
    assert found["spec.template.spec.containers[app].env[DB_PASSWORD].value"] == (MASK, MASK)
    assert MASK in found["spec.template.spec.containers[second]"][1]


def test_items_that_changed_places_are_a_change() -> None:
    one, two = {"name": "wait-for-a"}, {"name": "wait-for-b"}
    found = difference({"initContainers": [one, two]}, {"initContainers": [two, one]})
    assert found == (Change("initContainers order", "[wait-for-a] [wait-for-b]", "[wait-for-b] [wait-for-a]"),)


values = st.recursive(
    st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["name", "port", "x"]), inner),
    max_leaves=10,
)


@runs(200)
@given(before=st.dictionaries(st.text(max_size=3), values), after=st.dictionaries(st.text(max_size=3), values))
def test_there_is_a_difference_exactly_where_the_objects_differ(before: dict[str, Any], after: dict[str, Any]) -> None:
    for body in (before, after):
        for own in ("status", "metadata"):
            body.pop(own, None)
    assert difference(before, before) == ()
    assert bool(difference(before, after)) is (before != after)
