"""Reading and following the logs of a workload."""

import pytest

from bakery_ops.errors import OperationFailed
from bakery_ops.rules.logs import Source
from bakery_ops.workflows import logs
from tests.fakes import FakeCluster
from tests.rollouts import node

WEB = node("web", "StatefulSet")


def deployed(cluster: FakeCluster | None = None, *, pods: bool = True) -> FakeCluster:
    cluster = cluster or FakeCluster()
    cluster.apply(WEB.manifest)
    uid = cluster.body(WEB.ref)["metadata"]["uid"]
    if pods:
        owner = {"kind": "StatefulSet", "name": "web", "uid": uid}
        metadata = {"name": "web-0", "namespace": WEB.ref.namespace, "ownerReferences": [owner]}
        status = {
            "containerStatuses": [
                {"name": "app", "state": {"running": {}}, "restartCount": 1},
                {"name": "quiet", "state": {"running": {}}},
                {"name": "late", "state": {"waiting": {"reason": "ErrImagePull"}}},
            ]
        }
        spec = {"containers": [{"name": name} for name in ("app", "quiet", "late")]}
        cluster.put({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec, "status": status})
    return cluster


def said(cluster: FakeCluster, **options: object) -> list[tuple[str, str, bool]]:
    wanted = {"previous": False, "tail": 10, "since": None, **options}
    lines = logs.read(cluster, logs.find(cluster, WEB), **wanted)
    return [(line.source.container, line.text, line.is_remark) for line in lines]


def test_each_container_says_its_lines_or_why_it_has_none():
    cluster = deployed()
    cluster.log_lines["web-0", "app", False] = ["one", "two"]
    assert said(cluster) == [
        ("app", "one", False),
        ("app", "two", False),
        ("quiet", "no lines", True),
        ("late", "waiting: ErrImagePull", True),
    ]


def test_a_log_that_cannot_be_read_is_told_apart_from_an_empty_one_and_the_others_are_read():
    class Forbidding(FakeCluster):
        def logs(self, namespace, pod, container, **options):
            if container == "quiet":
                raise OperationFailed("the log of web-0/quiet cannot be read: forbidden")
            return super().logs(namespace, pod, container, **options)

    cluster = deployed(Forbidding())
    cluster.log_lines["web-0", "app", False] = ["one"]
    lines = list(logs.read(cluster, logs.find(cluster, WEB), previous=False, tail=10, since=None))
    assert [(line.text, line.is_remark, line.is_failure) for line in lines[:2]] == [
        ("one", False, False),
        ("the log of web-0/quiet cannot be read: forbidden", True, True),
    ]


def test_only_a_container_that_restarted_has_a_previous_log():
    cluster = deployed()
    cluster.log_lines["web-0", "app", True] = ["before"]
    assert [text for _, text, _ in said(cluster, previous=True)] == [
        "before",
        "has not restarted: no previous log",
        "has not restarted: no previous log",
    ]


@pytest.mark.parametrize(
    ("cluster", "why"),
    [(FakeCluster(), "not in the cluster"), (deployed(pods=False), "no pods")],
    ids=["no workload", "no pods"],
)
def test_what_is_not_there_is_an_error_and_not_an_empty_log(cluster, why):
    with pytest.raises(OperationFailed, match=why):
        logs.find(cluster, WEB)


def test_following_ends_when_every_stream_has_ended_and_tells_of_the_one_that_broke():
    good, bad = Source("shop", "p", "good"), Source("shop", "p", "bad")

    def stream(source: Source):
        if source is bad:
            raise OperationFailed("reset")
        return iter(["a", "b"])

    lines = list(logs.follow([good, bad], stream))
    assert [line.text for line in lines if line.source is good] == ["a", "b"]
    assert [(line.text, line.is_remark) for line in lines if line.source is bad] == [("the stream broke: reset", True)]
