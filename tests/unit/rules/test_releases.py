"""Which migration each database has seen, told from live Jobs, their pods, the journal and the newest release."""

from __future__ import annotations

from typing import Any

import pytest

from bakery_ops.model.content import content_hash
from bakery_ops.model.contract import CONTENT_HASH, RELEASE, Stage
from bakery_ops.model.graph import Graph
from bakery_ops.model.manifest import ObjectRef
from bakery_ops.rules.plan import JournalEntry
from bakery_ops.rules.releases import Migration, brought, migrations, release
from tests.rollouts import NAMESPACE, node

CONTAINER = {"name": "migrate", "image": "app:1", "command": ["app", "migrate"]}
JOB = node("migrate", "Job", Stage.MIGRATION, spec={"template": {"spec": {"containers": [CONTAINER]}}})
SEED = node("seed", "Job", Stage.SEED, spec={"template": {"spec": {"containers": [CONTAINER]}}})
GRAPH = Graph([JOB, SEED])
OWN = brought(JOB)
BEFORE = Migration("app:0 app migrate", "hash-0", "0001")


def live(content: str, *, image: str = "app:1", complete: bool = True) -> dict[ObjectRef, Any]:
    """A Job as the server gives it, with its defaults, applied by us with that content."""
    container = {**CONTAINER, "image": image, "imagePullPolicy": "IfNotPresent"}
    body = {
        "metadata": {"name": "migrate", "uid": "job-1", "annotations": {CONTENT_HASH: content}},
        "spec": {"template": {"spec": {"containers": [container], "restartPolicy": "Never"}}},
        "status": {"conditions": [{"type": "Complete", "status": str(complete)}]},
    }
    return {JOB.ref: body}


def pod(message: str, *, exit_code: int = 0, owner: str = "job-1") -> dict[ObjectRef, Any]:
    ended = {"terminated": {"exitCode": exit_code, "message": message}}
    return {
        ObjectRef("", "Pod", NAMESPACE, f"pod-{exit_code}"): {
            "metadata": {"ownerReferences": [{"kind": "Job", "uid": owner}]},
            "status": {"containerStatuses": [{"state": ended}]},
        }
    }


def entry(content: str, verdict: str = "ready") -> dict[str, JournalEntry]:
    return {"migrate": JournalEntry(content, "job-1", verdict, 0.0)}


def test_the_live_job_is_what_ran_last() -> None:
    found = migrations(GRAPH, live("hash-2", image="app:2"), {"migrate": BEFORE}, {})
    assert found == {"migrate": Migration("app:2 app migrate", "hash-2")}


def test_a_job_that_has_not_completed_may_have_changed_the_schema() -> None:
    found = migrations(GRAPH, live("hash-2", complete=False), {}, {})
    assert found["migrate"].complete is False


@pytest.mark.parametrize(
    ("pods", "head"),
    [
        (pod("migration-head: 0002_kinds\n"), "0002_kinds"),
        (pod("done\nmigration-head: 0002\n"), "0002"),
        (pod("migration-head: 0002", exit_code=1), ""),
        (pod("migration-head: 0002", owner="another"), ""),
        (pod("migration-head: \x1b[31m"), ""),
        (pod("OK"), ""),
        ({}, ""),
    ],
)
def test_a_head_is_believed_when_the_jobs_own_pod_reported_it_and_ended_well(pods: dict, head: str) -> None:
    assert migrations(GRAPH, {**live("hash-1"), **pods}, {}, {})["migrate"].head == head


def test_a_head_known_before_outlives_the_pod_that_reported_it() -> None:
    assert migrations(GRAPH, live("hash-0"), {"migrate": BEFORE}, {})["migrate"].head == "0001"


def test_where_the_job_is_gone_the_journal_says_whether_it_is_still_the_known_one() -> None:
    assert migrations(GRAPH, {}, {"migrate": BEFORE}, entry("hash-0")) == {"migrate": BEFORE}
    assert migrations(GRAPH, {}, {"migrate": BEFORE}, entry(OWN.content)) == {"migrate": OWN}
    unknown = migrations(GRAPH, {}, {"migrate": BEFORE}, entry("hash-7", "failed"))
    assert unknown == {"migrate": Migration("", "hash-7", complete=False)}


def test_a_lost_record_does_not_make_an_unknown_migration_a_known_one() -> None:
    assert migrations(GRAPH, {}, {}, entry("hash-7")) == {"migrate": Migration("", "hash-7")}


def test_without_any_trace_it_is_what_the_render_brings() -> None:
    assert migrations(GRAPH, {}, {}, {}) == {"migrate": Migration("app:1 app migrate", content_hash(JOB.manifest))}


def test_databases_that_the_render_has_lost_are_remembered() -> None:
    assert migrations(Graph([]), {}, {"migrate": BEFORE}, {}) == {"migrate": BEFORE}


@pytest.mark.parametrize("note", ["{", "[]", "null", '{"at": "noon"}', '{"facts": 7}'])
def test_an_edited_note_costs_the_facts_and_nothing_else(note: str) -> None:
    found = release({"metadata": {"name": "bakery-ops-release-4", "annotations": {RELEASE: note}}})
    assert (found.number, found.facts, found.rollback_to) == (4, {}, None)
