"""What differs between the profiles: settings, replicas, strategies, the features that are on."""

import json

import pytest
import yaml

from bakery_ops.model.contract import AUTOSCALED
from tests.manifests.rendered import K8S, component, pod_labels, some, volumes


def settings(rendered):
    (config,) = [m for m in rendered.of("ConfigMap") if m.ref.name.startswith("bakery-config-")]
    return config.body["data"]


def test_dev_debugs_against_the_real_external_services(dev):
    assert settings(dev) == {
        "DEBUG": "true",
        "LOG_LEVEL": "DEBUG",
        "PROFILING_ENABLED": "true",
        "MOCK_EXTERNAL_APIS": "false",
        "PROMETHEUS_ENABLED": "false",
        "ENABLE_TRACING": "false",
        "RATE_LIMIT_ENABLED": "false",
        "RATE_LIMIT_REQUESTS_PER_MINUTE": "1000",
        "RATE_LIMIT_BURST": "200",
    }


def test_prod_runs_with_the_settings_of_the_platform_page(prod):
    assert settings(prod) == {
        "DEBUG": "false",
        "LOG_LEVEL": "INFO",
        "PROFILING_ENABLED": "false",
        "MOCK_EXTERNAL_APIS": "false",
        "PROMETHEUS_ENABLED": "true",
        "ENABLE_TRACING": "true",
        "RATE_LIMIT_ENABLED": "true",
        "RATE_LIMIT_REQUESTS_PER_MINUTE": "100",
        "RATE_LIMIT_BURST": "20",
    }


def test_the_sandbox_runs_with_the_settings_of_dev(dev, sandbox):
    assert settings(sandbox) == settings(dev)


def test_every_application_container_reads_the_settings(every):
    ours = [each for each in every.containers() if not each.is_init and each.body["image"].startswith("bakery/")]
    for container in some(each for each in ours if "frontend" not in each.body["image"]):
        (source,) = container.body["envFrom"]
        assert source["configMapRef"]["name"].startswith("bakery-config-"), str(container)


def test_no_replica_count_is_set_where_an_autoscaler_owns_it(every):
    scaled = {hpa.spec["scaleTargetRef"]["name"] for hpa in every.of("HorizontalPodAutoscaler")}
    labelled = {m.ref.name for m in every.of("Deployment") if m.labels.get(AUTOSCALED) == "true"}
    assert scaled == labelled == {"orders-service", "forecasting-service", "notification-service"}
    for name in scaled:
        assert "replicas" not in every.get("Deployment", name).spec


@pytest.mark.parametrize(
    ("service", "cpu", "memory"), [("orders", 70, 80), ("forecasting", 70, 75), ("notification", 70, 80)]
)
def test_the_autoscalers_have_the_numbers_of_the_platform_page(every, service, cpu, memory):
    spec = every.get("HorizontalPodAutoscaler", f"{service}-service-hpa").spec
    assert (spec["minReplicas"], spec["maxReplicas"]) == (1, 3)
    targets = {each["resource"]["name"]: each["resource"]["target"]["averageUtilization"] for each in spec["metrics"]}
    assert targets == {"cpu": cpu, "memory": memory}
    policies = {
        direction: (rules["stabilizationWindowSeconds"], [(each["type"], each["value"]) for each in rules["policies"]])
        for direction, rules in spec["behavior"].items()
    }
    assert policies == {"scaleUp": (60, [("Percent", 100)]), "scaleDown": (300, [("Percent", 50)])}


def test_two_replicas_run_exactly_where_prod_asks_for_them(dev, prod):
    doubled = [{m.ref.name for m in each.of("Deployment") if m.spec.get("replicas", 1) > 1} for each in (dev, prod)]
    assert doubled == [set(), {"procurement-service", "orchestrator-service", "ai-insights-service"}]


def test_a_disruption_budget_covers_exactly_what_has_two_replicas(every):
    budgets = every.if_any("PodDisruptionBudget")
    for budget in budgets:
        assert budget.spec["maxUnavailable"] == 1
        assert budget.spec["unhealthyPodEvictionPolicy"] == "AlwaysAllow"
    selectors = [budget.spec["selector"] for budget in budgets]
    doubled = [m.spec["selector"] for m in every.of("Deployment") if m.spec.get("replicas", 1) > 1]
    assert sorted(map(json.dumps, selectors)) == sorted(map(json.dumps, doubled))


def test_a_rollout_never_leaves_a_service_without_a_pod_except_the_trainer(prod):
    for deployment in prod.of("Deployment"):
        surge = deployment.spec["strategy"]["rollingUpdate"]["maxSurge"]
        gone = deployment.spec["strategy"]["rollingUpdate"]["maxUnavailable"]
        serving = deployment.spec.get("replicas", 1) - gone
        assert surge + gone == 1, deployment.ref
        assert serving >= 1 or deployment.ref.name == "training-service", deployment.ref


@pytest.mark.parametrize("name", ["dev", "sandbox"])
def test_the_geocoder_leaves_no_trace_where_it_is_off(overlay, name, prod):
    assert "nominatim" in prod.text
    assert "nominatim" not in overlay(name).text


def test_prod_has_the_geocoder_with_its_import(prod):
    assert prod.get("StatefulSet", "nominatim").spec["replicas"] == 1
    claim = prod.get("PersistentVolumeClaim", "nominatim-data").ref.name
    for workload in (prod.get("StatefulSet", "nominatim"), prod.get("Job", "nominatim-init")):
        claims = [each["persistentVolumeClaim"] for each in volumes(workload) if "persistentVolumeClaim" in each]
        assert claims == [{"claimName": claim}]


