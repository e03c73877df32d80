"""`--only`: a part of a platform stands or falls by itself, whatever of the rest is there."""

from __future__ import annotations

import pytest

from bakery_ops.errors import UsageError
from bakery_ops.model.builder import build_graph
from bakery_ops.rules.rollout.events import Outcome
from bakery_ops.workflows.deploy import chosen_nodes
from tests.simulation import CRASH, Behaviour
from tests.sites import V2, Site, deployment, shop

PART = frozenset({"extra"})


def test_a_part_succeeds_where_nothing_else_is_deployed() -> None:
    site = Site()
    report = site.deploy(V2, only=("extra",))
    assert report.verified is not None
    assert [check.name for check in report.verified.results if check.state.value == "failed"] == []
    assert report.outcome is Outcome.SUCCEEDED


def test_a_part_is_judged_by_its_own_nodes() -> None:
    site = Site()
    site.simulation.behaviours["extra"] = Behaviour(fault=CRASH)
    assert site.deploy(V2, only=("extra",)).outcome is Outcome.FAILED


def test_only_the_part_has_to_fit_and_only_its_images_are_made() -> None:
    site = Site()
    site.deploy(shop("web:1", "migrate:1", deployment("extra", "extra:1")), only=("extra",))
    assert (site.built, site.proved) == (["extra:1"], PART)


def test_a_part_of_a_graph_names_no_node_outside() -> None:
    graph = build_graph(V2)
    part = graph.part(graph.keys() - {"configmap/settings", "migrate"})
    named = {name for node in part.values() for name in node.needs | node.after | node.relies}
    assert named <= part.keys() < graph.keys()


SERVICES = """
{apiVersion: v1, kind: Service, metadata: {name: extra}, spec: {selector: {app: extra}, ports: [{port: 80}]}}
---
{apiVersion: v1, kind: Service, metadata: {name: web}, spec: {selector: {app: web}, ports: [{port: 80}]}}
"""


def test_a_part_brings_the_services_of_its_workloads_and_no_others() -> None:
    graph = build_graph(shop("web:1", "migrate:1", deployment("extra", "extra:1"), SERVICES))
    assert chosen_nodes(graph, ["extra"]) == {"extra", "service/extra"}
    assert chosen_nodes(graph, []) == frozenset()


def test_what_is_outside_of_the_part_cannot_be_recreated_with_it() -> None:
    site = Site()
    with pytest.raises(UsageError, match="--recreate web: it is not among what --only means"):
        site.deploy(V2, only=("extra",), recreate=("web",))
    assert site.cluster.mutations == []
