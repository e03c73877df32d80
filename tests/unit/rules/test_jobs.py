"""What users call their Jobs, and which they mean."""

import pytest

from bakery_ops.errors import UsageError
from bakery_ops.model.contract import Stage
from bakery_ops.model.graph import Graph
from bakery_ops.rules.jobs import chosen_jobs
from tests.rollouts import node

GRAPH = Graph(
    [
        node("auth-db", "StatefulSet", Stage.DATABASE),
        node("auth-migration", "Job", Stage.MIGRATION, needs=["auth-db"]),
        node("orders-migration", "Job", Stage.MIGRATION),
        node("auth", needs=["auth-db", "auth-migration"]),
        node("orders", needs=["orders-migration"]),
        node("demo-seed-users", "Job", Stage.SEED, needs=["auth"]),
        node("demo-seed-orders", "Job", Stage.SEED, needs=["orders", "demo-seed-customers"]),
        node("demo-seed-customers", "Job", Stage.SEED, needs=["orders"]),
        node("import", "Job", Stage.SEED),
    ]
)


@pytest.mark.parametrize(
    ("stage", "words", "jobs"),
    [
        (Stage.MIGRATION, (), ("auth-migration", "orders-migration")),
        (Stage.MIGRATION, ("auth",), ("auth-migration",)),
        (Stage.MIGRATION, ("auth-migration",), ("auth-migration",)),
        (Stage.MIGRATION, ("orders", "auth"), ("auth-migration", "orders-migration")),
        (Stage.SEED, ("users",), ("demo-seed-users",)),
        (Stage.SEED, ("auth",), ("demo-seed-users",)),
        (Stage.SEED, ("orders",), ("demo-seed-orders",)),
        (Stage.SEED, ("import", "import"), ("import",)),
    ],
)
def test_a_word_means_the_job_it_names_exactly_then_shortly_then_by_its_service(stage, words, jobs):
    assert chosen_jobs(GRAPH, stage, words) == jobs


def test_a_wrong_word_is_refused_with_the_nearest_one():
    with pytest.raises(UsageError) as refused:
        chosen_jobs(GRAPH, Stage.SEED, ["users", "custmers"])
    assert "did you mean 'customers'" in refused.value.remedy


def test_a_seed_is_no_migration():
    with pytest.raises(UsageError):
        chosen_jobs(GRAPH, Stage.MIGRATION, ["demo-seed-users"])


def test_manifests_without_such_jobs_are_said_so():
    with pytest.raises(UsageError, match="no seed jobs"):
        chosen_jobs(Graph([node("web")]), Stage.SEED, ())
