"""What `invoke rehearse` refuses before it starts anything, and what a fault does to the manifests."""

from __future__ import annotations

import re

import pytest

from bakery_ops.sandbox.failures import MODES
from bakery_ops.sandbox.rehearsal import with_faults
from tests.commands import ROOT, invoke
from tests.manifests.rendered import K8S, render

MARK = "bakery-ia.dev/simulate"


@pytest.mark.parametrize(
    ("word", "says"),
    [
        ("crash-lop=auth-service", "did you mean 'crash-loop'"),
        ("crash-loop=auth-servic", "did you mean 'auth-service'"),
        ("crash-loop", "which workload"),
        ("=auth-service", "unknown fault"),
    ],
)
def test_a_word_that_is_no_fault_of_a_workload_is_bad_input_with_the_nearest_match(word, says):
    refused = invoke("rehearse", f"--fault={word}")
    assert (refused.returncode, says in refused.stderr, refused.stdout) == (64, True, ""), refused.stderr
    assert "API server" not in refused.stderr


def test_two_faults_in_one_workload_are_bad_input():
    refused = invoke("rehearse", "--fault", "crash-loop=redis", "--fault", "oom-killed=redis")
    assert (refused.returncode, "redis has two faults" in refused.stderr) == (64, True), refused.stderr


def test_a_size_that_is_none_is_bad_input():
    refused = invoke("rehearse", "--node", "8 cpus")
    assert (refused.returncode, "8 cpus" in refused.stderr) == (64, True), refused.stderr


def test_the_document_lists_every_fault_with_what_it_does():
    rows = re.findall(r"^\| `([a-z0-9-]+)` \| (.+) \|$", (ROOT / "docs" / "rehearse.md").read_text(), re.MULTILINE)
    assert dict(rows) == dict(MODES)


def test_a_fault_marks_the_pods_of_its_workload_and_changes_nothing_else():
    shipped = render(K8S / "base" / "services" / "orders", "orders").manifests
    broken = with_faults(shipped, {"orders-db": "crash-loop"})
    changed = [after for before, after in zip(shipped, broken, strict=True) if after != before]
    assert [(each.ref.kind, each.ref.name) for each in changed] == [("StatefulSet", "orders-db")]
    assert changed[0].pod_template["metadata"]["annotations"][MARK] == "crash-loop"
    assert MARK not in str(shipped)
