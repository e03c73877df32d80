"""The allow matrix, declared here and solved from the rendered policies: what is not listed is denied."""

import pytest

from bakery_ops.model.contract import DATA_OWNER, NAME, PART_OF
from tests.manifests.reachability import Endpoint, Policies, endpoints, in_namespace, reached
from tests.manifests.rendered import component

INTERNET = Endpoint("the internet", {}, {}, frozenset({443}), "public")
PRIVATE = Endpoint("a private address", {}, {}, frozenset({443}), "private")
DNS = in_namespace("CoreDNS", "kube-system", {"k8s-app": "kube-dns"}, 53)
TRAEFIK = in_namespace("Traefik", "kube-system", {NAME: "traefik"})
STRANGERS = [
    in_namespace("a pod of another namespace", "default", {"k8s-app": "kube-dns"}),
    in_namespace("a system pod", "kube-system", {"k8s-app": "metrics-server"}),
    in_namespace("a lookalike", "default", {NAME: "gateway", PART_OF: "bakery-ia"}),
]


def data_paths(rendered):
    """A service, its migration and its seeds reach their own database; seeds also reach their own service."""
    for name in rendered.services:
        yield f"{name}-service", f"{name}-db", 5432
        yield f"{name}-migration", f"{name}-db", 5432
    for job in rendered.of("Job"):
        if component(job) == "seed-job":
            yield job.ref.name, f"{job.labels[DATA_OWNER]}-db", 5432
            yield job.ref.name, f"{job.labels[DATA_OWNER]}-service", 8000


def platform_paths(rendered):
    for name in rendered.services:
        yield f"{name}-service", "redis", 6379
        yield "gateway", f"{name}-service", 8000
    yield "gateway", "redis", 6379
    yield "gateway", "frontend", 8080
    yield "frontend", "gateway", 8000
    yield "alert-processor-service", "rabbitmq", 5671


def geocoder_paths(rendered):
    if rendered.names("StatefulSet", name="nominatim"):
        yield "external-service", "nominatim", 8080
        yield "tenant-service", "nominatim", 8080


def monitoring_paths(rendered):
    if not rendered.names("StatefulSet", name="prometheus"):
        return
    for name in ["gateway", *(f"{service}-service" for service in rendered.services)]:
        yield "prometheus", name, 8000
        yield name, "jaeger", 4317
        yield name, "jaeger", 4318
    yield "prometheus", "rabbitmq", 15692
    yield "grafana", "prometheus", 9090
    yield "grafana", "jaeger", 16686


def test_exactly_the_declared_connections_pass(every):
    families = (data_paths, platform_paths, geocoder_paths, monitoring_paths)
    declared = {path for family in families for path in family(every)}
    solved = reached(every)
    assert sorted(solved - declared) == []
    assert sorted(declared - solved) == []


def test_a_database_answers_its_own_data_owner_and_nobody_else(every):
    senders = {}
    for source, target, _ in reached(every):
        senders.setdefault(target, set()).add(source)
    for name in every.services:
        owners = {m.ref.name for m in every.workloads if m.labels.get(DATA_OWNER) == name} - {f"{name}-db"}
        assert senders[f"{name}-db"] == owners


def test_every_pod_finds_names(every):
    policies = Policies(every)
    for pod in endpoints(every):
        assert policies.allow(pod, DNS, 53, "UDP"), pod.name
        assert policies.allow(pod, DNS, 53, "TCP"), pod.name


def test_port_53_leads_to_the_cluster_s_name_server_and_nowhere_else(every):
    """Two selectors in one list item mean both, in two items either: the classic hole."""
    policies = Policies(every)
    for pod in endpoints(every):
        elsewhere = in_namespace("DNS of another namespace", "default", DNS.labels, 53)
        neighbour = in_namespace("another system pod", "kube-system", {"k8s-app": "metrics-server"}, 53)
        own = pod._replace(name="a lookalike in our namespace", labels=DNS.labels, ports=DNS.ports)
        assert not [each.name for each in (elsewhere, neighbour, own) if policies.allow(pod, each, 53, "UDP")], pod.name


def test_everything_is_denied_first(every):
    spec = every.get("NetworkPolicy", "default-deny-all").spec
    assert spec == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}


def test_only_the_declared_pods_reach_the_internet_and_nobody_a_private_address(every):
    policies = Policies(every)
    outside = {pod.name for pod in endpoints(every) if policies.allow(pod, INTERNET, 443)}
    geocoder = {"nominatim-init"} if every.names("Job", name="nominatim-init") else set()
    assert outside == {"external-service", "notification-service", "pos-service"} | geocoder
    assert not [pod.name for pod in endpoints(every) if policies.allow(pod, INTERNET, 80)]
    assert not [pod.name for pod in endpoints(every) if policies.allow(pod, PRIVATE, 443)]


def test_the_internet_block_leaves_out_every_private_range(every):
    (block,) = [
        peer["ipBlock"]
        for policy in every.of("NetworkPolicy")
        for rule in policy.spec.get("egress", ())
        for peer in rule.get("to", ())
        if "ipBlock" in peer
    ]
    assert {"10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16"} <= set(block["except"])


@pytest.mark.parametrize("stranger", STRANGERS, ids=lambda stranger: stranger.name)
def test_no_pod_from_elsewhere_gets_in(every, stranger):
    policies = Policies(every)
    assert not [pod.name for pod in endpoints(every) for port in pod.ports if policies.allow(stranger, pod, port)]


def test_the_ingress_controller_reaches_the_gateway_and_nothing_else(dev, prod):
    for rendered, expected in ((prod, {("gateway", 8000)}), (dev, set())):
        policies = Policies(rendered)
        allowed = {(p.name, port) for p in endpoints(rendered) for port in p.ports if policies.allow(TRAEFIK, p, port)}
        assert allowed == expected


def test_a_pod_nobody_thought_of_reaches_nothing_and_is_reached_by_nothing(every):
    newcomer = next(endpoints(every))._replace(name="newcomer", labels={"app": "newcomer"}, ports=frozenset({80}))
    policies = Policies(every)
    for pod in endpoints(every):
        assert not policies.allow(pod, newcomer, 80)
        assert not [port for port in pod.ports if policies.allow(newcomer, pod, port)]
