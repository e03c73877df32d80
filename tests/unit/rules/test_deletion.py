"""What keeps an object that is being deleted, and many objects in few words."""

from bakery_ops.model.manifest import ObjectRef
from bakery_ops.rules.deletion import by_kind, held_by


def refs(kind, *names):
    return [ObjectRef("", kind, "shop", name) for name in names]


def pod(name, *, app="web", since="2026-01-01T00:00:00Z"):
    metadata = {"name": name, "labels": {"app": app}, "deletionTimestamp": since, "deletionGracePeriodSeconds": 30}
    return {"kind": "Pod", "metadata": metadata, "spec": {"nodeName": "n1"}}


WEB = {
    "kind": "Deployment",
    "metadata": {"name": "web", "finalizers": ["foregroundDeletion"]},
    "spec": {"selector": {"matchLabels": {"app": "web"}}},
}


def test_many_objects_are_counted_by_kind_and_a_single_one_is_named():
    every = [*refs("Deployment", "a", "b"), *refs("NetworkPolicy", "c", "d"), *refs("Ingress", "f", "g")]
    assert by_kind([*every, *refs("ConfigMap", "settings")]) == (
        "2 Deployments, 2 NetworkPolicies, 2 Ingresses, configmap/settings"
    )


def test_a_workload_is_held_by_its_pods_and_not_by_the_garbage_collectors_finalizer():
    held = held_by(WEB, [pod("web-1"), pod("db-1", app="db")])
    assert held == (
        "its pods have not ended: pod/web-1 on node n1, ending since 2026-01-01T00:00:00Z with 30 s of grace"
    )


def test_of_many_pods_three_are_named():
    assert held_by(WEB, [pod(f"web-{number}") for number in range(5)]).endswith("and 2 more")


def test_finalizers_are_named_where_no_pod_explains_them():
    body = {**WEB, "metadata": {"finalizers": ["foregroundDeletion", "example.com/never"]}}
    assert held_by(body) == "waits for its finalizers foregroundDeletion, example.com/never"
    assert held_by(body, [pod("web-1")]).endswith("; waits for its finalizers example.com/never")
    assert held_by({"metadata": {}}) == "its deletion is not finished"


def test_a_namespace_says_itself_what_keeps_it():
    condition = {
        "type": "NamespaceContentRemaining",
        "status": "True",
        "reason": "SomeRemain",
        "message": "pods. has 1",
    }
    body = {"kind": "Namespace", "metadata": {}, "spec": {"finalizers": ["kubernetes"]}}
    body["status"] = {"conditions": [condition, {"status": "False", "reason": "Fine", "message": "all well"}]}
    assert held_by(body) == "SomeRemain: pods. has 1; waits for its finalizers kubernetes"
