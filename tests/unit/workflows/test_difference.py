"""A plan told field by field from dry runs; and what the server would refuse is known before anything is deleted."""

from __future__ import annotations

from typing import Any

import pytest

from bakery_ops.errors import OperationFailed, PreflightRefused
from bakery_ops.model.answer import Answer
from bakery_ops.model.content import content_hash, stamped
from bakery_ops.model.contract import Stage
from bakery_ops.model.graph import Graph, Node
from bakery_ops.rules.difference import Change
from bakery_ops.rules.plan import Action, plan
from bakery_ops.workflows.difference import differences
from bakery_ops.workflows.preflight import server_accepts
from bakery_ops.workflows.trial import trial_name
from tests.fakes import FakeCluster
from tests.rollouts import node

QUOTA = Answer(403, {}, "Forbidden", 'jobs.batch "seed-trial" is forbidden: exceeded quota')


def seed(image: str) -> Node:
    return node("seed", "Job", Stage.SEED, spec={"template": {"spec": {"containers": [{"name": "a", "image": image}]}}})


def stored(*items: Node) -> FakeCluster:
    cluster = FakeCluster()
    for item in items:
        cluster.apply(stamped(item.manifest, content_hash(item.manifest)))
    cluster.mutations.clear()
    return cluster


def asked(cluster: FakeCluster, *wanted: Node) -> tuple[dict[str, Any], FakeCluster]:
    graph = Graph(wanted)
    found = differences(cluster, graph, plan(graph, cluster.bodies()), workers=2)
    return {one.node.name: one for one in found}, cluster


def test_a_changed_object_shows_its_fields_and_nothing_is_written() -> None:
    found, cluster = asked(stored(node("web")), node("web", spec={"replicas": 3}), node("new"))
    assert found["web"].changes == (Change("spec.replicas", "1", "3"),)
    assert (found["new"].changes, found["new"].step.uid) == ((), "")
    assert cluster.mutations == []


def test_a_job_that_is_replaced_shows_its_fields_although_its_template_is_immutable() -> None:
    found, cluster = asked(stored(seed("a:1")), seed("a:2"))
    assert found["seed"].step.action is Action.REPLACE_JOB
    assert found["seed"].changes == (Change("spec.template.spec.containers[a].image", "a:1", "a:2"),)
    assert (found["seed"].refusal, cluster.mutations) == ("", [])


def test_what_the_server_would_refuse_is_said_with_the_object_s_own_name() -> None:
    cluster = stored(seed("a:1"))
    cluster.fail("apply", seed("a:1").ref._replace(name=trial_name("seed")), QUOTA)
    found, _ = asked(cluster, seed("a:2"))
    assert found["seed"].refusal == 'Forbidden: jobs.batch "seed" is forbidden: exceeded quota'


def test_a_job_whose_successor_would_be_refused_is_not_deleted() -> None:
    cluster, wanted = stored(seed("a:1")), Graph([seed("a:2")])
    cluster.fail("apply", seed("a:1").ref._replace(name=trial_name("seed")), QUOTA)
    with pytest.raises(PreflightRefused) as refused:
        server_accepts(cluster, wanted, plan(wanted, cluster.bodies()), force=False, workers=2)
    assert 'jobs.batch "seed" is forbidden' in refused.value.details[0]
    assert (cluster.mutations, seed("a:1").ref in cluster.stored) == ([], True)


def test_an_object_that_went_since_the_plan_is_told_as_a_new_one() -> None:
    """A Job that its TTL removed in between."""
    cluster, wanted = stored(seed("a:1")), Graph([seed("a:2")])
    decided = plan(wanted, cluster.bodies())
    cluster.vanish(seed("a:1").ref)
    (found,) = differences(cluster, wanted, decided, workers=1)
    assert (found.step.uid, found.changes, found.is_refused) == ("", (), False)


def test_an_object_that_may_not_be_read_is_an_error_that_names_it() -> None:
    cluster, wanted = stored(node("web")), Graph([node("web", spec={"replicas": 3})])
    decided = plan(wanted, cluster.bodies())
    cluster.fail("read", node("web").ref, Answer(403, {}, "Forbidden", "no"))
    with pytest.raises(OperationFailed, match="deployment/web cannot be read: Forbidden: no"):
        differences(cluster, wanted, decided, workers=1)


def test_a_field_of_another_manager_is_shown_with_what_it_needs() -> None:
    cluster = stored(node("web"))
    cluster.change(node("web").ref, lambda body: body["spec"].update(replicas=5), "kubectl-edit")
    found, _ = asked(cluster, node("web", spec={"replicas": 2}))
    assert found["web"].changes == (Change("spec.replicas", "5", "2"),)
    assert ("kubectl-edit" in found["web"].conflict, found["web"].refusal) == (True, "")
    assert found["web"].is_refused, "a deploy ends with 4 for it"


def test_a_trial_s_name_is_another_one_and_fits_a_label() -> None:
    for name in ("seed", "a" * 63, f"{'a' * 56}-b-{'c' * 4}"):
        assert trial_name(name) != name
        assert len(trial_name(name)) <= 63
