"""What the sandbox writes for the cluster's programs: flags, configuration files, stages, add-ons."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

import pytest

from bakery_ops.sandbox import addons, api, failures, flags, kwok, nodefiles, runtime, simulated, stages
from bakery_ops.sandbox.flags import Endpoints
from bakery_ops.sandbox.nodefiles import NodeFiles
from bakery_ops.sandbox.sizes import NodeSize

ENDPOINTS = Endpoints("127.0.0.1", "10.231.255.1", "https://127.0.0.1:6443", 6443, 2379, 2380)
NODE = NodeFiles(Path("/s"), "bakery-trial", "10.231.0.2", Path("/s/pki"), "bakery/pause:1", Path("/usr/lib/cni"))


def argv_of(words: list[str]) -> dict[str, str]:
    pairs = [word.removeprefix("--").partition("=") for word in words[1:]]
    return {name: value for name, _, value in pairs}


def test_everything_of_a_simulated_control_plane_listens_on_loopback() -> None:
    etcd = argv_of(flags.etcd(ENDPOINTS, Path("/s/etcd")))
    server = argv_of(flags.api_server(ENDPOINTS, Path("/s/pki"), routes_to_endpoints=False))
    assert etcd["listen-client-urls"] == "http://127.0.0.1:2379"
    assert server["bind-address"] == "127.0.0.1"
    for words in (
        flags.controller_manager(Path("/k"), Path("/p"), trust_after="1s"),
        flags.scheduler(Path("/c")),
    ):
        assert argv_of(words)["secure-port"] == "0"


def test_the_api_server_authorizes_nodes_and_roles() -> None:
    server = argv_of(flags.api_server(ENDPOINTS, Path("/s/pki"), routes_to_endpoints=True))
    assert server["authorization-mode"] == "Node,RBAC"
    assert server["enable-admission-plugins"] == "NodeRestriction"
    assert server["enable-aggregator-routing"] == "true"


def test_no_component_is_slowed_down_by_stock_request_limits() -> None:
    controllers = argv_of(flags.controller_manager(Path("/k"), Path("/p"), trust_after="1s"))
    scheduler = flags.scheduler_configuration(Path("/k"))["clientConnection"]
    kubelet = nodefiles.kubelet(NODE)
    assert min(int(controllers["kube-api-qps"]), scheduler["qps"], kubelet["kubeAPIQPS"]) >= 100
    assert (kubelet["registryPullQPS"], kubelet["eventRecordQPS"], kubelet["serializeImagePulls"]) == (0, 0, False)


def test_containerd_keeps_everything_below_the_instance() -> None:
    document = tomllib.loads(nodefiles.containerd(NODE))
    cri = document["plugins"]["io.containerd.grpc.v1.cri"]
    options = cri["containerd"]["runtimes"]["runc"]["options"]
    places = [document["root"], document["state"], document["grpc"]["address"], cri["cni"]["conf_dir"], options["Root"]]
    assert all(Path(place).is_relative_to(NODE.directory) for place in places)
    assert cri["netns_mounts_under_state_dir"] is True
    assert cri["sandbox_image"] == NODE.pause_image


def test_the_kubelet_touches_no_cgroup_but_its_own() -> None:
    document = nodefiles.kubelet(NODE)
    assert document["cgroupRoot"] == "/bakery-trial"
    assert not {"systemCgroups", "kubeletCgroups"} & set(document)


def test_the_pod_network_translates_no_addresses() -> None:
    link = nodefiles.pod_network(NODE)["plugins"][0]
    assert (link["type"], link["ipMasq"]) == ("ptp", False)
    assert link["ipam"]["ranges"] == [[{"subnet": nodefiles.POD_SUBNET}]]


def all_stages() -> list[dict[str, Any]]:
    return [*stages.node_stages(), *stages.pod_stages(), *failures.failure_stages()]


def texts_in(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value]
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, list) else []
    return [text for part in parts for text in texts_in(part)]


def test_stage_names_are_unique() -> None:
    names = [stage["metadata"]["name"] for stage in all_stages()]
    assert len(names) == len(set(names))


def test_templates_close_what_they_open() -> None:
    for stage in all_stages():
        for text in texts_in(stage["spec"].get("steps")):
            opened = sum(text.count(f"{{{{ {word} ") for word in ("if", "range", "with"))
            assert opened == text.count("{{ end }}"), stage["metadata"]["name"]


@pytest.mark.parametrize("mode", sorted(set(failures.MODES) - {"init-stuck"}))
def test_every_failure_has_a_stage_that_only_its_annotation_chooses(mode: str) -> None:
    def chooses(stage: dict[str, Any]) -> bool:
        conditions = stage["spec"]["selector"]["matchExpressions"]
        return kwok.where(kwok.annotation("simulate"), "In", mode) in conditions

    assert any(chooses(stage) for stage in failures.failure_stages())


def test_a_stuck_init_container_is_one_that_does_not_advance() -> None:
    advances = next(one for one in stages.pod_stages() if one["metadata"]["name"] == "pod-init-advances")
    barred = [one for one in advances["spec"]["selector"]["matchExpressions"] if one["operator"] == "NotIn"]
    assert any("init-stuck" in one["values"] for one in barred if one["key"] == kwok.annotation("simulate"))


@pytest.mark.parametrize(
    "mode", ["image-not-found", "registry-5xx", "registry-heals", "missing-secret", "missing-volume"]
)
def test_a_pod_that_can_not_start_is_not_run_by_the_ordinary_life(mode: str) -> None:
    """Also one without init containers: a volume that is missing holds it where a missing image does."""
    runs = next(one for one in stages.pod_stages() if one["metadata"]["name"] == "pod-runs")
    barred = [one for one in runs["spec"]["selector"]["matchExpressions"] if one["operator"] == "NotIn"]
    assert any(mode in one["values"] for one in barred if one["key"] == kwok.annotation("simulate"))


def test_a_pod_that_is_being_deleted_is_only_deleted() -> None:
    for stage in [*stages.pod_stages(), *failures.failure_stages()]:
        is_alive = kwok.ALIVE in stage["spec"]["selector"]["matchExpressions"]
        assert is_alive != (stage["metadata"]["name"] == "pod-deleted")


def test_a_simulated_node_offers_what_was_asked_for() -> None:
    node = simulated.node_document(2, NodeSize(8000, 20 * 2**30), tainted=False)
    assert node["metadata"]["name"] == "simulated-2"
    assert node["status"]["allocatable"]["cpu"] == "8000m"
    assert node["status"]["allocatable"]["memory"] == str(20 * 2**30)
    assert node["spec"] == {}


def test_a_simulated_node_beside_a_real_one_keeps_ordinary_pods_away() -> None:
    node = simulated.node_document(1, NodeSize(8000, 20 * 2**30), tainted=True)
    assert [taint["effect"] for taint in node["spec"]["taints"]] == ["NoSchedule"]


def test_a_node_counts_as_ready_only_without_the_taint_of_a_new_one() -> None:
    ready = {"status": {"conditions": [{"type": "Ready", "status": "True"}]}}
    assert simulated.is_ready(ready)
    assert not simulated.is_ready({**ready, "spec": {"taints": [{"key": "node.kubernetes.io/not-ready"}]}})
    assert not simulated.is_ready({"status": {"conditions": [{"type": "Ready", "status": "False"}]}})
    assert not simulated.is_ready({})


def test_kwok_gets_one_document_after_another(tmp_path: Path) -> None:
    path = tmp_path / "stages.yaml"
    simulated.write_stages(path)
    documents = [json.loads(part) for part in path.read_text().split("---\n")]
    assert [document["kind"] for document in documents[:2]] == ["KwokConfiguration", "Stage"]
    assert all(value for value in documents[0]["options"].values())


def test_the_default_storage_class_waits_for_a_node() -> None:
    document = addons.storage_class()
    assert document["volumeBindingMode"] == "WaitForFirstConsumer"
    assert document["metadata"]["annotations"]["storageclass.kubernetes.io/is-default-class"] == "true"


def test_add_ons_run_unprivileged() -> None:
    documents = [*addons.names("i:1", node="n", address="10.96.0.10"), *addons.measurements("i:1", node="n")]
    pods = [one["spec"]["template"]["spec"] for one in documents if one["kind"] == "Deployment"]
    assert len(pods) == 2
    for pod in pods:
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["containers"][0]["securityContext"]["capabilities"] == {"drop": ["ALL"]}


@pytest.mark.parametrize(
    ("version", "kind", "path"),
    [
        ("v1", "Node", "/api/v1/nodes/x"),
        ("v1", "Service", "/api/v1/namespaces/kube-system/services/x"),
        ("apps/v1", "Deployment", "/apis/apps/v1/namespaces/kube-system/deployments/x"),
        ("storage.k8s.io/v1", "StorageClass", "/apis/storage.k8s.io/v1/storageclasses/x"),
        (
            "networking.k8s.io/v1",
            "NetworkPolicy",
            "/apis/networking.k8s.io/v1/namespaces/kube-system/networkpolicies/x",
        ),
    ],
)
def test_an_object_is_kept_where_the_api_server_keeps_it(version: str, kind: str, path: str) -> None:
    document = {"apiVersion": version, "kind": kind, "metadata": {"name": "x", "namespace": "kube-system"}}
    assert api.path_of(document) == path


@pytest.mark.parametrize(
    ("name", "full"),
    [
        ("redis:7", "docker.io/library/redis:7"),
        ("bakery/gateway:dev", "docker.io/bakery/gateway:dev"),
        ("registry.example/a/b:1", "registry.example/a/b:1"),
        ("localhost/a:1", "localhost/a:1"),
    ],
)
def test_an_image_name_is_completed_as_containerd_does(name: str, full: str) -> None:
    assert runtime.full_name(name) == full


def test_an_audited_server_notes_by_the_policy_in_a_log_that_is_not_cut() -> None:
    noted = argv_of(["kube-apiserver", *flags.audit(Path("/p/policy.json"), Path("/s/logs/audit.log"))])
    assert noted["audit-policy-file"] == "/p/policy.json"
    assert noted["audit-log-path"] == "/s/logs/audit.log"
    assert int(noted["audit-log-maxsize"]) >= 1024
