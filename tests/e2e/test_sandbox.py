"""The sandbox with a real node: containers run, volumes hold data, names resolve, and a stop leaves no trace."""

from __future__ import annotations

import http.client
import json
import os
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bakery_ops.sandbox import lifecycle, network, processes, record, traces
from bakery_ops.sandbox.api import Api
from bakery_ops.sandbox.instance import Instance, instance
from bakery_ops.sandbox.lifecycle import SandboxStatus
from bakery_ops.tools import process
from tests.e2e.conftest import REPOSITORY

Document = dict[str, Any]
_SAFE = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
_RESTRICTED = {"runAsNonRoot": True, "runAsUser": 10001, "seccompProfile": {"type": "RuntimeDefault"}}


def api_of(name: str) -> Api:
    place = instance(name)
    found = record.read(place.directory)
    assert found is not None
    return Api(found.server, place.pki)


@pytest.fixture
def api(real_cluster: SandboxStatus) -> Iterator[Api]:
    with api_of(real_cluster.name) as connection:
        yield connection


def image_of(cluster: SandboxStatus) -> str:
    return next(name for name in lifecycle.present_images(cluster.name) if "kubenode" in name)


def namespace(name: str) -> Document:
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}


def pod(place: str, name: str, image: str, command: list[str], *, claim: str = "") -> Document:
    container: Document = {"name": "app", "image": image, "command": command, "securityContext": _SAFE}
    specification = {"restartPolicy": "Never", "securityContext": _RESTRICTED, "containers": [container]}
    if claim:
        container["volumeMounts"] = [{"name": "data", "mountPath": "/data"}]
        specification["volumes"] = [{"name": "data", "persistentVolumeClaim": {"claimName": claim}}]
    metadata = {"name": name, "namespace": place}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": specification}


def claim(place: str, name: str) -> Document:
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": name, "namespace": place},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
    }


def ended(api: Api, place: str, name: str) -> Document:
    def has_ended(found: Document) -> bool:
        return found["status"].get("phase") in {"Succeeded", "Failed"}

    path = f"/api/v1/namespaces/{place}/pods/{name}"
    return api.until(path, has_ended, within=60, waiting_for=f"pod {name} to end")


def log_of(cluster: SandboxStatus, place: str, name: str) -> str:
    """What `kubectl logs` shows: it goes through the API server to the kubelet."""
    here = instance(cluster.name)
    found = record.read(here.directory)
    assert found is not None
    context = ssl.create_default_context(cafile=str(here.pki / "ca.crt"))
    context.load_cert_chain(here.pki / "admin.crt", here.pki / "admin.key")
    address, _, port = found.server.removeprefix("https://").partition(":")
    connection = http.client.HTTPSConnection(address, int(port), context=context, timeout=20)
    try:
        connection.request("GET", f"/api/v1/namespaces/{place}/pods/{name}/log")
        return connection.getresponse().read().decode()
    finally:
        connection.close()


def test_a_restricted_pod_writes_to_its_volume(real_cluster: SandboxStatus, api: Api) -> None:
    write = [
        "/kubenode",
        "kubectl",
        "config",
        "set-cluster",
        "kept",
        "--server=https://example",
        "--kubeconfig=/data/file",
    ]
    read = ["/kubenode", "kubectl", "config", "get-clusters", "--kubeconfig=/data/file"]
    image = image_of(real_cluster)
    api.apply([namespace("volumes"), claim("volumes", "data"), pod("volumes", "writes", image, write, claim="data")])
    assert ended(api, "volumes", "writes")["status"]["phase"] == "Succeeded"
    api.apply([pod("volumes", "reads", image, read, claim="data")])
    assert ended(api, "volumes", "reads")["status"]["phase"] == "Succeeded"
    assert "kept" in log_of(real_cluster, "volumes", "reads")


def test_service_names_resolve_in_pods(real_cluster: SandboxStatus, api: Api) -> None:
    """Unauthorized is an answer: the name led through the Service to the API server."""
    ask = ["/kubenode", "kubectl", "get", "--raw=/api", "--server=https://kubernetes.default.svc", "--token=none"]
    ask.append("--certificate-authority=/var/run/secrets/kubernetes.io/serviceaccount/ca.crt")
    api.apply([namespace("names"), pod("names", "asks", image_of(real_cluster), ask)])
    ended(api, "names", "asks")
    assert "Unauthorized" in log_of(real_cluster, "names", "asks")


def test_names_outside_the_cluster_do_not_resolve_at_once(real_cluster: SandboxStatus, api: Api) -> None:
    ask = ["/kubenode", "kubectl", "get", "--raw=/api", "--server=https://registry.example", "--token=none"]
    api.apply([namespace("outside"), pod("outside", "asks", image_of(real_cluster), ask)])
    ended(api, "outside", "asks")
    assert "no such host" in log_of(real_cluster, "outside", "asks")


def policy(name: str, own: Document, **rules: Any) -> Document:
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": name, "namespace": "policies"},
        "spec": {"podSelector": own, **rules},
    }


