"""What manifests and code agree on (k8s/README.md): labels, names, waits, and the environment of the services."""

import re

import pytest

from bakery_ops.model.builder import build
from bakery_ops.model.contract import COMPONENT, DATA_OWNER, NAME, PART_OF, PLATFORM, WAIT_PREFIX, WAITS_FOR, Stage
from tests.manifests.rendered import K8S, component, pod_labels, render, some

INSTANCES = sorted(path.parent.name for path in (K8S / "base/services").glob("*/kustomization.yaml"))
EIGHTEEN = (
    "ai-insights",
    "alert-processor",
    "auth",
    "demo-session",
    "external",
    "forecasting",
    "inventory",
    "notification",
    "orchestrator",
    "orders",
    "pos",
    "procurement",
    "production",
    "recipes",
    "sales",
    "suppliers",
    "tenant",
    "training",
)
COMPONENTS = {stage.value for stage in Stage} - {"foundation"}


def test_every_object_says_what_it_is_and_where_it_belongs(every):
    for manifest in every.manifests:
        assert manifest.labels.get(PART_OF) == PLATFORM, manifest.ref
        assert manifest.labels.get(NAME), manifest.ref
        assert component(manifest) in COMPONENTS, manifest.ref


def test_every_pod_carries_the_labels_of_its_workload(every):
    for workload in every.workloads:
        labels = pod_labels(workload)
        for key in (PART_OF, NAME, COMPONENT, DATA_OWNER):
            assert labels.get(key) == workload.labels.get(key), (workload.ref, key)


def test_every_object_is_in_the_namespace_of_the_platform(every):
    cluster_scoped = {"Namespace", "PriorityClass"}
    for manifest in every.manifests:
        expected = None if manifest.ref.kind in cluster_scoped else "bakery-ia"
        assert manifest.body["metadata"].get("namespace") == expected, manifest.ref


def test_each_service_has_its_deployment_database_migration_and_nothing_is_shared(every):
    names = every.services
    assert every.names("Deployment", component="microservice") == {f"{name}-service" for name in names}
    assert every.names("StatefulSet", component="database") == {f"{name}-db" for name in names}
    assert every.names("Job", component="migration") == {f"{name}-migration" for name in names}
    for name in names:
        assert {f"{name}-service", f"{name}-db"} <= every.names("Service", owner=name)


def test_the_list_of_services_is_the_list_of_folders(every):
    assert list(every.services) == INSTANCES


def test_the_brief_s_eighteen_services_are_there(every):
    """The brief says 18 and names 17; `demo-session` is the eighteenth (platform.md)."""
    assert every.services == EIGHTEEN


def test_the_waits_that_are_declared_are_the_init_containers_in_their_order(every):
    for workload in every.workloads:
        declared = workload.pod_template["metadata"].get("annotations", {}).get(WAITS_FOR, "")
        containers = [each["name"] for each in workload.pod_spec.get("initContainers", ())]
        assert containers == [f"{WAIT_PREFIX}{name.strip()}" for name in declared.split(",") if name], workload.ref


def test_every_wait_means_an_object_of_the_render_and_nothing_waits_in_a_circle(every):
    built = build(every.manifests)
    assert built.problems == ()
    assert some(wait for node in built.graph.workloads() for wait in node.waits)


@pytest.mark.parametrize(
    ("node", "waits"),
    [
        ("auth-service", {"redis", "auth-db", "auth-migration"}),
        ("ai-insights-service", {"redis", "ai-insights-db", "ai-insights-migration"}),
        ("alert-processor-service", {"rabbitmq", "redis", "alert-processor-db", "alert-processor-migration"}),
        ("orders-migration", {"orders-db"}),
        ("gateway", {"redis", "auth-service"}),
        ("frontend", {"gateway"}),
        ("external-data-init", {"external-db", "external-migration"}),
        ("demo-seed-stock", {"inventory-service"}),
    ],
)
def test_a_wait_resolves_to_the_node_that_is_meant(dev, node, waits):
    assert set(build(dev.manifests).graph[node].waits.values()) == waits


def test_every_wait_is_bounded_and_cheap(every):
    for container in some(each for each in every.containers() if each.is_init):
        assert 0 < int(container.environment["WAIT_TIMEOUT"]) <= 300, str(container)
        assert container.body["resources"]["requests"]["cpu"] == "10m", str(container)


def test_a_variable_uses_only_variables_above_it(every):
    """Kubernetes leaves $(NAME) unexpanded when NAME comes later (kustomize#3157 puts patched entries first)."""
    uses = set()
    for container in every.containers():
        seen = set()
        for entry in container.body.get("env", ()):
            for used in re.findall(r"\$\(([A-Z_]+)\)", str(entry.get("value", ""))):
                assert used in seen, f"{container}: {entry['name']} uses {used} too early"
                uses.add(used)
            seen.add(entry["name"])
    assert "SERVICE_NAME" in uses


def test_no_variable_is_set_twice(every):
    for container in some(each for each in every.containers() if "env" in each.body):
        names = [entry["name"] for entry in container.body["env"]]
        assert len(names) == len(set(names)), str(container)


def test_a_pod_learns_its_service_s_name_from_its_own_labels(every):
    for container in some(each for each in every.containers() if "SERVICE_NAME" in each.environment):
        source = container.environment["SERVICE_NAME"]
        key = source["fieldRef"]["fieldPath"].removeprefix("metadata.labels['").removesuffix("']")
        labels = pod_labels(container.workload)
        assert labels[key] == labels.get(DATA_OWNER, labels[NAME]), str(container)


def test_a_broker_is_known_only_to_services_that_need_one(dev):
    with_broker = {c.workload.ref.name for c in dev.containers() if "RABBITMQ_HOST" in c.environment}
    assert with_broker == {"alert-processor-service"}


@pytest.mark.parametrize("name", INSTANCES)
def test_a_service_builds_alone_under_its_own_name(name):
    alone = render(K8S / "base" / "services" / name, name)
    assert all(manifest.ref.name.startswith(f"{name}-") for manifest in alone.manifests)
    assert {manifest.labels[NAME] for manifest in alone.manifests} == {name}
    assert {manifest.labels[DATA_OWNER] for manifest in alone.manifests} == {name}
    kinds = {manifest.ref.kind for manifest in alone.manifests}
    assert {"Deployment", "StatefulSet", "Job", "Service", "ServiceAccount", "NetworkPolicy"} <= kinds
    images = {c.body["image"] for c in alone.containers()}
    assert images == {f"bakery/{name}-service:dev", "postgres:15-bookworm"}
