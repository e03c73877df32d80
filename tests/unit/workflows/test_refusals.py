"""What a deploy refuses before its first write, all of it at once."""

from __future__ import annotations

from typing import Any

import pytest

from bakery_ops.errors import PreflightRefused
from bakery_ops.model.content import content_hash, stamped
from bakery_ops.model.graph import Graph
from bakery_ops.rules.plan import plan
from bakery_ops.rules.readiness import ClusterFacts
from bakery_ops.rules.readiness.observation import StorageClassFacts
from bakery_ops.workflows import preflight
from bakery_ops.workflows.facts import with_brought
from bakery_ops.workflows.ports import Answer
from tests.fakes import FakeCluster
from tests.rollouts import node

FAST = StorageClassFacts("fast", is_default=True, waits_for_consumer=True)
FACTS = ClusterFacts(storage_classes=(FAST,), ingress_classes=frozenset({"traefik"}))


def claim(storage_class: str) -> dict[str, Any]:
    return {"spec": {"storageClassName": storage_class}}


def test_every_class_that_is_not_there_is_named_with_those_that_are() -> None:
    """B54, F40"""
    graph = Graph(
        [
            node("files", "PersistentVolumeClaim", spec={"storageClassName": "slow"}),
            node("db", "StatefulSet", spec={"volumeClaimTemplates": [claim("fast"), claim("gone")]}),
            node("site", "Ingress", spec={"ingressClassName": "nginx"}),
            node("other", "Ingress", spec={"ingressClassName": "traefik"}),
        ]
    )
    with pytest.raises(PreflightRefused) as caught:
        preflight.classes_exist(graph, FACTS)
    said = "\n".join(caught.value.details)
    assert len(caught.value.details) == 3
    assert "'slow'; the cluster has fast" in said
    assert "'gone'" in said
    assert "IngressClass 'nginx'; the cluster has traefik" in said


def test_a_class_that_the_render_brings_or_that_nobody_could_read_is_not_missed() -> None:
    wants = node("site", "Ingress", spec={"ingressClassName": "nginx"})
    claims = node("files", "PersistentVolumeClaim", spec={"storageClassName": "slow"})
    graph = Graph([wants, claims, node("nginx", "IngressClass")])
    with pytest.raises(PreflightRefused) as caught:
        preflight.classes_exist(graph, FACTS)
    assert [line.partition(":")[0] for line in caught.value.details] == [str(claims.ref)], "the render brings nginx"
    preflight.classes_exist(graph, ClusterFacts())


def test_what_the_render_brings_counts_as_there_for_the_rules_of_readiness_too() -> None:
    """Facts are read once, before the classes of the render are written."""
    slow = node("slow", "StorageClass")
    slow.manifest.body["volumeBindingMode"] = "WaitForFirstConsumer"
    facts = with_brought(FACTS, Graph([slow, node("nginx", "IngressClass")]), FakeCluster())
    assert facts.storage_classes == (FAST, StorageClassFacts("slow", is_default=False, waits_for_consumer=True))
    assert facts.ingress_classes == {"traefik", "nginx"}
    assert with_brought(ClusterFacts(), Graph([slow]), FakeCluster()) == ClusterFacts()


def test_a_volume_may_go_by_a_class_that_no_object_describes() -> None:
    """As in the Kubernetes tutorial on volumes: `storageClassName: manual` on both sides and no StorageClass."""
    claims = node("files", "PersistentVolumeClaim", spec={"storageClassName": "manual"})
    volume = node("disk", "PersistentVolume", spec={"storageClassName": "manual"})
    here = Graph([claims, volume])
    preflight.classes_exist(here, with_brought(FACTS, here, FakeCluster()))
    alone, cluster = Graph([claims]), FakeCluster()
    with pytest.raises(PreflightRefused):
        preflight.classes_exist(alone, with_brought(FACTS, alone, cluster))
    cluster.apply(volume.manifest)
    preflight.classes_exist(alone, with_brought(FACTS, alone, cluster))


class Refusing(FakeCluster):
    """Refuses every dry run of a Deployment with the words of a server."""

    reason = "spec.selector: field is immutable"

    def apply(self, manifest: Any, *, dry_run: bool = False, force: bool = False, manager: str = "us") -> Answer:
        if dry_run and manifest.ref.kind == "Deployment":
            message = f'Deployment "{manifest.ref.name}" is invalid: {self.reason}'
            return Answer(422, {}, "Invalid", message)
        return super().apply(manifest, dry_run=dry_run, force=force)


def test_what_another_manager_owns_is_refused_with_the_flag_that_takes_it() -> None:
    cluster, graph = FakeCluster(), Graph([node("web", spec={"replicas": 2})])
    cluster.apply(graph["web"].manifest)
    cluster.put({**cluster.body(graph["web"].ref), "spec": {"replicas": 5}}, manager="kubectl-scale")
    with pytest.raises(PreflightRefused, match="would refuse 1 of 1") as caught:
        preflight.server_accepts(cluster, graph, plan(graph, cluster.bodies()), force=False, workers=1)
    assert "--force-conflicts" in caught.value.remedy


def test_all_that_the_server_would_refuse_is_told_at_once_and_how_to_get_past_what_is_immutable() -> None:
    """B17, F23"""
    cluster, graph = Refusing(), Graph([node("web"), node("shop"), node("settings", "ConfigMap")])
    with pytest.raises(PreflightRefused, match="would refuse 2 of 3") as caught:
        preflight.server_accepts(cluster, graph, plan(graph, {}), force=False, workers=2)
    assert sorted(line.partition(":")[0] for line in caught.value.details) == ["deployment/shop", "deployment/web"]
    assert "--recreate" in caught.value.remedy
    assert cluster.mutations == []


@pytest.mark.parametrize(
    "reason",
    [
        'spec.clusterIPs[0]: Invalid value: ["None"]: may not change once set',
        "spec: Forbidden: pod updates may not change fields other than `spec.tolerations`",
        "spec: Forbidden: updates to statefulset spec for fields other than 'replicas' are forbidden",
    ],
)
def test_whatever_words_the_server_has_for_a_field_that_stays_the_way_past_it_is_told(reason: str) -> None:
    cluster, graph = Refusing(), Graph([node("web")])
    cluster.reason = reason
    with pytest.raises(PreflightRefused) as caught:
        preflight.server_accepts(cluster, graph, plan(graph, {}), force=False, workers=1)
    assert "--recreate" in caught.value.remedy


class Strict(FakeCluster):
    """Knows a definition that no custom resource of the render meets."""

    def apply(self, manifest: Any, *, dry_run: bool = False, force: bool = False, **rest: Any) -> Answer:
        if dry_run and manifest.ref.kind == "Foo":
            return Answer(422, {}, "Invalid", "spec.size: Invalid value: 9")
        return super().apply(manifest, dry_run=dry_run, force=force, **rest)


def test_a_custom_resource_is_tried_where_its_definition_stands_already() -> None:
    definition = node("foos", "CustomResourceDefinition")
    cluster, graph = Strict(), Graph([definition, node("f", "Foo", needs=["foos"])])
    preflight.server_accepts(cluster, graph, plan(graph, {}), force=False, workers=1)
    cluster.apply(stamped(definition.manifest, content_hash(definition.manifest), fence=1))
    with pytest.raises(PreflightRefused, match="would refuse 1 of 1"):
        preflight.server_accepts(cluster, graph, plan(graph, cluster.bodies()), force=False, workers=1)