def test_only_the_client_a_network_policy_names_reaches_the_server(real_cluster: SandboxStatus, api: Api) -> None:
    """etcd is the server, since it is in the image; both clients may send, the server accepts from one."""
    place, image = "policies", image_of(real_cluster)
    listen = ["--listen-client-urls=http://0.0.0.0:2379", "--advertise-client-urls=http://127.0.0.1:2379"]
    server = pod(place, "server", image, ["/kubenode", "etcd", "--data-dir=/tmp/etcd", *listen])
    server["metadata"]["labels"] = {"app": "server"}
    service = {"selector": {"app": "server"}, "ports": [{"port": 80, "targetPort": 2379}]}
    port = [{"port": 2379}]
    friend = {"podSelector": {"matchLabels": {"app": "friend"}}}
    api.apply(
        [
            namespace(place),
            server,
            {
                "apiVersion": "v1",
                "kind": "Service",
                "metadata": {"name": "server", "namespace": place},
                "spec": service,
            },
            policy("server", {"matchLabels": {"app": "server"}}, ingress=[{"from": [friend], "ports": port}]),
        ]
    )
    api.until(f"/api/v1/namespaces/{place}/pods/server", is_ready, within=60, waiting_for="the server")
    ask = ["/kubenode", "kubectl", "get", "--raw=/version", "--server=http://server", "--request-timeout=8s"]
    for name in ("friend", "stranger"):
        client = pod(place, name, image, ask)
        client["metadata"]["labels"] = {"app": name}
        api.apply([client])
    assert ended(api, place, "friend")["status"]["phase"] == "Succeeded"
    assert ended(api, place, "stranger")["status"]["phase"] == "Failed"


def is_ready(found: Document) -> bool:
    conditions = found.get("status", {}).get("conditions", [])
    return any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)


def test_the_nodes_use_of_cpu_is_measured(api: Api) -> None:
    path = "/apis/metrics.k8s.io/v1beta1/nodes/node-1"
    api.until(
        "/apis/apiregistration.k8s.io/v1/apiservices/v1beta1.metrics.k8s.io", is_available, within=90, waiting_for="it"
    )
    assert api.until(path, lambda found: "usage" in found, within=60, waiting_for="measurements")["usage"]["cpu"]


def is_available(found: Document) -> bool:
    conditions = found.get("status", {}).get("conditions", [])
    return any(one["type"] == "Available" and one["status"] == "True" for one in conditions)


def test_importing_what_is_there_does_nothing(real_cluster: SandboxStatus) -> None:
    present = lifecycle.present_images(real_cluster.name)
    archive = next((Path.home() / ".cache").glob("bakery-ops/images/node-*.tar"), None)
    if archive is None:
        pytest.skip("the cache is elsewhere")
    assert lifecycle.import_archive(archive, say=print, name=real_cluster.name) is False
    assert lifecycle.present_images(real_cluster.name) == present


def leftovers(place: Instance, number: int) -> list[str]:
    """Everything of an instance that can be found on the machine."""
    found = [f"mount {mount.point}" for mount in traces.mounts() if Path(mount.point).is_relative_to(place.directory)]
    found += [f"process {pid}" for pid in processes.marked(place.directory)]
    found += [f"cgroup {root / place.owner}" for root in traces.cgroup_roots() if (root / place.owner).exists()]
    links = json.loads(process.run(["ip", "-json", "link", "show"]).stdout)
    outside = network.Link(number).outside
    found += [f"link {link['ifname']}" for link in links if link["ifname"] == outside]
    routes = process.run(["ip", "route", "show"]).stdout
    found += [f"route {line}" for line in routes.splitlines() if f"10.231.{number}." in line]
    results = Path("/var/lib/cni/results")
    found += [f"file {path}" for path in results.glob(f"{place.owner}-*")] if results.is_dir() else []
    return found + ([f"directory {place.directory}"] if place.directory.exists() else [])


def test_stop_leaves_no_trace(real_node_possible: None) -> None:
    name = f"test-stop-{os.getpid() % 10000}"
    before = traces.read_sysctls()
    lifecycle.start("real", (), say=print, repository=REPOSITORY, name=name)
    place = instance(name)
    found = record.read(place.directory)
    assert found is not None
    try:
        kinds = {entry.partition(" ")[0] for entry in leftovers(place, found.number)}
        assert kinds == {"mount", "process", "cgroup", "link", "route", "file", "directory"}
    finally:
        lifecycle.stop(say=print, name=name)
    assert leftovers(place, found.number) == []
    assert traces.read_sysctls() == before


def test_a_start_that_was_killed_half_way_is_cleaned_up_by_the_next_stop(real_node_possible: None) -> None:
    """The worst moment: processes run, the cable is laid, cgroups exist, and nobody wrote that it is ready."""
    name = f"test-half-{os.getpid() % 10000}"
    lifecycle.start("real", (), say=print, repository=REPOSITORY, name=name)
    place = instance(name)
    found = record.read(place.directory)
    assert found is not None
    (place.directory / "daemons.json").unlink()
    assert lifecycle.status(name).state == "broken"
    lifecycle.stop(say=print, name=name)
    assert leftovers(place, found.number) == []
