"""Migrations, seeds and imports: bounded, kept for a week, and each waiting for what it really needs."""

import pytest

from bakery_ops.model.contract import DATA_OWNER, NAME
from tests.manifests.rendered import K8S, some

DAY = 24 * 3600

# platform.md, section 1: each seed and the service whose readiness it waits for.
PARENTS = {
    "users": "auth",
    "tenants": "tenant",
    "tenant-members": "tenant",
    "subscriptions": "tenant",
    "inventory": "inventory",
    "stock": "inventory",
    "recipes": "recipes",
    "suppliers": "suppliers",
    "purchase-orders": "procurement",
    "quality-templates": "production",
    "equipment": "production",
    "production-batches": "production",
    "customers": "orders",
    "orders": "orders",
    "sales-history": "sales",
    "forecasts": "forecasting",
    "pos-configs": "pos",
    "ai-models": "training",
    "alerts": "alert-processor",
    "orchestration-runs": "orchestrator",
}


def seeds(rendered):
    found = some(job for job in rendered.of("Job") if job.ref.name.startswith("demo-seed-"))
    return {job.ref.name.removeprefix("demo-seed-"): job for job in found}


def test_every_job_ends_by_itself_and_keeps_its_logs(every):
    for job in every.of("Job"):
        assert 0 < job.spec["activeDeadlineSeconds"] <= 3600, job.ref
        assert 0 < job.spec["backoffLimit"] <= 5, job.ref
        assert job.spec["ttlSecondsAfterFinished"] >= DAY, job.ref
        assert job.pod_spec["restartPolicy"] == "Never", job.ref


def test_a_job_s_deadline_leaves_room_for_its_waits(every):
    for job in every.of("Job"):
        waits = [
            int(entry["value"])
            for each in job.pod_spec.get("initContainers", ())
            for entry in each["env"]
            if entry["name"] == "WAIT_TIMEOUT"
        ]
        assert job.spec["activeDeadlineSeconds"] > sum(waits), job.ref


def test_the_seeds_are_those_of_the_platform_page(every):
    assert {name: job.labels[DATA_OWNER] for name, job in seeds(every).items()} == PARENTS


def test_a_seed_waits_for_the_readiness_of_its_parent_and_for_nothing_else(dev):
    """By position, `every-wait.patch.yaml` reaches the first init container: there must be exactly one."""
    for name, job in seeds(dev).items():
        parent = job.labels[DATA_OWNER]
        (wait,) = job.pod_spec["initContainers"]
        assert wait["name"] == f"wait-for-{parent}-service"
        assert wait["command"][-1] == f"http://{parent}-service:8000/health/ready"
        assert wait["resources"]["limits"]["memory"] == "128Mi"
        assert job.labels[NAME] == f"demo-seed-{name}"


def test_a_seed_runs_its_parent_s_image_with_its_parent_s_credentials(dev):
    for name, job in seeds(dev).items():
        parent = job.labels[DATA_OWNER]
        (seed,) = job.pod_spec["containers"]
        assert seed["image"] == job.pod_spec["initContainers"][0]["image"] == f"bakery/{parent}-service:dev"
        assert seed["command"] == ["bakery-service", "seed", name]
        secrets = {volume["secret"]["secretName"] for volume in job.pod_spec["volumes"] if "secret" in volume}
        assert secrets == {f"{parent}-db-credentials"}


def test_the_external_import_needs_the_schema_not_the_service(every):
    job = every.get("Job", "external-data-init")
    waits = [each["command"][1:] for each in job.pod_spec["initContainers"]]
    assert waits == [["wait-for", "db"], ["wait-for", "migration"]]
    assert job.pod_spec["containers"][0]["command"] == ["bakery-service", "init", "external-data"]


def test_a_migration_waits_for_its_database_and_runs_the_service_s_image(every):
    for service in every.services:
        job = every.get("Job", f"{service}-migration")
        deployment = every.get("Deployment", f"{service}-service")
        (migrate,) = job.pod_spec["containers"]
        assert migrate["command"] == ["bakery-service", "migrate"]
        assert migrate["image"] == deployment.pod_spec["containers"][0]["image"]
        assert [each["command"][1:] for each in job.pod_spec["initContainers"]] == [["wait-for", "db"]]


@pytest.mark.parametrize("script", sorted((K8S / "components" / "nominatim").glob("*.sh")), ids=lambda path: path.name)
def test_the_geocoder_s_scripts_stop_at_the_first_error(script):
    lines = script.read_text().splitlines()
    assert lines[0] == "#!/bin/bash"
    assert "set -euo pipefail" in lines