def test_monitoring_is_off_unless_one_line_says_otherwise(dev, prod, monitoring):
    for rendered in (dev, prod):
        assert not [m for m in rendered.manifests if component(m) == "monitoring"]
    added = {m.ref.name for m in monitoring.workloads if component(m) == "monitoring"}
    assert added == {"prometheus", "grafana", "jaeger"}
    assert settings(monitoring)["OTEL_EXPORTER_OTLP_ENDPOINT"] == "http://jaeger:4318"


def test_prometheus_scrapes_every_service_pod_twice_a_minute_without_the_api_server(monitoring):
    (config,) = [m for m in monitoring.of("ConfigMap") if m.ref.name.startswith("prometheus-config-")]
    scrape = yaml.safe_load(config.body["data"]["prometheus.yml"])
    assert scrape["global"]["scrape_interval"] == "30s"
    assert not [key for job in scrape["scrape_configs"] for key in job if key.startswith("kubernetes")]
    discovery = monitoring.get("Service", "service-metrics").spec
    assert discovery["clusterIP"] == "None"
    selected = discovery["selector"].items()
    pods = [m for m in monitoring.workloads if selected <= pod_labels(m).items()]
    assert {m.ref.name for m in pods} == {f"{name}-service" for name in monitoring.services}


def test_the_dashboard_asks_the_data_source_that_is_provisioned():
    folder = K8S / "components" / "monitoring"
    sources = {each["uid"] for each in yaml.safe_load((folder / "datasources.yaml").read_text())["datasources"]}
    panels = json.loads((folder / "bakery-ia.json").read_text())["panels"]
    assert panels
    assert {panel["datasource"]["uid"] for panel in panels} <= sources


def test_the_ingress_ends_tls_and_hands_everything_to_the_gateway(dev, prod):
    assert not dev.if_any("Ingress")
    (ingress,) = prod.of("Ingress")
    (tls,) = ingress.spec["tls"]
    (rule,) = ingress.spec["rules"]
    assert tls["secretName"] == "bakery-ia-tls"
    assert tls["hosts"] == [rule["host"]]
    assert [path["backend"]["service"]["name"] for path in rule["http"]["paths"]] == ["gateway"]


def test_prod_runs_released_images(prod, dev):
    for rendered, tag in ((prod, "1.0.0"), (dev, "dev")):
        ours = {c.body["image"] for c in rendered.containers() if c.body["image"].startswith("bakery/")}
        assert len(ours) == len(rendered.services) + 2
        assert {image.rpartition(":")[2] for image in ours} == {tag}


def test_in_prod_jobs_give_way_first_and_data_last(prod):
    values = {m.ref.name: m.body["value"] for m in prod.of("PriorityClass")}
    classes = {component(m) if m.ref.kind != "Job" else "job": m.pod_spec["priorityClassName"] for m in prod.workloads}
    assert values[classes["job"]] < 0 < values[classes["microservice"]] == values[classes["edge"]]
    assert values[classes["microservice"]] < values[classes["database"]] == values[classes["infrastructure"]]
    assert prod.get("PriorityClass", classes["job"]).body["preemptionPolicy"] == "Never"


def test_the_trainer_has_room_for_models_and_their_scratch_files(every):
    (app,) = every.get("Deployment", "training-service").pod_spec["containers"]
    assert app["resources"]["limits"]["memory"] == "4Gi"
    (scratch,) = [v for v in volumes(every.get("Deployment", "training-service")) if v["name"] == "tmp"]
    assert scratch["emptyDir"]["sizeLimit"] == "4Gi"


def test_prod_asks_for_the_resources_of_the_platform_page(prod):
    special = {"forecasting": ("512Mi", "1Gi"), "training": ("512Mi", "4Gi")}
    for name in prod.services:
        app = prod.get("Deployment", f"{name}-service").pod_spec["containers"][0]["resources"]
        assert (app["requests"]["memory"], app["limits"]["memory"]) == special.get(name, ("256Mi", "512Mi")), name
        assert app["requests"]["cpu"] == "100m"
        postgres = prod.get("StatefulSet", f"{name}-db").pod_spec["containers"][0]["resources"]
        assert (postgres["requests"]["memory"], postgres["limits"]["memory"]) == ("256Mi", "512Mi")
        assert postgres["requests"]["cpu"] == "100m"


def test_sandbox_probes_notice_a_start_within_a_second(sandbox):
    """Readiness is asked at once after the startup probe's success, so only that one's period counts."""
    for container in some(each for each in sandbox.containers() if "startupProbe" in each.body):
        assert container.body["startupProbe"]["periodSeconds"] == 1, str(container)


def test_the_sandbox_starts_no_process_for_a_probe_more_than_once_in_ten_seconds_per_database(sandbox):
    """A process in a container costs 50 ms of a core: eighteen databases asked every second would take one whole."""
    for name in sandbox.services:
        (postgres,) = sandbox.get("StatefulSet", f"{name}-db").pod_spec["containers"]
        probes = [postgres[f"{each}Probe"] for each in ("startup", "liveness", "readiness")]
        started = [probe["periodSeconds"] for probe in probes if "exec" in probe]
        assert min(started) >= 10, name


def test_only_the_sandbox_risks_its_data_for_speed(sandbox, prod):
    for rendered, expected in ((sandbox, True), (prod, False)):
        assert ("fsync = off" in rendered.text) is expected
