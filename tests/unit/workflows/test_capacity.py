import json

import pytest

from bakery_ops.errors import PreflightRefused
from bakery_ops.model.builder import build_graph
from bakery_ops.model.documents import load
from bakery_ops.model.manifest import Manifest, ObjectRef
from bakery_ops.model.quantities import node_size
from bakery_ops.rules.capacity.proof import Consumer
from bakery_ops.workflows.capacity import capacity, growth_rows, lines, phase_rows, prove_on_cluster
from tests.fakes import FakeCluster


def deployment(name, cpu="1", memory="1Gi", replicas=1):
    resources = {"requests": {"cpu": cpu, "memory": memory}, "limits": {"memory": memory}}
    template = {
        "metadata": {"labels": {"app": name}},
        "spec": {"containers": [{"name": "c", "image": "i", "resources": resources}]},
    }
    spec = {"replicas": replicas, "selector": {"matchLabels": {"app": name}}, "template": template}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name}, "spec": spec}


def manifests(*bodies):
    return load("\n---\n".join(map(json.dumps, bodies)), "render", namespace="shop")


def test_the_answer_covers_monitoring_and_growth_when_asked():
    answer = capacity(
        manifests(deployment("web")),
        [node_size("8cpu,20Gi")],
        monitoring=manifests(deployment("prometheus"), deployment("web")),
        growth=True,
    )
    assert answer.fits
    assert answer.monitored.steady.pods == answer.shipped.steady.pods + 1
    assert [row[0] for row in growth_rows(answer.growth)] == ["10", "25", "50", "100"]
    assert answer.shipped.consumers == (Consumer("web", 1, 1000, 2**30),)


def test_rows_are_words_and_name_what_would_stay_pending():
    answer = capacity(manifests(deployment("web", replicas=9)), [node_size("4cpu,8Gi")])
    assert not answer.fits
    assert phase_rows(answer.shipped)[0] == ("steady state", "12", "9.3", "245%", "9.3Gi", "142%", "web x6")
    assert lines(answer.shipped)[0].endswith("; 6 would stay Pending")


class World:
    def __init__(self, cpu="4", memory="8Gi"):
        self.cluster = FakeCluster()
        allocatable = {"cpu": cpu, "memory": memory, "pods": "110"}
        self.put("Node", "n", "", status={"allocatable": allocatable})

    def put(self, kind, name, namespace="shop", labels=None, **body):
        ref = ObjectRef("", kind, namespace, name)
        body = {"apiVersion": "v1", "kind": kind, "metadata": {"name": name, "labels": labels or {}}, **body}
        self.cluster.apply(Manifest(ref, "v1", body, "test"))
        self.cluster.stored[ref].body.update(body | {"metadata": self.cluster.stored[ref].body["metadata"]})

    def pod(self, name, cpu, labels=None, namespace="shop"):
        resources = {"requests": {"cpu": cpu}}
        spec = {"nodeName": "n", "containers": [{"name": "c", "resources": resources}]}
        self.put("Pod", name, namespace, labels, spec=spec, status={"phase": "Running"})


def test_a_cluster_with_room_is_proved():
    report = prove_on_cluster(World().cluster, build_graph(manifests(deployment("web"))))
    assert report.steady.fits


def test_a_peak_that_has_to_wait_is_no_refusal_and_a_pod_without_any_place_is():
    job = deployment("one", cpu="2")
    del job["spec"]["selector"], job["spec"]["replicas"]
    jobs = [{**job, "apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": name}} for name in ("one", "two")]
    graph = build_graph(manifests(deployment("web"), *jobs))
    report = prove_on_cluster(World().cluster, graph)
    assert not all(phase.fits for phase in report.phases)
    with pytest.raises(PreflightRefused) as caught:
        prove_on_cluster(World(cpu="2500m").cluster, graph)
    assert [line for line in caught.value.details if line.startswith("no place at all for one: ")]


def test_foreign_pods_take_room_and_our_own_do_not_count_twice():
    world = World()
    world.pod("web-1", "2", {"app": "web"})
    world.pod("theirs", "1", namespace="other")
    graph = build_graph(manifests(deployment("web", cpu="1500m")))
    assert prove_on_cluster(world.cluster, graph).steady.requested["cpu"] == 2500
    world.pod("more", "2", namespace="other")
    with pytest.raises(PreflightRefused) as caught:
        prove_on_cluster(world.cluster, graph)
    assert caught.value.exit_code == 4
    assert any("would stay Pending" in line for line in caught.value.details)


def test_a_pod_that_no_node_is_meant_for_is_named_with_the_reason_and_no_larger_node_is_proposed():
    picky = deployment("picky")
    picky["spec"]["template"]["spec"]["nodeSelector"] = {"disk": "ssd"}
    with pytest.raises(PreflightRefused) as caught:
        prove_on_cluster(World().cluster, build_graph(manifests(deployment("web"), picky)))
    assert "no place for 1 pod of picky: node selector or affinity does not match" in caught.value.details
    assert "bring a node that takes them" in caught.value.remedy


def test_a_device_that_no_node_has_is_named_once():
    picky = deployment("picky")
    picky["spec"]["template"]["spec"]["containers"][0]["resources"]["limits"]["example.org/gpu"] = 1
    with pytest.raises(PreflightRefused) as caught:
        prove_on_cluster(World().cluster, build_graph(manifests(picky)))
    assert [line for line in caught.value.details if "picky" in line] == [
        "no place for 1 pod of picky: insufficient example.org/gpu"
    ]
    assert "bring a node that takes them" in caught.value.remedy


def test_a_shortage_is_named_with_its_workload_and_what_is_largest():
    with pytest.raises(PreflightRefused) as caught:
        prove_on_cluster(World().cluster, build_graph(manifests(deployment("web", replicas=6))))
    assert "no place for 2 pods of web: insufficient cpu" in caught.value.details
    assert "one node of" in caught.value.remedy
