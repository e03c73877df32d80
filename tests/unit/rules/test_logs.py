"""Which containers a name means."""

import pytest

from bakery_ops.errors import UsageError
from bakery_ops.model.contract import Stage
from bakery_ops.model.graph import Graph
from bakery_ops.rules.logs import meant, sources
from tests.rollouts import node

GRAPH = Graph([node("auth-service"), node("auth-migration", "Job", Stage.MIGRATION), node("service/auth", "Service")])


def item(name, uid, *owners, born="2026-01-01T00:00:00Z", **more):
    metadata = {"name": name, "namespace": "shop", "uid": uid, "creationTimestamp": born}
    return {"metadata": {**metadata, "ownerReferences": [{"uid": owner} for owner in owners]}, **more}


def pod(name, owner, *, born="2026-01-01T00:00:00Z", statuses=(), inits=()):
    spec = {"initContainers": [{"name": each} for each in inits], "containers": [{"name": "app"}]}
    return item(name, f"uid-{name}", owner, born=born, spec=spec, status={"containerStatuses": list(statuses)})


def test_a_name_means_its_workload_and_a_wrong_one_is_refused_with_the_nearest():
    assert meant(GRAPH, "auth-migration").name == "auth-migration"
    with pytest.raises(UsageError) as refused:
        meant(GRAPH, "auth-servise")
    assert "did you mean 'auth-service'" in refused.value.remedy


def test_pods_are_found_through_their_owners_oldest_first_and_those_of_others_are_not():
    between = [item("web-1", "set-1", "web"), item("other-1", "set-2", "other")]
    pods = [
        pod("web-1-b", "set-1", born="2026-01-02T00:00:00Z"),
        pod("web-1-a", "set-1"),
        pod("web-0", "web"),
        pod("other-1-x", "set-2"),
    ]
    found = sources(item("web", "web"), between, pods)
    assert [source.pod for source in found] == ["web-0", "web-1-a", "web-1-b"]


def test_init_containers_come_first_and_what_has_not_run_says_why():
    running = {"name": "app", "state": {"running": {}}, "restartCount": 2}
    (first, second) = sources(item("web", "web"), (), [pod("web-0", "web", inits=["wait"], statuses=[running])])
    assert (first.name, first.state) == ("web-0/wait", "not started")
    assert (second.name, second.state, second.restarts) == ("web-0/app", "", 2)


def test_a_container_that_waits_after_a_crash_has_a_log_and_one_that_never_ran_has_none():
    waiting = {"waiting": {"reason": "CrashLoopBackOff"}}
    crashed = {"name": "app", "state": waiting, "lastState": {"terminated": {}}, "restartCount": 1}
    never = {"name": "app", "state": {"waiting": {"reason": "ErrImagePull"}}}
    states = [sources(item("w", "w"), (), [pod("w-0", "w", statuses=[seen])])[0].state for seen in (crashed, never)]
    assert states == ["", "waiting: ErrImagePull"]
