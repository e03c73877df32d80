"""Everything a manifest names exists: in the render, or (Secrets) among the names that the credentials side creates."""

import re

from bakery_ops.model.contract import DATA_OWNER, NAME
from tests.manifests.rendered import pod_labels, some, volumes

SECRETS = re.compile(
    r"bakery-ca|app-secrets|grafana-admin|redis-acl|rabbitmq-definitions|bakery-ia-tls"
    r"|(redis|rabbitmq|[a-z-]+-db)-tls|[a-z-]+-(db|redis|rabbitmq)-credentials"
)
KEYS = {
    "bakery-ca": {"ca.crt"},
    "app-secrets": {"jwt-signing-key"},
    "redis-acl": {"users.acl", "probe-password"},
    "rabbitmq-definitions": {"definitions.json", "admin-password", "erlang-cookie"},
    "grafana-admin": {"username", "password"},
}


def secret_sources(rendered):
    """(workload, Secret name, keys picked or None for all), of which there is at least one."""
    return some(_secret_sources(rendered))


def _secret_sources(rendered):
    for workload in rendered.workloads:
        for volume in volumes(workload):
            sources = [each["secret"] for each in volume.get("projected", {}).get("sources", ()) if "secret" in each]
            for source in [*sources, *([volume["secret"]] if "secret" in volume else [])]:
                items = {item["key"] for item in source["items"]} if "items" in source else None
                yield workload, source.get("secretName") or source["name"], items


def test_every_configmap_that_is_used_is_rendered_and_every_one_rendered_is_used(every):
    mounted = {volume["configMap"]["name"] for w in every.workloads for volume in volumes(w) if "configMap" in volume}
    sources = [source for container in every.containers() for source in container.body.get("envFrom", ())]
    assert mounted | {source["configMapRef"]["name"] for source in sources} == every.names("ConfigMap")


def test_every_account_claim_and_priority_exists(every):
    pods = [workload.pod_spec for workload in every.workloads]
    claims = [volume.get("persistentVolumeClaim") for workload in every.workloads for volume in volumes(workload)]
    assert {pod["serviceAccountName"] for pod in pods} == every.names("ServiceAccount")
    assert {pod["priorityClassName"] for pod in pods if "priorityClassName" in pod} == every.names("PriorityClass")
    assert {claim["claimName"] for claim in claims if claim} == every.names("PersistentVolumeClaim")


def test_every_secret_has_a_name_that_says_what_to_create(every):
    for workload, name, _ in secret_sources(every):
        assert SECRETS.fullmatch(name), (workload.ref, name)


def test_every_key_that_is_picked_is_one_that_is_created(every):
    for workload, name, keys in some(each for each in secret_sources(every) if each[1] in KEYS and each[2] is not None):
        assert keys <= KEYS[name], (workload.ref, name)


def test_a_service_s_secrets_carry_its_own_name(every):
    """Only the platform's shared Secrets are mounted by more than one service."""
    own = [each for each in secret_sources(every) if each[1] not in ("bakery-ca", "app-secrets")]
    for workload, name, _ in some(each for each in own if DATA_OWNER in each[0].labels):
        assert name.startswith(f"{workload.labels[DATA_OWNER]}-"), (workload.ref, name)


def test_clients_do_not_see_the_superuser_s_password(every):
    accounts = [each for each in secret_sources(every) if each[1].endswith("-db-credentials")]
    for workload, _, keys in some(each for each in accounts if each[0].ref.kind != "StatefulSet"):
        assert keys == {"username", "password"}, workload.ref


def test_every_service_leads_to_pods_and_to_a_port_they_open(every):
    for service in every.of("Service"):
        selector = service.spec["selector"].items()
        behind = [workload for workload in every.workloads if selector <= pod_labels(workload).items()]
        servers = [workload for workload in behind if workload.ref.kind != "Job"]
        assert servers, service.ref
        for workload in servers:
            opened = [port for each in workload.pod_spec["containers"] for port in each.get("ports", ())]
            numbers = {port["name"]: port["containerPort"] for port in opened}
            assert all(numbers[port["targetPort"]] == port["port"] for port in service.spec["ports"]), service.ref


def test_a_selector_picks_the_pods_of_one_workload_only(every):
    for workload in every.of("Deployment", "StatefulSet"):
        selector = workload.spec["selector"]["matchLabels"].items()
        selected = [w.ref.name for w in every.workloads if selector <= pod_labels(w).items()]
        assert selected == [workload.ref.name]


def test_a_statefulset_is_governed_by_a_headless_service_of_its_own(every):
    for stateful in every.of("StatefulSet"):
        service = every.get("Service", stateful.spec["serviceName"])
        assert service.spec["clusterIP"] == "None"
        assert service.spec["selector"].items() <= pod_labels(stateful).items()


def test_every_probe_asks_a_port_that_is_declared(every):
    probes = [
        (container, container.body[name][ask]["port"])
        for container in every.containers()
        for name in ("startupProbe", "livenessProbe", "readinessProbe")
        for ask in ("httpGet", "tcpSocket")
        if ask in container.body.get(name, {})
    ]
    for container, port in some(probes):
        assert port in {each["name"] for each in container.body["ports"]}, str(container)


def test_every_mount_has_its_volume_and_every_volume_its_mount(every):
    for workload in every.workloads:
        pod = workload.pod_spec
        offered = {volume["name"] for volume in volumes(workload)}
        offered |= {claim["metadata"]["name"] for claim in workload.spec.get("volumeClaimTemplates", ())}
        containers = [*pod.get("initContainers", ()), *pod["containers"]]
        mounted = {mount["name"] for each in containers for mount in each.get("volumeMounts", ())}
        assert mounted == offered, workload.ref


def test_the_signing_key_is_where_tokens_are_signed_and_checked_and_nowhere_else(dev):
    holders = {workload.labels[NAME] for workload, secret, _ in secret_sources(dev) if secret == "app-secrets"}
    assert holders == {"auth", "gateway"}
