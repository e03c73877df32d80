"""`invoke seed` and `invoke migrate` on a real API server: a Job runs again because it was asked for, and only that."""

from __future__ import annotations

import json

from tests.commands import invoke
from tests.simulated.small_site import Site

JOB = "spec:\n  template:\n    spec:\n      restartPolicy: Never\n"
FAILING_JOB = JOB.replace(
    "  template:\n",
    "  backoffLimit: 0\n  template:\n    metadata: {annotations: {bakery-ia.dev/simulate: job-failed}}\n",
)


def uids(site: Site) -> dict[str, str]:
    items = json.loads(site.kubectl("get", "deployments,statefulsets,jobs,services", "-o", "json"))["items"]
    return {item["metadata"]["name"]: item["metadata"]["uid"] for item in items}


def test_a_migration_runs_again_and_nothing_else_is_touched(site: Site) -> None:
    before = uids(site)
    words = ("--overlay", str(site.overlay), *site.where)
    planned = invoke("migrate", "migrate", *words, "--dry-run")
    assert (planned.returncode, "asked for" in planned.stdout, uids(site)) == (0, True, before), planned.stderr

    ended = invoke("migrate", "migrate", *words, "--output", "json")
    report = json.loads(ended.stdout)
    assert (ended.returncode, report["outcome"]) == (0, "succeeded"), ended.stderr
    assert [change["node"] for change in report["changes"]] == ["migrate"]
    after = uids(site)
    assert {name for name in before if before[name] != after[name]} == {"migrate"}


def test_a_migration_that_fails_is_explained_and_a_wrong_name_reaches_no_cluster(site: Site) -> None:
    words = ("--overlay", str(site.overlay), *site.where)
    platform = site.overlay / "platform.yaml"
    healthy = platform.read_text()
    assert healthy.count(JOB) == 1
    platform.write_text(healthy.replace(JOB, FAILING_JOB))
    ended = invoke("migrate", *words)
    assert (ended.returncode, "migrate has failed" in ended.stdout) == (3, True), ended.stdout + ended.stderr
    wrong = invoke("migrate", "migrat", *words)
    assert (wrong.returncode, "did you mean 'migrate'" in wrong.stderr) == (64, True), wrong.stderr
